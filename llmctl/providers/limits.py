"""The door to one model: who may send now, and who waits, in which order.

A call enters when a place is free, the pace of requests and tokens allows it, and the model has not asked for a pause.
Retries go first. Only the first in the queue looks at the clock; all others wait for it to go through.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from llmctl.providers.clock import Clock, sleep_unless
from llmctl.providers.congestion import Congestion
from llmctl.providers.learned_rate import LearnedRate
from llmctl.providers.pace import Pace
from llmctl.providers.ratelimit_headers import Allowance

__all__ = ["Limits", "Ticket"]

_BELOW = 0.95
"""Share of a configured limit that is used: clocks differ, and requests arrive later than they are sent."""
_EARLY_S = 0.02
_ALONE_S = 30.0
"""A refusal so long after the last does not lower a configured limit."""
_TICK_S = 0.001
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 15.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to send one request."""

    tokens: int
    """How many were reserved."""
    entered_at: float
    """Seconds on the monotonic clock."""


class Limits:
    """The rate limits and the concurrency of one model."""

    def __init__(self, most: int, clock: Clock) -> None:
        self._clock = clock
        self._congestion = Congestion(most)
        self._learned = LearnedRate()
        self._requests: Pace | None = None
        self._tokens: Pace | None = None
        self._in_flight = 0
        self._paused_until = float("-inf")
        self._refused_at = self._refused_before_at = float("-inf")
        self._pauses = 0
        """How many refusals followed each other."""
        self._queue: deque[_Turn] = deque()

    def configure(self, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        """Keep these limits; where several models share the door, the lowest of theirs."""
        self._requests = _lower(self._requests, requests_per_minute)
        self._tokens = _lower(self._tokens, tokens_per_minute)

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return self._in_flight

    @property
    def places(self) -> int:
        """How many may be under way at this moment."""
        return self._congestion.limit

    @property
    def counts_tokens(self) -> bool:
        """Whether there is a limit of tokens, so that they need be reserved."""
        return self._tokens is not None

    @property
    def learned_per_second(self) -> float | None:
        """Requests a second that the model has shown to allow; None where it refused nothing."""
        return self._learned.per_second

    async def enter(
        self, tokens: int = 0, *, again: bool = False, given_up: Callable[[], bool] | None = None
    ) -> Ticket | None:
        """Wait until a request may be sent; None as soon as `given_up` says that it never will be."""
        now = self._clock.monotonic()
        if not self._queue and self._wait_s(now) <= 0:
            return self._go(now, tokens)
        turn = _Turn()
        if again:
            self._queue.appendleft(turn)
        else:
            self._queue.append(turn)
        try:
            return await self._wait(turn, tokens, given_up)
        finally:
            self._queue.remove(turn)
            self._ring()

    def leave(self, ticket: Ticket, tokens: int | None, left: Allowance | None = None) -> None:
        """The request is over, and was not refused.

        Args:
            ticket: From `enter`.
            tokens: What the provider counted; None where it did not say.
            left: What the provider says that it still allows.
        """
        now = self._clock.monotonic()
        self._pauses = 0
        self._learned.accepted(now, ticket.entered_at)
        # All that is in flight went out after the request whose answer says how many are left.
        if left is not None and self._requests is None and left.remaining < self._in_flight:
            self._learned.warned(now, left.per_second)
        self._congestion.answered()
        if self._tokens is not None and tokens is not None:
            self._tokens.correct(tokens - ticket.tokens)
        self._out()

    def refuse(self, ticket: Ticket, retry_after_s: float | None, *, rate: bool) -> None:
        """The provider refused the request as one too many (429), or because it is overloaded (`rate` is False)."""
        now = self._clock.monotonic()
        if rate and not self._alone(now, ticket):
            self._learned.refused(now, ticket.entered_at, retry_after_s)
        self._congestion.refused(now, ticket.entered_at, self._in_flight)
        if ticket.entered_at > self._paused_until or retry_after_s is not None:
            pause_s = min(_FIRST_PAUSE_S * 2.0**self._pauses, _LONGEST_PAUSE_S)
            self._pauses += ticket.entered_at > self._paused_until
            self._paused_until = max(self._paused_until, now + (pause_s if retry_after_s is None else retry_after_s))
        if self._tokens is not None:
            self._tokens.correct(-ticket.tokens)
        self._out()

    def _alone(self, now: float, ticket: Ticket) -> bool:
        """Whether the pace of a configured limit was refused for once: requests may arrive closer than they left."""
        if self._requests is None and self._tokens is None:
            return False
        if ticket.entered_at > self._refused_at:
            self._refused_before_at, self._refused_at = self._refused_at, now
        return self._refused_at - self._refused_before_at > _ALONE_S

    def cancel(self, ticket: Ticket) -> None:
        """The request was broken off from our side, or its failure says nothing about limits."""
        del ticket  # what it has taken of the pace stays taken: it may have been counted
        self._out()

    def recheck(self) -> None:
        """Everybody who waits asks again whether to give up."""
        for turn in self._queue:
            turn.ring()

    def _wait_s(self, now: float) -> float:
        """How long the next has to wait; infinite until somebody leaves; 0 or less: not at all."""
        if self._in_flight >= self._congestion.limit:
            again_s = self._congestion.grow(now)
            if self._in_flight >= self._congestion.limit:
                return max(again_s, _TICK_S)
        wait = max(self._paused_until - now, self._learned.wait_s(now))
        if self._requests is not None:
            wait = max(wait, self._requests.wait_s(now))
        if self._tokens is not None:
            wait = max(wait, self._tokens.wait_s(now))
        return wait

    def _go(self, now: float, tokens: int) -> Ticket:
        self._in_flight += 1
        self._learned.take(now)
        if self._requests is not None:
            self._requests.take(now)
        if self._tokens is not None:
            self._tokens.take(now, tokens)
        return Ticket(tokens, now)

    def _out(self) -> None:
        self._in_flight -= 1
        self._ring()

    def _ring(self) -> None:
        if self._queue:
            self._queue[0].ring()

    async def _wait(self, turn: _Turn, tokens: int, given_up: Callable[[], bool] | None) -> Ticket | None:
        while given_up is None or not given_up():
            wait = float("inf")
            if self._queue[0] is turn:
                now = self._clock.monotonic()
                wait = self._wait_s(now)
                if wait <= 0:
                    return self._go(now, tokens)
            await turn.rest(self._clock, wait)
        return None


class _Turn:
    """One who waits."""

    def __init__(self) -> None:
        self._bell: asyncio.Future[None] | None = None

    def ring(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    async def rest(self, clock: Clock, seconds: float) -> None:
        """Until the bell rings, or the time is over."""
        self._bell = asyncio.get_running_loop().create_future()
        try:
            if seconds == float("inf"):
                await self._bell
            else:
                await sleep_unless(clock, seconds, self._bell)
        finally:
            self._bell = None


def _lower(pace: Pace | None, per_minute: int | None) -> Pace | None:
    if per_minute is None:
        return pace
    per_second = _BELOW * per_minute / 60
    return pace if pace is not None and pace.per_second <= per_second else Pace(per_second, early_s=_EARLY_S)
