"""The difference of two rates that were counted apart: on other calls, by other people."""

from __future__ import annotations

import math

from llmctl.stats.intervals import Interval, wilson

__all__ = ["newcombe_difference"]


def newcombe_difference(
    passed_before: int, before: int, passed_after: int, after: int, confidence: float = 0.95
) -> Interval | None:
    """Newcombe's interval of the rate after minus the rate before, in [-1, 1]; None where a side has no count.

    Newcombe (1998), Interval estimation for the difference between independent proportions: comparison of eleven
    methods, Statistics in Medicine 17, 873-890, method 10: the square-and-add of Wilson's limits of both rates.

    Raises:
        ValueError: counts that are none, or a confidence outside (0, 1).
    """
    old, new = wilson(passed_before, before, confidence), wilson(passed_after, after, confidence)
    if old is None or new is None:
        return None
    rate_old, rate_new = passed_before / before, passed_after / after
    difference = rate_new - rate_old
    down = math.hypot(rate_new - new.low, old.high - rate_old)
    up = math.hypot(new.high - rate_new, rate_old - old.low)
    return Interval(max(-1.0, difference - down), min(1.0, difference + up))
