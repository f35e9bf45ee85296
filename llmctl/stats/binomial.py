"""Exact and Bayesian bounds of a pass rate: Clopper and Pearson, nothing failed, a beta prior."""

from __future__ import annotations

import math

from llmctl.stats.distributions import beta_quantile
from llmctl.stats.intervals import Interval

__all__ = ["beta_credible", "clopper_pearson", "no_failure_bound"]


def clopper_pearson(passed: int, total: int, confidence: float = 0.95) -> Interval | None:
    """The exact interval of a share, never narrower than promised; None where nothing was counted.

    Clopper and Pearson (1934), The use of confidence or fiducial limits illustrated in the case of the binomial,
    Biometrika 26, 404-413. One bound alone at confidence c: the same at 2c - 1.

    Raises:
        ValueError: counts that are none, or a confidence outside (0, 1).
    """
    tail = _tail(passed, total, confidence)
    if total == 0:
        return None
    low = 0.0 if passed == 0 else beta_quantile(tail, passed, total - passed + 1)
    high = 1.0 if passed == total else beta_quantile(1 - tail, passed + 1, total - passed)
    return Interval(low, high)


def no_failure_bound(total: int, confidence: float = 0.95) -> float | None:
    """The highest failure rate that is plausible after `total` results without any failure: 9.5 % after 30.

    One-sided and exact, 1 - (1 - confidence)^(1/n): Hanley and Lippman-Hand (1983), If nothing goes wrong, is
    everything all right?, JAMA 249, 1743-1745; roughly 3/n at 95 %. None where there is no result.

    Raises:
        ValueError: a count below 0, or a confidence outside (0, 1).
    """
    _tail(0, total, confidence)
    return -math.expm1(math.log1p(-confidence) / total) if total else None


def beta_credible(
    passed: int, total: int, confidence: float = 0.95, prior: tuple[float, float] = (1.0, 1.0)
) -> Interval:
    """The equal-tailed credible interval of a rate with a beta prior; the prior's own where nothing was counted.

    The uniform prior (1, 1) is Bayes' (1763), (1/2, 1/2) is Jeffreys'. Equal tails always: the lower bound is above 0
    also where nothing passed.

    Raises:
        ValueError: counts that are none, a confidence outside (0, 1), or a prior that is not above 0.
    """
    tail = _tail(passed, total, confidence)
    if not min(prior) > 0:
        raise ValueError(f"both parameters of a beta prior are above 0, not {prior}")
    a, b = passed + prior[0], total - passed + prior[1]
    return Interval(beta_quantile(tail, a, b), beta_quantile(1 - tail, a, b))


def _tail(passed: int, total: int, confidence: float) -> float:
    if not 0 <= passed <= total:
        raise ValueError(f"{passed} passed of {total} is no count")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not {confidence}")
    return (1 - confidence) / 2
