"""What a diff is asked for, beside its two sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmctl.project.models import Config
from llmctl.runs.selection import Selection

__all__ = ["DEFAULT_MARGIN", "DiffRequest"]

DEFAULT_MARGIN = 0.05
"""The drop that "how many cases would be needed" is answered for where no bank and no `[gate]` says one."""


@dataclass(frozen=True, slots=True)
class DiffRequest:
    """The project, and what of the sides is compared."""

    config: Config
    environ: Mapping[str, str] = field(default_factory=dict)
    selection: Selection = field(default_factory=Selection)
    """Banks, prompts (by name or label), models, tags and pattern; repeats are those that the sides have."""
    listed: int = 10
    """How many regressions, and how many fixes, a cell lists with their texts."""
    gate_margin: Callable[[str], float | None] = lambda _: None
    """The drop that a bank's own `gate:` tolerates, by the bank's name; None: it says none."""

    @property
    def store(self) -> Path:
        """Where earlier draws are looked up."""
        return self.config.store

    def margin(self, bank: str) -> float:
        """The drop that a bank's gate tolerates."""
        rules = self.config.gate.rules
        return self.gate_margin(bank) or (rules and rules.margin) or DEFAULT_MARGIN
