"""A call on its way: one attempt after the other, each with money, a ticket, a deadline and a record."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from llmctl.outcome import Outcome
from llmctl.providers.attempts import Recorder, Tried, not_sent
from llmctl.providers.budget import Budget, price_problem
from llmctl.providers.clock import Clock, sleep_unless
from llmctl.providers.deadlines import Deadlines
from llmctl.providers.doors import Door
from llmctl.providers.limits import Ticket
from llmctl.providers.line import Line
from llmctl.providers.redacted_stream import RedactedStream
from llmctl.providers.retry import out_of_time, wait_s
from llmctl.providers.wire import Answer, Asked, Fault, Retry, Tape

__all__ = ["GatewaySettings", "PendingCall", "Shared"]

_WAITS_S = 30.0
"""What the deadline of a call leaves for waiting, beside three whole attempts."""


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What holds for every call."""

    timeout_s: float = 60.0
    """Deadline of one attempt, from sending to the last byte."""
    total_timeout_s: float | None = None
    """Deadline of a call from its first request on, waits included; None: three times `timeout_s`, and 30 s."""
    concurrency: int = 32
    """Calls in flight for each model, at most."""
    max_attempts: int = 3
    max_cost_usd: float | None = None
    """What all attempts of all models may cost together; it is never passed."""
    offline: bool = False
    """Send nothing that could leave this machine."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all calls of a gateway share."""

    settings: GatewaySettings
    clock: Clock
    recorder: Recorder
    budget: Budget
    deadlines: Deadlines


