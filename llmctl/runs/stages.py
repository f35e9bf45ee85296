"""Units that are worked on stage by stage: what is sent next may depend on what has come so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Stages"]


class Stages(Protocol):
    """Says what a run does next. Asked in the event loop, when every result of the last stage has been told."""

    def next_stage(self) -> Sequence[int] | None:
        """The numbers of the units to be worked on next, ascending; None: nothing more is wanted.

        A stage with fewer units than the run's concurrency leaves slots idle.
        """

    @property
    def ended_early(self) -> str | None:
        """Why units are left that are not wanted any more: `the verdict was reached`; None where none is left."""
