"""One watch for each rule of a cell: whether the rule is decided by what has come, and which cases it still needs.

A watch decides only what no further result could undo. The verdict itself is written by the rules when the run is over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from llmctl.compare.gate.evidence import CellEvidence
from llmctl.compare.gate.pairs import Pairs
from llmctl.compare.verdict import Verdict
from llmctl.runs.records import ResultEvent

__all__ = ["Counts", "FixedWatch", "MustPassWatch", "RateWatch", "Watch"]


class Counts:
    """The results of one cell as they come, beside its baseline."""

    def __init__(self, evidence: CellEvidence, baseline: CellEvidence | None) -> None:
        """`evidence`: empty yet; `baseline`: None where there is none."""
        self.evidence = evidence
        self.pairs = Pairs(evidence, baseline) if baseline is not None else None
        self.came = np.zeros(len(evidence.cases), np.int64)
        """Results of each case, those without evidence too."""

    def take(self, result: ResultEvent) -> None:
        """Count a result."""
        self.evidence.add(result)
        self.came[self.evidence.place[result.case_id]] += 1

    def done(self, position: int) -> bool:
        """Whether every result of a case has come."""
        return bool(self.came[position] >= self.evidence.planned[position])


class Watch(ABC):
    """Looks at a cell between two stages."""

    def __init__(self, members: Sequence[int]) -> None:
        """`members`: positions of the cases that the rule is about."""
        self.members = frozenset(members)
        self.verdict: Verdict | None = None
        """None: not decided yet."""

    @abstractmethod
    def look(self, counts: Counts) -> None:
        """Decide, where what has come is enough."""

    def needs(self, position: int) -> bool:
        """Whether a case that was not sent could still matter to the rule."""
        return self.verdict is None and position in self.members


class MustPassWatch(Watch):
    """A `must_pass` case that fails once is a FAIL; those cases are sent first."""

    def look(self, counts: Counts) -> None:
        """FAIL at the first that fails; a PASS is for the end to say."""
        evidence = counts.evidence
        if any(evidence.passed[position] < evidence.evidence[position] for position in self.members):
            self.verdict = Verdict.FAIL


class RateWatch(Watch):
    """`min_pass_rate` as observed: decided when what is left, all passing or all failing, cannot change it."""

    def __init__(self, rate: float, members: Sequence[int]) -> None:
        super().__init__(members)
        self.rate = rate
        self._positions = np.asarray(members, np.int64)

    def look(self, counts: Counts) -> None:
        """Compare the worst and the best that the whole can come to; a result without evidence may be either."""
        evidence = counts.evidence
        planned = int(evidence.planned[self._positions].sum())
        passed = int(evidence.passed[self._positions].sum())
        failed = int(evidence.evidence[self._positions].sum()) - passed
        if passed >= self.rate * planned:
            self.verdict = Verdict.PASS
        elif planned - failed < self.rate * planned:
            self.verdict = Verdict.FAIL


class FixedWatch(Watch):
    """A rule that says nothing before all of its cases are in, such as a rate with a confidence."""

    def look(self, counts: Counts) -> None:
        """Nothing is certain before the end."""
