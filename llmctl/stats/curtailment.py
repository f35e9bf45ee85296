"""What is left cannot change the verdict: certainties about a sequential test, from the baseline alone.

A case that passed in the baseline can only lose, one that failed can only gain. So all that may still come lies between
everything lost and everything gained. Nothing here spends alpha: a test is ended only where every continuation gives it
the same verdict. Each statement is a proof, not a guess; where none is known, nothing is claimed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmctl.stats.checks import Integers
from llmctl.stats.decision import Outcome, Remaining
from llmctl.stats.paired_score import PairedSums, score_z
from llmctl.stats.signflip_boundaries import signflip_tail

__all__ = ["Standing", "certain_outcome"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a test stands after a look that decided nothing, and what it would take to decide."""

    differences: Integers
    """Of all clusters so far."""
    sizes: Integers
    margin: float
    fail_alpha: float
    fail_allowed_before_last: float
    """What may be spent on FAIL by the last look but one."""
    ahead: Sequence[tuple[int, float]]
    """The looks to come: clusters that will be in, and the boundary of the score z there."""


def certain_outcome(standing: Standing, remaining: Remaining) -> Outcome | None:
    """The verdict that every continuation gives; None where it is open."""
    fail, passing = _can_fail(standing, remaining), _can_pass(standing, remaining)
    if not fail and not passing:
        return Outcome.INCONCLUSIVE
    if not fail and _must_pass(standing, remaining):
        return Outcome.PASS
    if not passing and _must_fail(standing, remaining):
        return Outcome.FAIL
    return None


def _can_fail(standing: Standing, remaining: Remaining) -> bool:
    """Whether FAIL could be reached if everything were lost.

    At a look with allowance a, FAIL takes P(S >= s, not crossed before) <= a - spent, and the left side is at least
    P(S >= s) - spent: so P(S >= s) <= a. That tail falls with every loss added or enlarged, and a grows: if the last
    look cannot fail when everything is lost, no look can in any continuation.
    """
    losses = remaining.baseline_passed
    magnitudes = np.concatenate([standing.differences, losses])
    total = int(losses.sum()) - int(standing.differences.sum())
    if _surely_rare(magnitudes, total, standing.fail_alpha):
        return True
    return signflip_tail(magnitudes, total) <= standing.fail_alpha


def _surely_rare(magnitudes: Integers, total: int, alpha: float) -> bool:
    """Hoeffding's bound (1963, theorem 2): `P(S >= t) <= exp(-t^2 / (2 sum d^2))`. It saves the exact law early on."""
    squares = int((magnitudes**2).sum())
    return total > 0 and math.exp(-(total**2) / (2 * squares)) <= alpha


def _must_fail(standing: Standing, remaining: Remaining) -> bool:
    """Whether the last look fails even if everything is gained: its tail fits into what is left for it at least."""
    gains = remaining.gains
    tail = signflip_tail(
        np.concatenate([standing.differences, gains]), -int(gains.sum()) - int(standing.differences.sum())
    )
    return tail <= standing.fail_alpha - standing.fail_allowed_before_last


def _can_pass(standing: Standing, remaining: Remaining) -> bool:
    """Whether PASS could be reached if everything were gained.

    For single answers the statistic grows with every gain (Sidik 2003, Statistics in Medicine 22, 265-278), so the best
    continuation is looked at, look by look. For repeats and clusters that is not known to hold; there, only a drop
    that would still be observed as the margin or more excludes PASS.
    """
    best = remaining.gains
    return any(
        _passes(standing, remaining, best, clusters, boundary) for clusters, boundary in reversed(standing.ahead)
    )


def _must_pass(standing: Standing, remaining: Remaining) -> bool:
    """Whether the last look passes even if everything is lost; said for single answers only."""
    clusters, boundary = standing.ahead[-1]
    return _single(standing, remaining) and _passes(standing, remaining, -remaining.baseline_passed, clusters, boundary)


def _passes(standing: Standing, remaining: Remaining, rest: Integers, clusters: int, boundary: float) -> bool:
    more = clusters - len(standing.differences)
    sums = PairedSums.of(
        np.concatenate([standing.differences, rest[:more]]), np.concatenate([standing.sizes, remaining.sizes[:more]])
    )
    if _single(standing, remaining):
        return score_z(sums, standing.margin) >= boundary
    return sums.drop is not None and sums.drop < standing.margin


def _single(standing: Standing, remaining: Remaining) -> bool:
    return bool((standing.sizes <= 1).all() and (remaining.sizes <= 1).all())
