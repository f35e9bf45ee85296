"""The sequential test of a gate's `margin`: looks at the evidence as it comes, and stops when it is enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from llmctl.stats.curtailment import Standing, certain_outcome
from llmctl.stats.decision import Decision, DropBounds, Outcome, Remaining, StopReason, looks, whole_numbers
from llmctl.stats.gaussian_boundaries import gaussian_boundaries
from llmctl.stats.paired_score import PairedSums, largest_drop, score_z, smallest_drop
from llmctl.stats.signflip_boundaries import SignFlipBoundary, SignFlipLook
from llmctl.stats.spending import DEFAULT_SPENDING, SpendingFunction

__all__ = ["Decision", "DropBounds", "Outcome", "Remaining", "SequentialTest", "StopReason", "looks"]


class SequentialTest:
    """Two one-sided tests on paired differences, each with its own error rate, looked at together.

    FAIL: there is a drop. Exact: `SignFlipBoundary`, a false FAIL has at most probability `fail_alpha`.
    PASS: a drop of `margin` or more is excluded. `score_z` against boundaries of a normal path with the same spending:
    asymptotic, so a false PASS has about probability `alpha` at most; `benchmarks/simulate` measures it.
    Where both boundaries are crossed at one look, the drop is real and smaller than the margin: PASS, `small_drop`.

    The driver's loop::

        test = SequentialTest(planned_clusters=500, margin=0.05, schedule=looks(500, batch=32))
        for upto in test.schedule:
            ...  # run the clusters up to this number of a random order that was fixed before
            decision = test.look(differences, sizes, remaining)
            if decision.stopped:
                break

    What the driver promises: the order of the clusters is random and fixed before any result is known (stratified by
    tag is fine). Clusters that are sent ahead of their turn (`must_pass`) are fed when their turn comes. Both sides of
    a difference have the same draws: repeat r of a case counts where both sides have evidence for it. A cluster is a
    case, or all cases of a group.
    """

    def __init__(
        self,
        planned_clusters: int,
        margin: float,
        alpha: float = 0.05,
        *,
        fail_alpha: float | None = None,
        schedule: Sequence[int] | None = None,
        spend: SpendingFunction = DEFAULT_SPENDING,
    ) -> None:
        """Before the first look.

        Args:
            planned_clusters: all clusters of the cell.
            margin: the drop that is to be excluded, as a share.
            alpha: of a false PASS. With several cells the gate passes when all do: no share is needed.
            fail_alpha: of a false FAIL; alpha if None. With several cells or rules each may fail the gate: its share.
            schedule: `looks(planned_clusters)` if None; `(planned_clusters,)` for one look at everything.
            spend: of both.

        Raises:
            ValueError: a margin or an alpha outside (0, 1), or a schedule that does not rise to all clusters.
        """
        self._schedule = tuple(schedule) if schedule is not None else looks(planned_clusters)
        if self._schedule[-1:] != (planned_clusters,):
            raise ValueError(f"The last look is at all {planned_clusters} clusters, not at {self._schedule[-1:]}.")
        if not 0 < margin < 1:
            raise ValueError(f"A margin is a share between 0 and 1, not {margin}.")
        self._margin, self._alpha = margin, alpha
        self._fail_alpha = alpha if fail_alpha is None else fail_alpha
        self._fractions = tuple(at / planned_clusters for at in self._schedule)
        self._pass_at = gaussian_boundaries(self._fractions, alpha, spend)
        self._fail = SignFlipBoundary(self._fail_alpha, spend)
        self._fail_allowed = tuple(spend(fraction, self._fail_alpha) for fraction in self._fractions)
        self._differences = np.zeros(0, np.int64)
        self._sizes = np.zeros(0, np.int64)
        self._taken = 0
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
        """Take in the clusters since the last look, and decide.

        Args:
            differences: of each cluster, the candidate's passes less the baseline's. Whole numbers.
            sizes: of each cluster, its paired draws (cases times repeats, less what lacks evidence on a side). 0: none.
            remaining: the clusters still to come, where their baseline is known; lets a test end that is decided.

        Raises:
            ValueError: not the clusters that the next look takes, or a difference larger than its cluster; the test has
                stopped already.
        """
        boundary = self._take(whole_numbers(differences), whole_numbers(sizes))
        sums = PairedSums.of(self._differences, self._sizes)
        z, pass_at = score_z(sums, self._margin), self._pass_at[self._taken - 1]
        lost = -sums.total
        drop_shown = boundary.critical is not None and lost >= boundary.critical
        outcome, stopped = self._outcome(drop_shown, z >= pass_at, remaining)
        self._last = Decision(
            outcome=outcome,
            stopped=stopped,
            look=self._taken,
            looks=len(self._schedule),
            clusters=len(self._differences),
            planned=self._schedule[-1],
            margin=self._margin,
            alpha=self._alpha,
            fail_alpha=self._fail_alpha,
            drop=sums.drop,
            drop_shown=drop_shown,
            margin_excluded=z >= pass_at,
            fail_evidence=lost,
            fail_boundary=boundary.critical,
            pass_evidence=z,
            pass_boundary=pass_at,
            fail_spent=boundary.spent,
            bounds=self.bounds() if stopped else None,
        )
        return self._last

    def bounds(self) -> DropBounds | None:
        """The repeated confidence bounds of the drop now (Jennison and Turnbull 1989); None without evidence.

        All drops that the score test does not exclude at this look's boundary. They hold at whatever look the test
        stops.
        """
        sums = PairedSums.of(self._differences, self._sizes)
        if not self._taken or not sums.draws:
            return None
        z = self._pass_at[self._taken - 1]
        return DropBounds(smallest_drop(sums, z), largest_drop(sums, z))

    def _take(self, differences: np.ndarray, sizes: np.ndarray) -> SignFlipLook:
        if self._last is not None and self._last.stopped:
            raise ValueError("The test has stopped: no further look may change its verdict.")
        expected = self._schedule[self._taken] - len(self._differences)
        if not len(differences) == len(sizes) == expected:
            raise ValueError(
                f"The next look takes {expected} clusters, not {len(differences)} with {len(sizes)} sizes."
            )
        if (np.abs(differences) > sizes).any():
            raise ValueError("A cluster's difference is no larger than its number of paired draws.")
        self._differences = np.concatenate([self._differences, differences])
        self._sizes = np.concatenate([self._sizes, sizes])
        self._taken += 1
        return self._fail.look(differences, self._fractions[self._taken - 1])

    def _outcome(
        self, drop_shown: bool, margin_excluded: bool, remaining: Remaining | None
    ) -> tuple[Outcome, StopReason | None]:
        if margin_excluded:
            return Outcome.PASS, StopReason.BOUNDARY
        if drop_shown:
            return Outcome.FAIL, StopReason.BOUNDARY
        if self._taken == len(self._schedule):
            return Outcome.INCONCLUSIVE, StopReason.LAST_LOOK
        certain = certain_outcome(self._standing(), remaining) if remaining is not None else None
        return (certain, StopReason.CURTAILED) if certain else (Outcome.CONTINUE, None)

    def _standing(self) -> Standing:
        return Standing(
            differences=self._differences,
            sizes=self._sizes,
            margin=self._margin,
            fail_alpha=self._fail_alpha,
            fail_allowed_before_last=self._fail_allowed[-2],
            ahead=list(zip(self._schedule, self._pass_at, strict=True))[self._taken :],
        )
