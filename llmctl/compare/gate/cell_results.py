"""The results of one cell as they come: what of every case passed, failed, or gave no evidence."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass

from llmctl.compare.gate.planned import CandidateCell
from llmctl.runs.records import ResultEvent

__all__ = ["CellResults", "Draws"]


@dataclass(frozen=True, slots=True)
class Draws:
    """The draws of one case with evidence, on one side."""

    passed: int
    evidence: int

    @property
    def failed(self) -> int:
        """Those that did not pass."""
        return self.evidence - self.passed


class CellResults:
    """Counts by case. Written in the journal's thread, read between stages, when nothing is under way."""

    def __init__(self, planned: CandidateCell, baseline: Mapping[str, Draws] | None) -> None:
        """`baseline`: what is known of the other side, by case id; None: no rule asks."""
        self.planned = planned
        self._positions = {case.case_id: position for position, case in enumerate(planned.cases)}
        count = len(planned.cases)
        self.passed = array("q", [0]) * count
        """Results that passed, by the case's position."""
        self.failed = array("q", [0]) * count
        self.missing = array("q", [0]) * count
        """Results without evidence."""
        self._baseline = baseline
        self.total = 0
        """Results that came."""

    def add(self, result: ResultEvent) -> None:
        """Count one."""
        position = self._positions[result.case_id]
        if result.passed is None or not result.outcome.evidence:
            counts = self.missing
        else:
            counts = self.passed if result.passed else self.failed
        counts[position] += 1
        self.total += 1

    def done(self, position: int) -> bool:
        """Whether every result of a case has come."""
        came = self.passed[position] + self.failed[position] + self.missing[position]
        return came >= len(self.planned.cases[position].units)

    def draws(self, position: int) -> Draws:
        """What is known of the candidate."""
        return Draws(self.passed[position], self.passed[position] + self.failed[position])

    def baseline(self, position: int) -> Draws | None:
        """What is known of the baseline; None: nothing with evidence."""
        found = (self._baseline or {}).get(self.planned.cases[position].case_id)
        return found if found is not None and found.evidence else None

    def flipped(self, position: int) -> bool:
        """Passed every time in the baseline and fails every time now."""
        before = self.baseline(position)
        now = self.draws(position)
        return before is not None and not before.failed and bool(now.evidence) and not now.passed
