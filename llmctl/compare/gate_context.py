"""What surrounds a gate's verdict: nothing of it is judged, but a reader in CI wants to see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from llmctl.compare.cells import CaseName
from llmctl.compare.diff_report import DiffReport

__all__ = ["FilePlace", "GateContext"]


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A line of a file in the repository."""

    path: PurePosixPath
    """From the top of the repository, or of the project where there is none."""
    line: int = 1


@dataclass(frozen=True, slots=True)
class GateContext:
    """The difference to the baseline, and where in today's files the cases and prompts stand."""

    command: str = ""
    """The command line; empty: not known."""
    comparison: DiffReport | None = None
    """Baseline (A) against candidate (B); None: there is no baseline that could be read result by result."""
    cases: Mapping[CaseName, FilePlace] = field(default_factory=dict)
    """Of the cases that a rule points at; a case that today's bank does not have is missing."""
    prompts: Mapping[str, FilePlace] = field(default_factory=dict)
    banks: Mapping[str, FilePlace] = field(default_factory=dict)
