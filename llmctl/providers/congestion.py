"""How many calls of one model may be in flight: fewer when it refuses, more again after. Pure.

Additive increase and multiplicative decrease (Chiu and Jain, 1989) with a quick start, as TCP has it.
"""

from __future__ import annotations

__all__ = ["Congestion"]

_START = 32
"""In flight at the start; a smaller `concurrency` is reached at once."""
_QUICK_STEP_S = 0.1
_QUICK_GROWTH = 1.25
"""While nothing was refused yet, the limit grows by a quarter in such a time, and by a half for each answer."""
_SLOW_STEP_S = 1.0
_SLOW_STEPS = 20
"""After a refusal the limit grows by one in so many parts of the greatest number in such a time."""
_CUT = 0.7


class Congestion:
    """The number of calls that may be in flight, up to `most`."""

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._limit = float(min(most, _START))
        self._quick = True
        self._grown_at: float | None = None
        self._cut_at = float("-inf")

    @property
    def limit(self) -> int:
        """How many may be in flight now, at least 1."""
        return max(1, int(self._limit))

    def grow(self, now: float) -> float:
        """Called while somebody waits for a place: grow if it is time. Seconds until it is time again."""
        if self._grown_at is None:
            self._grown_at = now
        step_s = _QUICK_STEP_S if self._quick else _SLOW_STEP_S
        while self._limit < self._most and now - self._grown_at >= step_s:
            self._grown_at += step_s
            self._more(self._limit * (_QUICK_GROWTH - 1) if self._quick else self._most / _SLOW_STEPS)
        return self._grown_at + step_s - now if self._limit < self._most else float("inf")

    def refused(self, now: float, entered_at: float, in_flight: int) -> None:
        """The provider is overrun. Calls that were in flight at the last cut tell nothing new."""
        if entered_at <= self._cut_at:
            return
        self._quick = False
        self._cut_at = self._grown_at = now
        self._limit = max(1.0, min(self._limit, float(in_flight)) * _CUT)

    def answered(self) -> None:
        """The provider answered."""
        if self._quick and self._limit < self._most:
            self._more(0.5)

    def _more(self, places: float) -> None:
        self._limit = min(self._most, self._limit + places)
