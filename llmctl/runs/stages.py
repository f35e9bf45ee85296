"""Units that are worked on stage by stage: what is sent next may depend on what has come so far."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Protocol

from llmctl.runs.records import ResultEvent

__all__ = ["Stages"]


class Stages(Protocol):
    """Says what a run does next."""

    def take(self, result: ResultEvent) -> None:
        """A result is in the journal. Called in the journal's thread, never while `next_stage` is."""

    def next_stage(self, known: Container[int]) -> Sequence[int] | None:
        """The numbers of the units to be worked on next, ascending; None: nothing more is wanted.

        Asked in the event loop when every result of the last stage has been taken. A stage with fewer units than the
        run's concurrency leaves slots idle.

        Args:
            known: the units whose answers are stored, so that they cost nothing.
        """

    @property
    def ended_early(self) -> str | None:
        """Why units are left that are not wanted any more: `the verdict was reached`; None where none is left."""
