"""What users wrote: strict files, templates and git revisions, turned into frozen models."""
