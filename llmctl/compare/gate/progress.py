"""How far the candidate's run went in each cell when it stopped early, and what was decided on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmctl.compare.cells import Cell
from llmctl.stats.confirmation import CaseDraws

if TYPE_CHECKING:
    from llmctl.stats.sequential import Decision

__all__ = ["AskedAgain", "StagedCell"]


@dataclass(frozen=True, slots=True)
class StagedCell:
    """One cell of a candidate that was run stage by stage. Without one, a cell was run as a whole, or is stored."""

    cell: Cell
    margin: Decision | None = None
    """What the sequential test of the cell's `margin` said last; None: no such test was run, judge the fixed sample."""
    unneeded: frozenset[str] = frozenset()
    """Cases that were not sent since nothing they could say would change the verdict: they are not missing."""
    seed: str = ""
    """Of the order in which the cases were sent."""


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """What became of the cases that flipped, when they were asked again (`max_new_failures`)."""

    draws: Mapping[tuple[Cell, str], CaseDraws] = field(default_factory=dict)
    """All draws of each flipped case, the first ones too, by cell and case id."""
    needed: int = 1
    """k: draws a side that a confirmation takes."""
    unable: Mapping[Cell, str] = field(default_factory=dict)
    """Cells whose flipped cases could not be asked again, each with the reason as a sentence."""
    sent: int = 0
    """Calls that this took."""
