"""The rate that a provider allows, learned from what it refuses. Pure.

Nobody knows how a provider counts: a bucket that fills, a window that begins with the minute, one that slides. What all
have in common: over a whole period, from one refusal to the next, the number of accepted requests divided by the time
is the rate they allow. So a refusal stops everything; then single requests go out, in growing distances, until
one is accepted; the period that ends there gives the rate. Later the rate is raised by little, by more the longer
nothing is refused.
"""

from __future__ import annotations

from llmctl.providers.pace import Pace

__all__ = ["LearnedRate"]

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 30.0
_BELOW = 0.95
"""Share of the measured rate that is used."""
_GROWTH = (1.03, 1.05, 1.1, 1.2, 1.25)
_STEADY_S = 2.0
"""The rate is raised after a period without a refusal, and at least this time."""
_EARLY_S = 0.02


class LearnedRate:
    """The pace of one model's requests, None until a request was refused."""

    def __init__(self) -> None:
        self.pace: Pace | None = None
        self._began_at: float | None = None
        """Of the period, on the monotonic clock."""
        self._accepted = 0
        """Requests of this period that went out and were not refused: refusals come quickly, answers need not."""
        self._period_s = 0.0
        self._refused_at: float | None = None
        """The first refusal of this period; None: nothing is refused."""
        self._last_no_at = 0.0
        """Until when requests are known to be refused: somewhere between it and the accepted probe the period ends."""
        self._probe_at: float | None = None
        """When the request was sent that finds out whether requests are accepted again."""
        self._next_probe_at = 0.0
        self._verdict_s = _FIRST_PAUSE_S
        """A probe that is not refused within this time is accepted."""
        self._most: float | None = None
        """Requests a second that the provider has spoken of."""
        self._steady_at = 0.0
        self._steps = 0

    @property
    def per_second(self) -> float | None:
        """Requests a second."""
        return self.pace.per_second if self.pace else None

    @property
    def probing(self) -> bool:
        """Whether only single requests go out."""
        return self._refused_at is not None

    def wait_s(self, now: float) -> float:
        """How long the next request has to wait; 0 or less: not at all."""
        if self._refused_at is not None:
            if self._probe_at is None:
                return self._next_probe_at - now
            left = self._probe_at + self._verdict_s - now
            if left > 0:
                return left
            self._accept_probe(now)
        return self.pace.wait_s(now) if self.pace else 0.0

    def take(self, now: float) -> None:
        """A request goes out."""
        if self._began_at is None:
            self._began_at = now
        self._accepted += 1
        if self._refused_at is not None:
            self._probe_at = now
        if self.pace is not None:
            self.pace.take(now)
            self._raise(now, self.pace)

    def accepted(self, now: float, entered_at: float) -> None:
        """A request was not refused, whatever became of it."""
        if self._probe_at is not None and entered_at >= self._probe_at:
            self._accept_probe(now)

    def refused(self, now: float, entered_at: float, wait_s: float | None) -> None:
        """A request was refused; `wait_s` is what the provider said to wait."""
        if self._began_at is None or entered_at < self._began_at:
            return  # sent in the period before, which has been judged
        self._accepted -= 1
        self._verdict_s = max(_FIRST_PAUSE_S, 3 * (now - entered_at))
        if self._refused_at is None:
            self._refused_at, self._last_no_at, self._probe_at = now, now + (wait_s or 0.0), None
            self._next_probe_at = now + max(_FIRST_PAUSE_S, wait_s or 0.0)
        elif self._probe_at is not None and entered_at >= self._probe_at:
            self._last_no_at, self._probe_at = self._probe_at + (wait_s or 0.0), None
            longer = min(0.4 * (now - self._refused_at), _LONGEST_PAUSE_S)
            self._next_probe_at = now + max(longer, wait_s or 0.0)
        elif wait_s is not None:
            self._next_probe_at = max(self._next_probe_at, now + wait_s)

    def warned(self, now: float, per_second: float | None) -> None:
        """The provider says that nothing is left: stop before it refuses. `per_second` is the most that fills up."""
        if self.pace is None and self._refused_at is None:
            self._most = per_second
            self._refused_at = self._last_no_at = now
            self._probe_at, self._next_probe_at = None, now + _FIRST_PAUSE_S

    def _accept_probe(self, now: float) -> None:
        """The period is over."""
        probe_at = self._probe_at if self._probe_at is not None else now
        period_s = (self._last_no_at + probe_at) / 2 - (self._began_at if self._began_at is not None else probe_at)
        accepted = self._accepted - 1  # the probe belongs to the next period
        if period_s > 0 and accepted > 0:
            rate = _BELOW * min(accepted / period_s, self._most or float("inf"))
            # A pace that was kept is not far off: one short period must not send it to the ground.
            known = self.per_second
            self._set(rate if known is None else min(max(rate, 0.5 * known), known), probe_at)
        self._refused_at = self._probe_at = None
        self._began_at, self._accepted, self._period_s = probe_at, 1, period_s
        self._steady_at, self._steps = now, 0

    def _set(self, rate: float, now: float) -> None:
        self.pace = Pace(rate, early_s=_EARLY_S)
        self.pace.take(now)

    def _raise(self, now: float, pace: Pace) -> None:
        if self._refused_at is None and now - self._steady_at >= max(_STEADY_S, self._period_s):
            pace.per_second *= _GROWTH[min(self._steps, len(_GROWTH) - 1)]
            self._steps += 1
            self._steady_at = now
