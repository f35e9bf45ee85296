"""The median of measured values, and how sure it is, whatever they are distributed like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from llmctl.stats.distributions import binomial_half_cdf
from llmctl.stats.intervals import Interval

__all__ = ["MedianEstimate", "estimate_median"]


@dataclass(frozen=True, slots=True)
class MedianEstimate:
    """A median, and its interval; None: there are too few values for one."""

    median: float
    interval: Interval | None
    count: int


def estimate_median(values: Sequence[float], confidence: float = 0.95) -> MedianEstimate | None:
    """The middle value, with the distribution-free interval between two order statistics; None where there is none.

    Conover (1999), Practical nonparametric statistics, 3.2: the k-th smallest and the k-th largest value, for the
    largest k with P(B < k) <= (1 - confidence) / 2, B binomial of n and one half. It holds the true median at least as
    often as said, with ties too. Below 6 values there is none at 0.95.

    Raises:
        ValueError: a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not {confidence}")
    if not values:
        return None
    ordered = sorted(values)
    rank = _rank(len(ordered), (1 - confidence) / 2)
    interval = Interval(ordered[rank - 1], ordered[-rank]) if rank else None
    return MedianEstimate(median(ordered), interval, len(ordered))


def _rank(count: int, tail: float) -> int:
    """The largest k with P(B <= k - 1) <= tail; 0: there is none."""
    low, high = 0, count // 2
    while low < high:
        middle = (low + high + 1) // 2
        if binomial_half_cdf(middle - 1, count) <= tail:
            low = middle
        else:
            high = middle - 1
    return low
