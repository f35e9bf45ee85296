"""From other tools' projects to prompts, banks and models.

An importer reads what its tool's users wrote, notes what becomes of each part (`conversion.Notes`), and returns a
`drafts.ProjectDraft`; `writer` turns the draft into files, and `rendering` shows the notes. So an importer is one
function `(path, notes) -> ProjectDraft`, in files named after its tool (`promptfoo_*.py`), and a command in
`llmctl/cli/imports.py`.
"""
