"""What an evaluator finds wrong with its own arguments when it is built, and where among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

__all__ = ["ArgumentError", "Finding", "HasWarnings"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake or oddity: a sentence, its path below the arguments, a way out."""

    message: str
    path: tuple[str | int, ...] = ()
    hint: str | None = None


class ArgumentError(ValueError):
    """Arguments that an evaluator cannot work with, each mistake with its path."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("; ".join(finding.message for finding in findings))
        self.findings = tuple(findings)


@runtime_checkable
class HasWarnings(Protocol):
    """An evaluator that can say what is odd, but allowed, in its arguments."""

    def warnings(self) -> Sequence[Finding]:
        """What is odd."""
