"""An even pace: so much a second, without the burst of a whole minute at the start. Pure.

This is the generic cell rate algorithm (ITU-T I.371, 1993; a leaky bucket that keeps one number): what is taken moves
the time at which the next is due, and the next may come `early_s` before it is due, so that a late timer loses nothing.
What was taken and then not used is given to those who come next.
"""

from __future__ import annotations

__all__ = ["Pace"]

_CREDIT_S = 1.0
"""What was given back is kept up to so much time's worth: a minute without calls must not end in a burst."""


class Pace:
    """The pace of requests, or of tokens. Times are seconds on any monotonic clock."""

    def __init__(self, per_second: float, *, early_s: float = 0.0) -> None:
        self.per_second = per_second
        self._early_s = early_s
        self._due_at = float("-inf")
        self._credit_s = 0.0

    def wait_s(self, now: float) -> float:
        """How long the next has to wait; 0 or less: not at all."""
        return self._due_at - self._credit_s - self._early_s - now

    def take(self, now: float, amount: float = 1.0) -> None:
        """Count what goes now."""
        due_at = max(self._due_at, now) + amount / self.per_second
        used_s = min(self._credit_s, due_at - now)
        self._due_at, self._credit_s = due_at - used_s, self._credit_s - used_s

    def correct(self, amount: float) -> None:
        """Count so much more than was taken, or less where it is negative."""
        if amount > 0:
            self._due_at += amount / self.per_second
        else:
            self._credit_s = min(_CREDIT_S, self._credit_s - amount / self.per_second)
