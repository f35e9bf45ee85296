"""Runs the candidate stage by stage, each cell until its verdict is certain: what is not needed is not sent."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from llmctl.compare.cells import Cell
from llmctl.compare.gate.evidence import CellEvidence
from llmctl.compare.gate.margin_watch import MarginWatch
from llmctl.compare.gate.order import Cluster
from llmctl.compare.gate.planned import CandidateCell
from llmctl.compare.gate.progress import StagedCell
from llmctl.compare.gate.watches import Counts, Watch
from llmctl.compare.verdict import Verdict
from llmctl.runs.records import ResultEvent

Flags = NDArray[np.bool_]

__all__ = ["CellStages", "GateStages"]


@dataclass(slots=True)
class CellStages:
    """One cell: what was sent of it, and whether more is needed."""

    planned: CandidateCell
    baseline: CellEvidence | None
    clusters: Sequence[Cluster]
    """In the order in which they are sent."""
    watches: Sequence[Watch]
    """One for each rule that could need a case."""
    step: int
    """Cases that are sent at once, where no look says how many."""
    seed: str = ""
    completes: bool = True
    """Whether what is left is sent at the end, where all of it is stored: it costs nothing, and says more."""
    counts: Counts = field(init=False)
    _sent: Flags = field(init=False)
    _came: int = 0
    _asked: bool = False
    """Whether the last stage had cases of this cell."""
    _begun: bool = False
    _given_up: bool = False

    def __post_init__(self) -> None:
        self.counts = Counts(CellEvidence(self.planned.cell, self.planned.cases), self.baseline)
        self._sent = np.zeros(len(self.planned.cases), np.bool_)

    @property
    def margin(self) -> MarginWatch | None:
        """The watch of the cell's sequential test."""
        return next((watch for watch in self.watches if isinstance(watch, MarginWatch)), None)

    @property
    def failed(self) -> bool:
        """A rule is FAIL, and nothing could undo that."""
        return any(watch.verdict is Verdict.FAIL for watch in self.watches)

    @property
    def settled(self) -> bool:
        """Nothing more of it is needed."""
        return not self._given_up and not any(True for _ in self._needed())

    @property
    def unsent(self) -> list[int]:
        """Positions of the cases that were not sent."""
        return [int(position) for position in np.flatnonzero(~self._sent)]

    @property
    def sent(self) -> int:
        """How many cases were."""
        return int(np.count_nonzero(self._sent))

    def next_cases(self, known: Container[int]) -> list[int]:
        """The positions of the cases to be sent next; none: the cell wants nothing more."""
        if self._came_to_nothing():
            return []
        for watch in self.watches:
            watch.look(self.counts)
        chosen = self._first() or self._next()
        if not chosen and self.completes and self.settled and self._stored(self.unsent, known):
            chosen = self.unsent
        self._sent[chosen] = True
        self._asked = bool(chosen)
        return chosen

    def staged(self) -> StagedCell:
        """What the rules are told of it."""
        cases = self.planned.cases
        unneeded = frozenset(cases[position].case_id for position in self.unsent) if self.settled else frozenset()
        margin = self.margin
        return StagedCell(self.planned.cell, margin.decision if margin else None, unneeded, self.seed)

    def _came_to_nothing(self) -> bool:
        """Whether the last stage brought no result: its model is not asked any more."""
        came = int(self.counts.came.sum())
        self._given_up = self._given_up or (self._asked and came == self._came)
        self._came = came
        return self._given_up

    def _stored(self, positions: Iterable[int], known: Container[int]) -> bool:
        return all(unit in known for position in positions for unit in self.planned.units[position])

    def _first(self) -> list[int]:
        """The cases that must pass, before all others."""
        if self._begun:
            return []
        self._begun = True
        return [position for position, case in enumerate(self.planned.cases) if case.must_pass]

    def _next(self) -> list[int]:
        """What the next look takes; without one, the next cases that a rule needs."""
        margin = self.margin
        if margin is not None and margin.verdict is None and not self.failed:
            chosen = [position for cluster in margin.clusters[: margin.upto] for position in cluster]
            return [position for position in chosen if not self._sent[position]]
        needed = []
        for position in self._needed():
            needed.append(position)
            if len(needed) >= self.step:
                break
        return needed

    def _needed(self) -> Iterable[int]:
        """The unsent cases that a rule still needs, in order."""
        if self.failed:
            return
        for cluster in self.clusters:
            for position in cluster:
                if not self._sent[position] and any(watch.needs(position) for watch in self.watches):
                    yield position


class GateStages:
    """All cells of a candidate, stage by stage; each stops by itself."""

    def __init__(self, cells: Sequence[CellStages]) -> None:
        self.cells = cells
        self._by_name = {
            (one.planned.cell.bank, one.planned.label, one.planned.cell.model): one.counts for one in cells
        }

    def take(self, result: ResultEvent) -> None:
        """Count a result in its cell."""
        self._by_name[result.bank, result.prompt, result.model].take(result)

    def next_stage(self, known: Container[int]) -> Sequence[int] | None:
        """The next cases of every cell that is not settled."""
        units = [
            unit for cell in self.cells for position in cell.next_cases(known) for unit in cell.planned.units[position]
        ]
        return sorted(units) or None

    @property
    def ended_early(self) -> str | None:
        """`the verdict was reached after 150 of 500 cases`."""
        if not all(cell.settled for cell in self.cells) or not any(cell.unsent for cell in self.cells):
            return None
        sent = sum(cell.sent for cell in self.cells)
        planned = sum(len(cell.planned.cases) for cell in self.cells)
        return f"the verdict was reached after {sent:,} of {planned:,} cases"

    def unsent_units(self) -> int:
        """Results that were planned and not needed."""
        return sum(len(cell.planned.units[position]) for cell in self.cells if cell.settled for position in cell.unsent)

    def staged(self) -> dict[Cell, StagedCell]:
        """How far each cell went."""
        return {cell.planned.cell: cell.staged() for cell in self.cells}
