"""`max_new_failures`: a flipped case is asked again on both sides until chance is no explanation for it.

A case is *confirmed* as newly broken when its first k draws of the baseline all pass and its first k draws of the
candidate all fail. Nothing else confirms it, and the first contradiction (a draw of the baseline that fails, one of the
candidate that passes) clears it for good.

The bound on false alarms. Take a case that the change did not make worse: it passes with probability p in the baseline
and with q >= p in the candidate, whatever p is, and its draws are independent. Then

    P(confirmed) = p^k (1 - q)^k <= (p (1 - p))^k <= (1/4)^k = 4^-k,

since p (1 - p) is largest at 1/2. The event is about the *first k draws of each side*, in the order in which they were
made; draws that were stored long ago are among them like all others, and stopping early can only take confirmations
away. Over `cases` cases (all that could have flipped, in all cells, not those that did), the union bound gives
`P(any false confirmation) <= cases * 4^-k`, which is at most alpha for the k of `draws_needed`. It needs no
independence between cases.

With N failures allowed the verdict is FAIL when more than N cases are confirmed. While at most N cases are really
worse, that takes at least one false confirmation, so the same bound holds, for every N.

What it does not promise: a broken case that still passes now and then is called broken only with
`detection_probability`; and a stored baseline that was chosen because it passed is no independent draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "Ask",
    "CaseDraws",
    "CaseStatus",
    "Confirmation",
    "NewFailures",
    "chance_of_failing",
    "detection_probability",
    "draws_needed",
    "false_alarm_bound",
]


class CaseStatus(StrEnum):
    """What is known of one case."""

    CONFIRMED = "confirmed"
    CLEARED = "cleared"
    """It contradicted: it is no new failure, whatever comes."""
    OPEN = "open"
    """More draws are needed."""


@dataclass(frozen=True, slots=True)
class CaseDraws:
    """The draws with evidence of one case so far; cached copies of one draw count once."""

    baseline_passed: int = 0
    baseline_failed: int = 0
    candidate_passed: int = 0
    candidate_failed: int = 0

    @property
    def flipped(self) -> bool:
        """Passed every time in the baseline and fails every time now, at least once each."""
        return bool(self.baseline_passed and self.candidate_failed) and not self.contradicted

    @property
    def contradicted(self) -> bool:
        """A draw of the baseline failed, or one of the candidate passed."""
        return bool(self.baseline_failed or self.candidate_passed)


@dataclass(frozen=True, slots=True)
class Ask:
    """How many more draws of a case to make now, on each side."""

    baseline: int
    candidate: int

    def __bool__(self) -> bool:
        return bool(self.baseline or self.candidate)


@dataclass(frozen=True, slots=True)
class NewFailures:
    """Where the rule stands over all cases."""

    confirmed: int
    cleared: int
    open: int
    allowed: int

    @property
    def failed(self) -> bool:
        """FAIL for certain: no case that is still open can undo it."""
        return self.confirmed > self.allowed

    @property
    def passed(self) -> bool:
        """PASS for certain: also if all open cases were confirmed. With allowed failures it may need no draw at all."""
        return self.confirmed + self.open <= self.allowed

    @property
    def decided(self) -> bool:
        """Whether asking again could change nothing."""
        return self.failed or self.passed


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The rule for one bank of cases: `Confirmation(draws_needed(300, 0.05), allowed=0)`.

    The gate's loop: `standing(draws of every case)`; while not `decided`, make `ask(case)` more draws of every open
    case and look again.
    """

    draws: int
    """k: draws a side that a confirmation takes, the first one counted."""
    allowed: int = 0

    def __post_init__(self) -> None:
        if self.draws < 1 or self.allowed < 0:
            raise ValueError(f"{self.draws} draws with {self.allowed} failures allowed is no rule.")

    def status(self, case: CaseDraws) -> CaseStatus:
        """Of one case."""
        if case.contradicted:
            return CaseStatus.CLEARED
        if min(case.baseline_passed, case.candidate_failed) >= self.draws:
            return CaseStatus.CONFIRMED
        return CaseStatus.OPEN

    def ask(self, case: CaseDraws) -> Ask:
        """The next draws of a case: as many as it has, up to k a side; none when it is confirmed or cleared.

        Doubling takes log2(k) rounds instead of k, and a coin flip still costs about three draws.
        """
        if self.status(case) is not CaseStatus.OPEN:
            return Ask(0, 0)
        return Ask(self._more(case.baseline_passed), self._more(case.candidate_failed))

    def standing(self, cases: Iterable[CaseDraws]) -> NewFailures:
        """Over all cases that flipped; a case without a draw on a side is open."""
        counts = dict.fromkeys(CaseStatus, 0)
        for case in cases:
            counts[self.status(case)] += 1
        return NewFailures(
            counts[CaseStatus.CONFIRMED], counts[CaseStatus.CLEARED], counts[CaseStatus.OPEN], self.allowed
        )

    def _more(self, made: int) -> int:
        return max(0, min(max(made, 1), self.draws - made))


def draws_needed(cases: int, alpha: float = 0.05, cells: int = 1) -> int:
    """The smallest k with `cases * cells * 4^-k <= alpha`.

    Args:
        cases: all cases of a cell that the rule covers, flipped or not; with cells of different sizes, their sum.
        alpha: the bound on false alarms of the whole gate.
        cells: how many cells of so many cases share alpha.

    Raises:
        ValueError: no case, no cell, or alpha outside (0, 1).
    """
    _check(cases, cells)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, not {alpha}.")
    draws = max(1, math.floor(math.log(cases * cells / alpha, 4)))
    while false_alarm_bound(cases, draws, cells) > alpha:
        draws += 1
    return draws


def false_alarm_bound(cases: int, draws: int, cells: int = 1) -> float:
    """`min(1, cases * cells * 4^-draws)`: at most so often an unchanged version fails the rule."""
    _check(cases, cells)
    return min(1.0, cases * cells * 4.0**-draws)


def detection_probability(draws: int, *, baseline_pass: float = 1.0, candidate_pass: float = 0.0) -> float:
    """The chance that one worsened case is confirmed: `baseline_pass^k (1 - candidate_pass)^k`.

    A case that always passed and never passes now is always found; one that fails in 90 % of draws, at k = 6, in 53 %.

    Raises:
        ValueError: a probability outside [0, 1].
    """
    for share in (baseline_pass, candidate_pass):
        if not 0 <= share <= 1:
            raise ValueError(f"A probability lies in [0, 1], not {share}.")
    return float((baseline_pass * (1 - candidate_pass)) ** draws)


def chance_of_failing(detections: Sequence[float], allowed: int = 0) -> float:
    """The chance that more than `allowed` of some broken cases are confirmed, each with its own chance, independently.

    The upper tail of the Poisson-binomial distribution.
    """
    counts = [1.0]
    for chance in detections:
        counts = [
            (counts[i] if i < len(counts) else 0.0) * (1 - chance) + (counts[i - 1] * chance if i else 0.0)
            for i in range(len(counts) + 1)
        ]
    return math.fsum(counts[allowed + 1 :])


def _check(cases: int, cells: int) -> None:
    if cases < 1 or cells < 1:
        raise ValueError(f"{cases} cases in {cells} cells can raise no alarm.")
