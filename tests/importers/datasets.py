"""What the tests of imported datasets share: a project that was imported, and its cases judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmctl.evaluators.verdict import Verdict
from llmctl.importers.conversion import Fate, Notes
from llmctl.importers.inspect_ai.dataset import InspectChoices, import_inspect
from llmctl.importers.openai_evals.project import Choices, import_openai_evals
from llmctl.importers.writer import Destination, planned_files, write_files
from tests.importers.support import Imported, judged

__all__ = ["evals_of", "inspect_of", "passes", "shared", "texts"]


def evals_of(source: Path, root: Path, *evals: str, eval_class: str | None = None) -> Imported:
    """Samples or a registry of OpenAI Evals in a project of their own."""
    notes = Notes()
    draft = import_openai_evals(source, Choices("fake/echo", "fake/echo", evals, eval_class), notes)
    write_files(planned_files(draft, Destination(root)))
    return Imported(root, draft, notes.list())


def inspect_of(source: Path, root: Path, scorer: str | None = None, **args: object) -> Imported:
    """A dataset or a log of inspect_ai in a project of its own; `fields` are names of its columns."""
    notes = Notes()
    fields = args.pop("fields", {})
    assert isinstance(fields, dict)
    draft = import_inspect(source, InspectChoices("fake/echo", scorer, args, fields, "fake/echo"), notes)
    write_files(planned_files(draft, Destination(root)))
    return Imported(root, draft, notes.list())


def passes(one: Imported, output: str, index: int = 0) -> bool:
    """Whether a case passes with an output."""
    verdict: Verdict = judged(one, one.cases()[index], output)
    return verdict.passed is True


def shared(one: Imported, index: int = 0) -> list[dict[str, Any]]:
    """The evaluators of a bank."""
    entries = one.draft.banks[index].data["evaluators"]
    assert isinstance(entries, list)
    return entries


def texts(one: Imported, fate: Fate) -> str:
    """All that is said with that fate."""
    return "\n".join(f"{note.what}: {note.how}" for note in one.notes if note.fate is fate)
