"""What a test that is driven look by look says, and when it looks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from llmctl.stats.checks import Integers

__all__ = ["Decision", "DropBounds", "Outcome", "Remaining", "StopReason", "looks", "whole_numbers"]

_MOST_LOOKS = 100


class Outcome(StrEnum):
    """Of one look."""

    CONTINUE = "continue"
    FAIL = "fail"
    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    """Neither boundary was crossed, and none can be any more."""


class StopReason(StrEnum):
    """Why no further look is taken."""

    BOUNDARY = "boundary"
    """The evidence crossed it."""
    CURTAILED = "curtailed"
    """What is left cannot change the verdict."""
    LAST_LOOK = "last look"
    """Everything planned is in, and decided nothing."""


@dataclass(frozen=True, slots=True)
class DropBounds:
    """Bounds of the true drop, as shares, valid wherever the test stopped; each alone holds with 1 - alpha."""

    at_least: float
    """Negative where a gain cannot be excluded."""
    at_most: float
    """`no drop larger than this`; negative where even the least is a gain."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict of a look, with the evidence for and against it."""

    outcome: Outcome
    stopped: StopReason | None
    """None while the outcome is CONTINUE."""
    look: int
    """Looks taken so far, this one counted."""
    looks: int
    """Looks planned."""
    clusters: int
    """Clusters run so far, those without evidence counted."""
    planned: int
    """Clusters planned."""
    margin: float
    alpha: float
    """The bound on a false PASS."""
    fail_alpha: float
    """The bound on a false FAIL."""
    drop: float | None
    """As observed so far, as a share of paired draws: negative for a gain; None without any evidence."""
    drop_shown: bool
    """The FAIL boundary is crossed: there is a drop."""
    margin_excluded: bool
    """The PASS boundary is crossed: the drop is smaller than the margin."""
    fail_evidence: float
    """Sign-flip: passes lost less passes gained. Betting: the capital against `drop <= margin`."""
    fail_boundary: float | None
    """What `fail_evidence` has to reach at this look; None: no evidence could, so early."""
    pass_evidence: float
    """The score z of `drop = margin`; betting: the capital against `drop > margin`."""
    pass_boundary: float
    """What `pass_evidence` has to reach at this look."""
    fail_spent: float = 0.0
    """The probability of a false FAIL that the looks so far have used; betting spends nothing: 0."""
    bounds: DropBounds | None = None
    """At a stop; None before it, and where there is no evidence."""

    @property
    def fraction(self) -> float:
        """The share of the planned clusters that was run."""
        return self.clusters / self.planned

    @property
    def small_drop(self) -> bool:
        """PASS, with a drop that is real and smaller than the margin."""
        return self.outcome is Outcome.PASS and self.drop_shown

    @property
    def early(self) -> bool:
        """Stopped with clusters unsent."""
        return self.stopped is not None and self.clusters < self.planned


@dataclass(frozen=True, slots=True)
class Remaining:
    """The clusters not yet run, whose baseline is known: what passed can only be lost, what failed only gained."""

    baseline_passed: Integers
    """Draws that passed in the baseline, one number for each cluster, in the order of the looks."""
    sizes: Integers
    """Paired draws of each: cases times repeats."""

    @classmethod
    def of(cls, baseline_passed: ArrayLike, sizes: ArrayLike) -> Remaining:
        """From anything like an array.

        Raises:
            ValueError: more passes than draws, or not whole numbers.
        """
        passed, draws = whole_numbers(baseline_passed), whole_numbers(sizes)
        if passed.shape != draws.shape or (passed < 0).any() or (passed > draws).any():
            raise ValueError("Of each remaining cluster, between none and all of its draws passed in the baseline.")
        return cls(passed, draws)

    @property
    def gains(self) -> Integers:
        """The most that each cluster can gain."""
        return self.sizes - self.baseline_passed


def looks(clusters: int, *, batch: int = 1, first: int = 50, every: int = 25) -> tuple[int, ...]:
    """After how many clusters a test looks; fixed before anything is known of the results.

    The first look comes at `first` clusters, or at half of a bank of fewer than twice as many: before that, the
    boundaries are so strict that hardly any evidence could cross them. Then every `every` clusters, in large banks so
    much more seldom that there are at most 100 looks. No step is shorter than `batch`, since calls in flight are paid
    for: pass the concurrency divided by the calls of a cluster. The last look is at all clusters, and takes in a rest
    of less than half a step.

    Raises:
        ValueError: numbers that are not positive.
    """
    if min(clusters, batch, first, every) < 1:
        raise ValueError("Clusters, batch and steps are 1 or more.")
    step = max(every, batch, math.ceil(clusters / _MOST_LOOKS))
    start = max(min(first, math.ceil(clusters / 2)), batch)
    return (*(at for at in range(start, clusters, step) if 2 * (clusters - at) >= min(step, start)), clusters)


def whole_numbers(values: ArrayLike | Sequence[int]) -> Integers:
    """The values as an array of integers in one row.

    Raises:
        ValueError: values that are no whole numbers.
    """
    array = np.asarray(values).ravel()
    if array.dtype.kind in "iu":
        return array.astype(np.int64, copy=False)
    if array.size and not (np.isfinite(array).all() and np.array_equal(array, np.round(array))):
        raise ValueError("Differences and sizes are whole numbers: passes are counted, and scores put on a grid first.")
    return array.astype(np.int64)
