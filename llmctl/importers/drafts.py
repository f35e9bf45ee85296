"""A project on its way into files: what an importer makes and the writer writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["INCOMPLETE", "INLINE_CASES", "BankDraft", "ModelDraft", "ProjectDraft", "PromptDraft"]

Data = Mapping[str, object]

INLINE_CASES = 10
"""More cases than these become rows of a table."""
INCOMPLETE = "import-incomplete"
"""The tag of cases that check less than they did."""


@dataclass(frozen=True, slots=True)
class PromptDraft:
    """A prompt file: its name, and its keys in the order in which they are written."""

    name: str
    data: Data


@dataclass(frozen=True, slots=True)
class BankDraft:
    """A bank file: its keys but for the cases, and the cases."""

    name: str
    data: Data
    cases: tuple[Data, ...]
    in_table: bool = False
    """Whether the cases are rows of a JSONL file beside the bank instead of standing in it."""


@dataclass(frozen=True, slots=True)
class ModelDraft:
    """`[models.NAME]`."""

    name: str
    data: Data


@dataclass(frozen=True, slots=True)
class ProjectDraft:
    """All that an import writes."""

    prompts: tuple[PromptDraft, ...] = ()
    banks: tuple[BankDraft, ...] = ()
    models: tuple[ModelDraft, ...] = ()
    settings: Mapping[str, Data] = field(default_factory=dict)
    """Further tables of `llmctl.toml`, written only where the import makes that file."""