class PendingCall:
    """One call; `tried` grows with each attempt."""

    def __init__(self, shared: Shared, asked: Asked, line: Line, door: Door, stream: RedactedStream | None) -> None:
        self.tried: list[Tried] = []
        self._settings = shared.settings
        self._clock = shared.clock
        self._recorder = shared.recorder
        self._budget = shared.budget
        self._deadlines = shared.deadlines
        self._asked = asked
        self._line = line
        self._door = door
        self._stream = stream
        self._timeout_s = asked.route.timeout_s or shared.settings.timeout_s
        self._total_s = shared.settings.total_timeout_s or 3 * self._timeout_s + _WAITS_S
        self._ends_at = float("inf")
        """On the monotonic clock, once the first request has been sent."""

    async def answer(self) -> Answer:
        """The answer that stands, after as many attempts as it takes."""
        if self._closed is not None:
            return self._closed
        problem = None if self._line.started else await self._line.problem()
        if problem is not None:
            return Answer(Outcome.PROVIDER_ERROR, error=problem, sent=False)
        answer = await self._decided()
        status = self.tried[-1].attempt.status if self.tried else None
        if self.tried and self._door.circuit.note(answer, status):
            self._door.limits.recheck()
        return answer

    async def _decided(self) -> Answer:
        while True:
            kept_back = await self._attempt()
            if kept_back is not None:
                return _without_another(self.tried[-1].answer, kept_back) if self.tried else kept_back
            last = self.tried[-1].answer
            wait = self._wait_s()
            if wait is None:
                return last
            left = self._ends_at - self._clock.monotonic()
            if wait >= left:
                return out_of_time(last, wait, left, self._total_s)
            if wait > 0:
                await sleep_unless(self._clock, wait, self._door.circuit.bell())

    @property
    def _closed(self) -> Answer | None:
        """The answer where the circuit is open."""
        reason = self._door.circuit.reason
        return None if reason is None else not_sent(f"Not sent: {reason}")

    def _wait_s(self) -> float | None:
        """Seconds to the next attempt; None: there is none."""
        last = self.tried[-1]
        if last.answer.retry is Retry.NEVER or last.shown:  # shown: its text stands on a screen already
            return None
        if last.answer.outcome is Outcome.TIMEOUT and not self._asked.route.repeatable:
            return None
        return wait_s(
            [item.answer for item in self.tried],
            max_attempts=self._settings.max_attempts,
            retry_after=last.attempt.retry_after_s,
            jitter=self._clock.jitter(),
        )

    async def _attempt(self) -> Answer | None:
        """One request, added to `tried`; or why it was kept back."""
        if self._closed is not None:
            return self._closed
        asked, door = self._asked, self._door
        money = await self._budget.reserve(asked.route, asked.request, door.ratio)
        if money is None:
            return not_sent(self._no_money())
        cost_usd: float | None = 0.0
        try:
            ticket = await self._enter()
            if ticket is None:
                return self._closed or not_sent(f"No time was left of this call's {self._total_s:g} s.")
            cost_usd = None  # from here on it may be charged, whatever becomes of it
            tried = await self._sent(ticket)
            cost_usd = tried.cost_usd
        finally:
            self._budget.settle(money, cost_usd)
        door.ratio.note(money.input_bound, tried.answer.usage)
        self.tried.append(tried)
        return None

    def _no_money(self) -> str:
        problem = price_problem(self._asked.route, self._asked.request)
        limit_usd = self._settings.max_cost_usd
        return f"Not sent: {problem or f'what is left of the budget of {limit_usd:g} USD does not cover the call.'}"

    async def _enter(self) -> Ticket | None:
        """Wait for the right to send; None where the circuit has opened, or no time is left."""
        limits, circuit = self._door.limits, self._door.circuit
        tokens = self._door.tokens(self._asked.route, self._asked.request)
        if not self.tried:
            return await limits.enter(tokens, given_up=lambda: circuit.open)
        try:
            async with asyncio.timeout(self._ends_at - self._clock.monotonic()):
                return await limits.enter(tokens, again=True, given_up=lambda: circuit.open)
        except TimeoutError:
            return None

    async def _sent(self, ticket: Ticket) -> Tried:
        """The attempt, with the ticket given back whatever happens."""
        tape = Tape(self._clock.monotonic, self._stream)
        try:
            if self._line.places is None:
                tried = await self._timed(tape)
            else:
                async with self._line.places:
                    tried = await self._timed(tape)
        except BaseException:
            self._door.limits.cancel(ticket)
            raise
        self._tell(ticket, tried, tape)
        return tried

    def _tell(self, ticket: Ticket, tried: Tried, tape: Tape) -> None:
        """Tell the limits what became of the request."""
        limits, answer = self._door.limits, tried.answer
        if answer.fault is Fault.RATE:
            limits.refuse(ticket, self._pause_s(tried), rate=tape.status == 429)
        elif tape.status is None and not answer.outcome.evidence:
            limits.cancel(ticket)
        else:
            self._door.leave(ticket, self._asked.request, answer.usage, tape.headers)

    def _pause_s(self, tried: Tried) -> float | None:
        """What the provider asks all calls of the model to wait; a wait that no call can afford is no pause."""
        asked_for = tried.attempt.retry_after_s
        return asked_for if asked_for is None or asked_for < self._total_s else None

    async def _timed(self, tape: Tape) -> Tried:
        """One request, and its record. Its clock starts here: no waiting before is the provider's time."""
        problem = None if self._line.ready else await self._line.problem()
        started_at, tape.sent_at = self._clock.now(), self._clock.monotonic()
        if not self.tried:
            self._ends_at = tape.sent_at + self._total_s
        if problem is None:
            answer = await self._send(tape)
        else:
            answer = Answer(Outcome.PROVIDER_ERROR, error=problem, sent=False)
        return self._recorder.tried(self._asked, answer, tape, number=len(self.tried) + 1, started_at=started_at)

    async def _send(self, tape: Tape) -> Answer:
        timeout_s = min(self._timeout_s, self._ends_at - self._clock.monotonic())
        try:
            return await self._deadlines.within(timeout_s, self._line.transport.send(self._asked, tape))
        except TimeoutError:
            so_far = f" ({len(tape.body)} bytes had come)" if tape.body else ""
            sentence = f"No complete answer within {timeout_s:.3g} s{so_far}."
            return Answer(Outcome.TIMEOUT, error=sentence, retry=Retry.AGAIN)


def _without_another(last: Answer, kept_back: Answer) -> Answer:
    """The last answer, with the reason why there was no further attempt."""
    said = (last.error or str(last.outcome)).rstrip(".")
    return replace(last, error=f"{said}. Not asked again: {(kept_back.error or '').removeprefix('Not sent: ')}")
