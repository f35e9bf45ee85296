"""Fewer calls in flight where this process is the bottleneck: they give the same rate, and honest latencies. Pure.

An answer that lies in the process before anybody reads it waits for us, not for the provider. Where that lasts more
than a few milliseconds, calls beyond it add nothing but waiting. So their number is lowered until the lag is gone or
the rate falls (another thread may hold up the loop, which fewer calls would not mend), and raised when it has vanished.
"""

from __future__ import annotations

__all__ = ["LagLimit"]

_LAG_S = 0.004
"""A mean lag up to this is let be."""
_LAG_CALLS = 3.0
"""Where one call takes long (litellm: 7 ms of CPU), the lag of so many calls is let be."""
_LEAST = 4
_ROUND_S = 0.05
_ROUND_ANSWERS = 32
"""The lag is judged over at least this time, this many answers, and as many as are in flight."""
_LARGEST_CUT = 0.75
_GROWTH = 1.15
_WORSE = 0.85
"""A rate below this share of the best one lately is worse."""
_FADE = 0.98
_HOLD_S = 1.0
"""After a cut that cost rate there is no other for this time."""


class LagLimit:
    """How many calls may be in flight, up to `most`, as far as this process goes."""

    def __init__(self, most: int) -> None:
        self.limit = float(most)
        self._most = float(most)
        self._began_at = 0.0
        self._answers = 0
        self._lag_s = 0.0
        self._took_s = 0.0
        self._best_rate = 0.0
        self._cut_from: float | None = None
        """The limit before the last cut, while it is not known what that did to the rate."""
        self._hold_until = float("-inf")

    def answered(self, now: float, lag_s: float, took_s: float, in_flight: int) -> None:
        """An answer that the provider took `took_s` for was read `lag_s` after it had come."""
        if not self._answers:
            self._began_at, self._lag_s, self._took_s = now, 0.0, 0.0
        self._answers += 1
        self._lag_s += lag_s
        self._took_s += took_s
        time_s = now - self._began_at
        if time_s >= _ROUND_S and self._answers >= max(in_flight, _ROUND_ANSWERS):
            self._judge(now, time_s, in_flight)
            self._answers = 0

    def _judge(self, now: float, time_s: float, in_flight: int) -> None:
        rate, lag_s = self._answers / time_s, self._lag_s / self._answers
        self._best_rate = max(rate, self._best_rate * _FADE)
        allowed_s = max(_LAG_S, _LAG_CALLS / rate)
        cut_from, self._cut_from = self._cut_from, None
        if cut_from is not None and rate < _WORSE * self._best_rate:
            self.limit, self._hold_until = cut_from, now + _HOLD_S
        elif lag_s < allowed_s / 2 and in_flight >= int(self.limit) - 1:
            self.limit = min(self._most, max(self.limit + 1, self.limit * _GROWTH))
        elif lag_s > allowed_s and now >= self._hold_until:
            # By Little's law (1961) so many are with the provider at this rate; the others lie here.
            useful = rate * (self._took_s / self._answers + allowed_s)
            fewer = max(float(_LEAST), min(self.limit, in_flight) * _LARGEST_CUT, useful)
            if fewer < self.limit:
                self._cut_from, self.limit = self.limit, fewer
