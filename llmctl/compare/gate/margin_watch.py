"""Drives the sequential test of a cell's `margin`: feeds it cluster by cluster, in the order fixed beforehand."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from llmctl.compare.gate.order import Cluster
from llmctl.compare.gate.watches import Counts, Watch
from llmctl.compare.verdict import Verdict
from llmctl.stats.decision import Decision, Outcome, Remaining

__all__ = ["MarginTest", "MarginWatch"]

_VERDICTS = {
    Outcome.FAIL: Verdict.FAIL,
    Outcome.PASS: Verdict.PASS,
    Outcome.INCONCLUSIVE: Verdict.INCONCLUSIVE,
}


class MarginTest(Protocol):
    """A test that looks at paired differences as they come (`llmctl.stats.sequential`, `llmctl.stats.betting`)."""

    @property
    def schedule(self) -> tuple[int, ...]:
        """Clusters that are in at each look."""

    def look(self, differences: Sequence[int], sizes: Sequence[int], remaining: Remaining | None = None) -> Decision:
        """Take in the clusters since the last look."""


@dataclass(frozen=True, slots=True)
class _Difference:
    """Of one cluster: passes gained less passes lost, over so many paired draws."""

    value: int
    size: int


class MarginWatch(Watch):
    """Needs every case of the order up to the next look."""

    def __init__(self, test: MarginTest, clusters: Sequence[Cluster], seed: str) -> None:
        """`clusters`: in the order of the looks; `seed`: of draws that are left out where one side has more."""
        super().__init__([position for cluster in clusters for position in cluster])
        self.test = test
        self.clusters = clusters
        self.decision: Decision | None = None
        self._seed = seed
        self._fed = 0
        self._look = 0

    @property
    def upto(self) -> int:
        """How many clusters the next look takes; 0 where there is no further one."""
        return 0 if self.verdict is not None else self.test.schedule[self._look]

    def look(self, counts: Counts) -> None:
        """Take every look whose clusters are in."""
        while self.verdict is None:
            new = self.clusters[self._fed : self.test.schedule[self._look]]
            if not all(counts.done(position) for cluster in new for position in cluster):
                return
            self._feed(counts, new)

    def _feed(self, counts: Counts, new: Sequence[Cluster]) -> None:
        differences = [self._difference(counts, cluster) for cluster in new]
        self._fed += len(new)
        self._look += 1
        remaining = self._remaining(counts) if self._look < len(self.test.schedule) else None
        self.decision = self.test.look([one.value for one in differences], [one.size for one in differences], remaining)
        if self.decision.stopped is not None:
            self.verdict = _VERDICTS[self.decision.outcome]

    def _difference(self, counts: Counts, cluster: Cluster) -> _Difference:
        """Of as many draws on each side as both have; what one has more is left out at random.

        A side's share of three draws and the other's single draw do not vary alike, so the sign of their difference
        would be no fair coin.
        """
        value = size = 0
        for position in cluster:
            before, now = self._before(counts, position), counts.evidence
            both = min(before.size, int(now.evidence[position]))
            name = f"{self._seed}:{now.cases[position].case_id}"
            passed_now = _drawn(int(now.passed[position]), int(now.evidence[position]), both, f"now:{name}")
            value += passed_now - _drawn(before.value, before.size, both, f"before:{name}")
            size += both
        return _Difference(value, size)

    def _before(self, counts: Counts, position: int) -> _Difference:
        """The baseline's passes among at most as many draws as the candidate is to have."""
        if counts.pairs is None:
            return _Difference(0, 0)
        passed, made = int(counts.pairs.passed_before[position]), int(counts.pairs.evidence_before[position])
        wanted = min(made, int(counts.evidence.planned[position]))
        name = f"planned:{self._seed}:{counts.evidence.cases[position].case_id}"
        return _Difference(_drawn(passed, made, wanted, name), wanted)

    def _remaining(self, counts: Counts) -> Remaining | None:
        """What is still to come, where all of its baseline is known."""
        passed, sizes = [], []
        for cluster in self.clusters[self._fed :]:
            before = [self._before(counts, position) for position in cluster]
            if any(one.size < counts.evidence.planned[position] for one, position in zip(before, cluster, strict=True)):
                return None
            passed.append(sum(one.value for one in before))
            sizes.append(sum(one.size for one in before))
        return Remaining.of(passed, sizes)


def _drawn(passed: int, made: int, wanted: int, seed: str) -> int:
    """How many of `wanted` draws passed, taken at random out of `made`."""
    if wanted >= made or passed in (0, made):
        return min(passed, wanted)
    draws = [True] * passed + [False] * (made - passed)
    return sum(random.Random(seed).sample(draws, wanted))
