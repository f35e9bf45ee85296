"""The candidate's cases beside the baseline's, paired; a case that is not the same any more is set apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmctl.compare.gate.evidence import CellEvidence, GateCase
from llmctl.stats.paired_score import PairedSums

if TYPE_CHECKING:
    Counts = NDArray[np.int64]
    Flags = NDArray[np.bool_]

__all__ = ["Pairs"]


class Pairs:
    """Two sides of one cell. Every row has a place for each case of the candidate, in its order."""

    def __init__(self, candidate: CellEvidence, baseline: CellEvidence) -> None:
        self.candidate = candidate
        self.baseline = baseline
        there = [baseline.place.get(case.case_id, -1) for case in candidate.cases]
        same = [
            place >= 0 and _same(case, baseline.cases[place])
            for case, place in zip(candidate.cases, there, strict=True)
        ]
        self.changed = sum(place >= 0 and not kept for place, kept in zip(there, same, strict=True))
        """Cases that the baseline has with other variables, another expected answer or other evaluators."""
        self.absent = there.count(-1)
        """Cases that the baseline does not have."""
        self._where = np.fromiter(
            (place if kept else -1 for place, kept in zip(there, same, strict=True)), np.int64, len(there)
        )

    def only(self, wanted: Callable[[GateCase], bool]) -> Pairs:
        """The same of some cases alone."""
        return Pairs(self.candidate.only(wanted), self.baseline)

    @cached_property
    def evidence_before(self) -> Counts:
        """The baseline's answers with evidence."""
        return self._taken(self.baseline.evidence)

    @cached_property
    def passed_before(self) -> Counts:
        """Those among them that passed."""
        return self._taken(self.baseline.passed)

    @cached_property
    def paired(self) -> Flags:
        """Cases with evidence on both sides."""
        return (self.evidence_before > 0) & (self.candidate.evidence > 0)

    @property
    def count(self) -> int:
        """How many cases are paired."""
        return int(np.count_nonzero(self.paired))

    @cached_property
    def unpaired(self) -> Flags:
        """Cases that were asked of the candidate and lack evidence on a side."""
        return (self.candidate.asked > 0) & ~self.paired

    @property
    def coverage(self) -> float | None:
        """Pairs over the cases that were asked; None where none was."""
        asked = int(np.count_nonzero(self.candidate.asked > 0))
        return self.count / asked if asked else None

    @cached_property
    def flipped(self) -> Flags:
        """Cases that passed every time in the baseline and fail every time now."""
        flipped: Flags = self.paired & (self.passed_before == self.evidence_before) & (self.candidate.passed == 0)
        return flipped

    @cached_property
    def identical(self) -> bool:
        """Whether every case that was asked has the same calls and the same scores on both sides."""
        asked = np.flatnonzero(self.candidate.asked > 0)
        return bool(len(asked)) and bool(self.paired[asked].all()) and all(map(self._is_identical, asked.tolist()))

    @property
    def clustered(self) -> bool:
        """Whether pairs are not independent, or hold more than one answer a side."""
        several = bool(self.evidence_before.max(initial=0) > 1) or bool(self.candidate.evidence.max(initial=0) > 1)
        return several or self.candidate.cluster_count < len(self.candidate.cases)

    @property
    def losses(self) -> int:
        """Pairs of single answers that passed before and fail now."""
        return int(np.count_nonzero(self.paired & (self.difference < 0)))

    @property
    def gains(self) -> int:
        """Pairs of single answers that failed before and pass now."""
        return int(np.count_nonzero(self.paired & (self.difference > 0)))

    @cached_property
    def difference(self) -> NDArray[np.float64]:
        """Of the share of answers that passed, candidate less baseline; 0 where there is no pair."""
        both = self.paired
        after = self.candidate.passed / np.maximum(self.candidate.evidence, 1)
        before = self.passed_before / np.maximum(self.evidence_before, 1)
        return np.where(both, after - before, 0.0)

    @cached_property
    def sums(self) -> PairedSums:
        """Differences of the clusters, in whole numbers.

        Where sides or cases have different numbers of answers, shares are put on a common grid, so that every case
        weighs the same.
        """
        sizes = np.concatenate([self.candidate.evidence[self.paired], self.evidence_before[self.paired]])
        grid = math.lcm(*np.unique(sizes).tolist()) if len(sizes) else 1
        clusters, count = self.candidate.clusters, self.candidate.cluster_count
        differences = np.rint(np.bincount(clusters, self.difference * grid, count)).astype(np.int64)
        return PairedSums.of(differences, np.bincount(clusters, self.paired * grid, count).astype(np.int64))

    @property
    def discordance(self) -> float:
        """The mean square of the clusters' differences: of single answers, the share of pairs that differ."""
        sums = self.sums
        squares = (
            count * (value / size) ** 2
            for value, size, count in zip(sums.differences, sums.sizes, sums.counts, strict=True)
        )
        return math.fsum(squares) / sums.clusters if sums.clusters else 0.0

    def _taken(self, counts: Counts) -> Counts:
        if not len(counts):
            return np.zeros(len(self._where), np.int64)
        return np.where(self._where >= 0, counts[self._where], 0)

    def _is_identical(self, number: int) -> bool:
        place = int(self._where[number])
        now, before = self.candidate, self.baseline
        return (
            bool(now.calls[number])
            and now.calls[number] == before.calls[place]
            and now.scores[number] == before.scores[place]
            and bool(now.evidence[number] == now.planned[number])
        )


def _same(case: GateCase, before: GateCase) -> bool:
    """An empty digest is one that is not known: nothing says that the case changed."""
    return not case.digest or not before.digest or case.digest == before.digest
