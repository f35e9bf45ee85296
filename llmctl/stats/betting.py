"""Bank mode: would running the whole bank give the same answer? Bets on cases drawn without replacement."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from llmctl.stats.checks import Floats, Integers
from llmctl.stats.decision import Decision, DropBounds, Outcome, Remaining, StopReason, looks, whole_numbers

__all__ = ["BETS", "BankTest", "Capital"]

BETS = np.linspace(0.02, 0.95, 16)
"""Shares of the capital at stake; the capital is the mean over these gamblers."""
_BOUND_WIDTH = 1e-6
_ROUNDING = 1e-9


class Capital:
    """The capital of gamblers against "the mean of all is at most `mean`", as values come.

    Values in [0, 1] are drawn one after the other without replacement from `planned` of them. Before draw t the mean of
    what is left would be at most `m_t = (N mean - sum so far) / (N - t + 1)`; a bet of share g turns the capital into
    `prod(1 + g (y_t / m_t - 1))`, which falls on average where the statement is true. So it reaches 1 / alpha with
    probability alpha at most, at any time (Ville 1939; Waudby-Smith and Ramdas 2020, arXiv:2006.04347, section 3).
    """

    def __init__(self, planned: int, mean: float) -> None:
        """With a capital of 1, shared evenly over `BETS`."""
        self._planned, self._mean = planned, mean
        self._drawn, self._sum = 0, 0.0
        self._growth: Floats = np.zeros(len(BETS))
        self.most = 1.0
        """The most that it has been; infinite where what was drawn refutes the statement by itself."""

    def add(self, values: Floats) -> float:
        """Draw some more; the most that the capital has been by then."""
        if not len(values):
            return self.most
        before = self._sum + np.concatenate([[0.0], np.cumsum(values)[:-1]])
        left = (self._planned * self._mean - before) / (self._planned - self._drawn - np.arange(len(values)))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(left > _ROUNDING, values / left, np.where(values > _ROUNDING, np.inf, 1.0))
        ratios = np.where(left < -_ROUNDING, np.inf, ratios)
        growth = self._growth[:, None] + np.cumsum(np.log1p(BETS[:, None] * (ratios[None, :] - 1)), axis=1)
        self._growth, self._drawn, self._sum = growth[:, -1], self._drawn + len(values), self._sum + float(values.sum())
        with np.errstate(over="ignore"):
            self.most = max(self.most, float(np.exp(growth).mean(axis=0).max()))
        return self.most


class BankTest:
    """The same driver's loop as `SequentialTest`, for the question about this bank instead of cases like these.

    PASS: the drop over the whole bank is at most the margin. FAIL: it is larger. Both are bets that are valid at any
    time and whatever the answers, so a verdict before the end differs from the verdict of the whole bank with
    probability alpha at most; at the end the answer is known, so nothing but missing evidence is inconclusive. One
    answer of a case (or the answers of its repeats) is taken as the truth about it: nothing is said about new cases, or
    about new answers.

    The order must be plainly random: not stratified, and not with some cases first.
    """

    def __init__(
        self,
        sizes: ArrayLike,
        margin: float,
        alpha: float = 0.05,
        *,
        fail_alpha: float | None = None,
        schedule: Sequence[int] | None = None,
    ) -> None:
        """Before the first look.

        Args:
            sizes: of each planned cluster, its planned paired draws, in the order of the looks.
            margin: the drop that is allowed, as a share.
            alpha: of a false PASS.
            fail_alpha: of a false FAIL; alpha if None.
            schedule: `looks(len(sizes))` if None.

        Raises:
            ValueError: no cluster, a margin or an alpha outside (0, 1), or a schedule that does not rise to all
            clusters.
        """
        self._planned = whole_numbers(sizes)
        self._schedule = tuple(schedule) if schedule is not None else looks(len(self._planned))
        if self._schedule[-1:] != (len(self._planned),) or list(self._schedule) != sorted(set(self._schedule)):
            raise ValueError(f"Looks rise to all {len(self._planned)} clusters.")
        self._fail_alpha = alpha if fail_alpha is None else fail_alpha
        if not all(0 < share < 1 for share in (margin, alpha, self._fail_alpha)):
            raise ValueError(f"A margin and an alpha are shares between 0 and 1, not {margin} and {alpha}.")
        self._margin, self._alpha = margin, alpha
        self._differences = np.zeros(0, np.int64)
        self._sizes = np.zeros(0, np.int64)
        self._taken = 0
        self._against_large, self._against_small = self._gamblers(-margin), self._gamblers(margin)
        self._last: Decision | None = None

    @property
    def schedule(self) -> tuple[int, ...]:
        """Clusters that are in at each look."""
        return self._schedule

    @property
    def decision(self) -> Decision | None:
        """Of the last look; None before the first."""
        return self._last

    def look(self, differences: ArrayLike, sizes: ArrayLike, remaining: Remaining | None = None) -> Decision:
        """Take in the clusters since the last look, and decide; as `SequentialTest.look`.

        Draws without evidence count against both verdicts: as lost for PASS, as gained for FAIL.

        Raises:
            ValueError: not the clusters that the next look takes, or more draws than planned; the test has stopped
            already.
        """
        more = self._take(whole_numbers(differences), whole_numbers(sizes))
        passing = self._bet(self._against_large, 1, more)
        failing = self._bet(self._against_small, -1, more)
        outcome, stopped = self._outcome(passing >= 1 / self._alpha, failing >= 1 / self._fail_alpha, remaining)
        draws = int(self._sizes.sum())
        self._last = Decision(
            outcome=outcome,
            stopped=stopped,
            look=self._taken,
            looks=len(self._schedule),
            clusters=len(self._differences),
            planned=len(self._planned),
            margin=self._margin,
            alpha=self._alpha,
            fail_alpha=self._fail_alpha,
            drop=-int(self._differences.sum()) / draws if draws else None,
            drop_shown=outcome is Outcome.FAIL,
            margin_excluded=outcome is Outcome.PASS,
            fail_evidence=failing,
            fail_boundary=1 / self._fail_alpha,
            pass_evidence=passing,
            pass_boundary=1 / self._alpha,
            bounds=self.bounds() if stopped else None,
        )
        return self._last

    def bounds(self) -> DropBounds | None:
        """Bounds of the drop over the whole bank now, each with 1 - alpha; exact at the end. None before a look."""
        if not self._taken:
            return None
        certain, everything = self._certain(None), slice(0, None)

        def excluded(sign: int, drop: float, alpha: float) -> bool:
            """Whether "the drop is larger than this" (1), or "it is this or smaller" (-1), is refuted."""
            return self._bet(self._gamblers(-sign * drop), sign, everything) >= 1 / alpha

        at_most = _first(lambda drop: excluded(1, drop, self._alpha), certain.at_least, certain.at_most)
        at_least = -_first(lambda gain: excluded(-1, -gain, self._fail_alpha), -certain.at_most, -certain.at_least)
        return DropBounds(at_least, at_most)

    def _take(self, differences: Integers, sizes: Integers) -> slice:
        if self._last is not None and self._last.stopped:
            raise ValueError("The test has stopped: no further look may change its verdict.")
        start, end = len(self._differences), self._schedule[self._taken]
        if not len(differences) == len(sizes) == end - start:
            raise ValueError(f"The next look takes {end - start} clusters, not {len(differences)}.")
        if (np.abs(differences) > sizes).any() or (sizes > self._planned[start:end]).any():
            raise ValueError("A difference is no larger than its cluster, and a cluster no larger than planned.")
        self._differences = np.concatenate([self._differences, differences])
        self._sizes = np.concatenate([self._sizes, sizes])
        self._taken += 1
        return slice(start, end)

    def _outcome(
        self, margin_excluded: bool, drop_shown: bool, remaining: Remaining | None
    ) -> tuple[Outcome, StopReason | None]:
        certain = self._certain(remaining)
        last = self._taken == len(self._schedule)
        known = StopReason.LAST_LOOK if last else StopReason.CURTAILED
        if certain.at_most <= self._margin + _ROUNDING:
            return Outcome.PASS, known
        if certain.at_least > self._margin + _ROUNDING:
            return Outcome.FAIL, known
        if margin_excluded:
            return Outcome.PASS, StopReason.BOUNDARY
        if drop_shown:
            return Outcome.FAIL, StopReason.BOUNDARY
        return (Outcome.INCONCLUSIVE, known) if last else (Outcome.CONTINUE, None)

    def _certain(self, remaining: Remaining | None) -> DropBounds:
        """What the drop over the whole bank can still be, without any statistics."""
        ahead = self._planned[len(self._sizes) :]
        losses = int((remaining.baseline_passed if remaining is not None else ahead).sum())
        gains = int((remaining.gains if remaining is not None else ahead).sum())
        lost, missing = -int(self._differences.sum()), int(self._unknown().sum())
        total = max(1, int(self._planned.sum()))
        return DropBounds((lost - missing - gains) / total, (lost + missing + losses) / total)

    def _unknown(self) -> Integers:
        return self._planned[: len(self._sizes)] - self._sizes

    def _gamblers(self, gain: float) -> Capital:
        """Against "the sum of all differences is at most `gain` of all draws", on a scale of [0, 1] a cluster."""
        planned = len(self._planned)
        return Capital(planned, (gain * int(self._planned.sum()) / self._largest / planned + 1) / 2)

    def _bet(self, gamblers: Capital, sign: int, clusters: slice) -> float:
        """On gains (1) or losses (-1); draws without evidence count against the gamblers."""
        differences = sign * self._differences[clusters] - self._unknown()[clusters]
        return gamblers.add((differences / self._largest + 1) / 2)

    @property
    def _largest(self) -> int:
        return max(1, int(self._planned.max()))


def _first(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The smallest value between two at which a statement holds that, once true, stays true; the high one if none."""
    while high - low > _BOUND_WIDTH:
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
