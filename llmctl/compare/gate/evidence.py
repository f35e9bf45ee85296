"""What is known of each case of a cell: how many answers were planned, came, and passed; what every rule looks at."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmctl.compare.cells import Cell
from llmctl.runs.records import MetricScore, ResultEvent

if TYPE_CHECKING:
    Counts = NDArray[np.int64]
    Numbers = NDArray[np.float64]

__all__ = ["EVALUATOR_ERROR", "CellEvidence", "GateCase", "key_digest"]

EVALUATOR_ERROR = "evaluator error"
"""Beside the outcomes, why a result is no evidence: an answer came, and an evaluator with a weight broke on it."""
STALE_JUDGE = "stale judgement"
"""The verdict rests on what a judge said before it was changed."""


@dataclass(frozen=True, slots=True)
class GateCase:
    """A case as the candidate has it, without its texts."""

    case_id: str
    planned: int = 1
    """Answers that the cell is to have of it: its repeats."""
    digest: str = ""
    """Changes when its variables, its expected answer or its evaluators change."""
    group: str | None = None
    tags: tuple[str, ...] = ()
    must_pass: bool = False


class CellEvidence:
    """One side of a cell: a row of counts for each case, in the bank's order.

    It grows while results come (`add`), and can be cut down to some of its cases (`only`). A case that nobody wanted to
    be sent (`leave_out`) is not missing.
    """

    def __init__(self, cell: Cell, cases: Sequence[GateCase]) -> None:
        self.cell = cell
        self.cases = tuple(cases)
        size = len(self.cases)
        self.planned = np.fromiter((case.planned for case in self.cases), np.int64, size)
        """Answers in the whole bank."""
        self.asked = self.planned.copy()
        """Those that this gate wanted: fewer than planned where it stopped early."""
        self.evidence = np.zeros(size, np.int64)
        """Answers that an evaluator could judge."""
        self.passed = np.zeros(size, np.int64)
        self.problems: Counter[str] = Counter()
        """Why results are no evidence: their outcome, or `EVALUATOR_ERROR`."""
        self.broken: list[int] = []
        """The cases on which an evaluator broke."""
        self.unplaced = 0
        """Planned answers that never came and of which it is not known to which case they belong."""
        self.answer_case = array("q")
        """For each answer with evidence its case, in the order of the two below."""
        self.latency_ms = array("d")
        """NaN: not known."""
        self.cost_usd = array("d")
        """NaN: not known."""
        self.calls: list[str] = [""] * size
        """Digests of the call keys of each case; empty without results."""
        self.scores: list[str] = [""] * size
        """Digests of the score keys of each case."""
        self._keys: dict[int, list[tuple[str, str]]] = {}

    @cached_property
    def place(self) -> dict[str, int]:
        """Where each case stands, by its id."""
        return {case.case_id: number for number, case in enumerate(self.cases)}

    @cached_property
    def clusters(self) -> Counts:
        """For each case the number of what is independent: its group, or the case itself."""
        numbers: dict[tuple[bool, str], int] = {}
        names = ((case.group is not None, case.case_id if case.group is None else case.group) for case in self.cases)
        return np.fromiter((numbers.setdefault(name, len(numbers)) for name in names), np.int64, len(self.cases))

    @cached_property
    def must_pass(self) -> NDArray[np.bool_]:
        """Which cases must pass."""
        return np.fromiter((case.must_pass for case in self.cases), np.bool_, len(self.cases))

    @property
    def clustered(self) -> bool:
        """Whether results are not independent: cases share a group, or a case has several answers."""
        return bool(self.planned.max(initial=0) > 1) or self.cluster_count < len(self.cases)

    @property
    def cluster_count(self) -> int:
        """How many independent clusters there are."""
        return int(self.clusters.max(initial=-1)) + 1

    @property
    def missing(self) -> Counts:
        """Answers that were wanted and are no evidence, by case."""
        missing: Counts = np.maximum(self.asked - self.evidence, 0)
        return missing

    @property
    def unasked(self) -> Counts:
        """Answers that nobody wanted, by case."""
        unasked: Counts = np.maximum(self.planned - np.maximum(self.asked, self.evidence), 0)
        return unasked

    @property
    def total_missing(self) -> int:
        """Over all cases."""
        return int(self.missing.sum()) + self.unplaced

    @property
    def coverage(self) -> float | None:
        """Answers with evidence over answers wanted; None where none was."""
        wanted = int(self.asked.sum()) + self.unplaced
        return min(1.0, float(np.minimum(self.evidence, self.asked).sum()) / wanted) if wanted else None

    def leave_out(self, case_ids: Collection[str]) -> None:
        """Cases that were not sent since nothing they could say would change the verdict."""
        for case_id in case_ids:
            number = self.place.get(case_id)
            if number is not None:
                self.asked[number] = self.evidence[number]

    def ask(self, case_ids: Iterable[str]) -> None:
        """Cases that are sent now, after `leave_out`."""
        for case_id in case_ids:
            number = self.place.get(case_id)
            if number is not None:
                self.asked[number] = self.planned[number]

    def add(self, result: ResultEvent) -> None:
        """Count a result of this cell, as it comes. A case that the cell does not have is passed over."""
        number = self.place.get(result.case_id)
        if number is None:
            return
        problem = _problem(result)
        if problem is None:
            self.evidence[number] += 1
            self.passed[number] += bool(result.passed)
            self.answer_case.append(number)
            self.latency_ms.append(_known(result.latency_ms))
            self.cost_usd.append(_known(result.cost_usd))
        else:
            self.problems[problem] += 1
            if problem == EVALUATOR_ERROR:
                self.broken.append(number)
        keys = self._keys.setdefault(number, [])
        scored = " ".join(score.score_key for score in result.scores)
        keys.append((f"{result.repeat} {result.call_key}", f"{result.repeat} {scored}"))
        self.calls[number] = key_digest(call for call, _ in keys)
        self.scores[number] = key_digest(scores for _, scores in keys)

    def only(self, wanted: Callable[[GateCase], bool]) -> CellEvidence:
        """The same of some cases alone. What is not known to belong to any case is kept: it may belong to them."""
        kept = [number for number, case in enumerate(self.cases) if wanted(case)]
        part = CellEvidence(self.cell, [self.cases[number] for number in kept])
        part.asked, part.evidence, part.passed = self.asked[kept], self.evidence[kept], self.passed[kept]
        part.problems, part.unplaced = self.problems, self.unplaced
        part.calls, part.scores = [self.calls[number] for number in kept], [self.scores[number] for number in kept]
        new = {old: number for number, old in enumerate(kept)}
        part.broken = [new[number] for number in self.broken if number in new]
        for place, old in enumerate(self.answer_case):
            if old in new:
                part.answer_case.append(new[old])
                part.latency_ms.append(self.latency_ms[place])
                part.cost_usd.append(self.cost_usd[place])
        return part


def key_digest(keys: Iterable[str]) -> str:
    """A short digest of the keys of a case's results, each after its repeat, in any order."""
    return hashlib.md5("\n".join(sorted(keys)).encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()[:16]


def _problem(result: ResultEvent) -> str | None:
    """Why a result is no evidence; None where it is."""
    if not result.outcome.evidence:
        return result.outcome.value
    if result.passed is None or (result.score is not None and result.score != result.score):  # NaN is not itself
        return EVALUATOR_ERROR
    return STALE_JUDGE if any(_rests_on_old(score) for score in result.scores) else None


def _rests_on_old(score: MetricScore) -> bool:
    return score.stale and score.weight > 0


def _known(value: float | None) -> float:
    return float("nan") if value is None else value
