"""The one door to every model: deadline, retries, and a record of each attempt.

A call that fails is data. Nothing leaves `Gateway.ask` but cancellation and mistakes of the caller.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType

from llmctl.errors import ModelError
from llmctl.outcome import Outcome
from llmctl.providers.prices import cost_usd
from llmctl.providers.records import Attempt, Call, ChatRequest, Usage
from llmctl.providers.redaction import Redactor, allowed_headers
from llmctl.providers.requests import build_request, call_key
from llmctl.providers.retry import retry_after_s, wait_s
from llmctl.providers.routes import Route, TransportName
from llmctl.providers.wire import Answer, Asked, Retry, Tape, Transport, visible_text

__all__ = ["Clock", "Gateway", "GatewaySettings", "build_request", "call_key"]


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What holds for every call."""

    timeout_s: float = 60.0
    """Deadline of one attempt, from sending to the last byte."""
    concurrency: int = 32
    max_attempts: int = 3
    offline: bool = False
    """Send nothing that could leave this machine."""
    trust_env: bool = False
    """Whether direct calls use the proxies that the environment names."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, so that tests need not wait for them."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random


@dataclass(slots=True)
class _Line:
    """A transport, ready or not, with as many places as it carries calls at once."""

    transport: Transport
    places: asyncio.Semaphore
    starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    broken: str | None = None
    """Why it cannot be started: said once for each call, tried once."""


@dataclass(frozen=True, slots=True)
class _Tried:
    answer: Answer
    attempt: Attempt
    shown: bool


class Gateway:
    """Asks models; use it as an asynchronous context manager, which ends everything it has started."""

    def __init__(self, settings: GatewaySettings, environ: Mapping[str, str], *, clock: Clock | None = None) -> None:
        self.settings = settings
        self._environ = environ
        self._clock = clock or Clock()
        self._redactor = Redactor(environ)
        self._lines: dict[str, _Line] = {}

    async def __aenter__(self) -> Gateway:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lines, self._lines = self._lines, {}
        await asyncio.gather(*(line.transport.close() for line in lines.values()))

    async def start(self, route: Route) -> None:
        """Make a route ready before its first call, as `eval` does for the local model.

        Raises:
            ModelError: a model of this machine cannot be started.
        """
        if not self._stays_here(route):
            return
        line = self._line(route)
        async with line.starting:
            await line.transport.start()

    async def ask(
        self,
        route: Route,
        request: ChatRequest,
        *,
        repeat: int = 1,
        on_delta: Callable[[str], None] | None = None,
    ) -> Call:
        """One call with all its attempts; `on_delta` gets the text as it comes."""
        api_key = route.api_key(self._environ)
        if api_key:
            self._redactor.learn([api_key])
        streamed = on_delta is not None or request.params.get("stream") is True
        asked = Asked(route, request, call_key(route, request, repeat), api_key, streamed)
        if not self._stays_here(route):
            return self._call(
                asked, Answer(Outcome.SKIPPED, error=f"Not sent: {route.model} is not on this machine."), []
            )
        line = self._line(route)
        problem = await self._ready(line)
        if problem is not None:
            return self._call(asked, Answer(Outcome.PROVIDER_ERROR, error=problem), [])
        tried: list[_Tried] = []
        while True:
            tried.append(await self._attempt(line, asked, len(tried) + 1, on_delta))
            wait = self._wait(tried)
            if wait is None:
                return self._call(asked, tried[-1].answer, tried)
            await self._clock.sleep(wait)

    def _stays_here(self, route: Route) -> bool:
        return not self.settings.offline or route.transport in {TransportName.LOCAL, TransportName.FAKE}

    def _wait(self, tried: list[_Tried]) -> float | None:
        last = tried[-1]
        if last.shown:
            return None  # its text stands on a screen already
        return wait_s(
            last.answer,
            attempts=len(tried),
            max_attempts=self.settings.max_attempts,
            retry_after=last.attempt.retry_after_s,
            jitter=self._clock.jitter(),
        )

    def _line(self, route: Route) -> _Line:
        name = f"{route.transport}:{route.weights}" if route.weights else str(route.transport)
        line = self._lines.get(name)
        if line is None:
            transport = self._transport(route)
            line = self._lines[name] = _Line(transport, asyncio.Semaphore(transport.slots))
        return line

    def _transport(self, route: Route) -> Transport:
        slots = self.settings.concurrency
        match route.transport:
            case TransportName.FAKE:
                from llmctl.providers.fake import FakeTransport

                return FakeTransport(slots)
            case TransportName.LOCAL:
                from llmctl.providers.local_transport import LocalTransport

                if route.weights is None:
                    raise ModelError(f"{route.model} has no weights.")
                return LocalTransport(route.weights, route.wire_model)
            case TransportName.LITELLM:
                from llmctl.providers.litellm_transport import LitellmTransport

                return LitellmTransport(slots, self._environ, timeout_s=self.settings.timeout_s)
            case TransportName.DIRECT:
                from llmctl.providers.direct import DirectTransport

                return DirectTransport(slots, trust_env=self.settings.trust_env)

    async def _ready(self, line: _Line) -> str | None:
        """Start the transport if need be; a sentence where it cannot be started."""
        async with line.starting:
            if line.broken is None:
                try:
                    await line.transport.start()
                except ModelError as error:
                    line.broken = f"{error.message} {error.hint}" if error.hint else error.message
        return line.broken

    async def _attempt(self, line: _Line, asked: Asked, number: int, on_delta: Callable[[str], None] | None) -> _Tried:
        """One request. Its clock starts when it has a place: waiting for one is not the provider's time."""
        async with line.places:
            problem = await self._ready(line)
            tape = Tape(self._clock.monotonic, on_delta)
            started_at, tape.sent_at = self._clock.now(), self._clock.monotonic()
            if problem is not None:
                answer = Answer(Outcome.PROVIDER_ERROR, error=problem)
            else:
                answer = await self._send(line.transport, asked, tape)
            latency_ms = ((tape.ended_at or self._clock.monotonic()) - tape.sent_at) * 1000
        return _Tried(answer, self._recorded(answer, tape, number, started_at, latency_ms), tape.shown)

    async def _send(self, transport: Transport, asked: Asked, tape: Tape) -> Answer:
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                return await transport.send(asked, tape)
        except TimeoutError:
            so_far = f" ({len(tape.body)} bytes had come)" if tape.body else ""
            sentence = f"No complete answer within {self.settings.timeout_s:g} s{so_far}."
            return Answer(Outcome.TIMEOUT, error=sentence, retry=Retry.AGAIN)

    def _recorded(self, answer: Answer, tape: Tape, number: int, started_at: float, latency_ms: float) -> Attempt:
        headers = {name: self._redactor.text(value) for name, value in allowed_headers(tape.headers).items()}
        first = tape.first_token_at
        return Attempt(
            number=number,
            started_at=started_at,
            latency_ms=latency_ms,
            outcome=answer.outcome,
            status=tape.status,
            error=self._redactor.text(answer.error) if answer.error else None,
            ttft_ms=None if first is None else (first - tape.sent_at) * 1000,
            request_id=headers.get("x-request-id") or headers.get("request-id"),
            retry_after_s=retry_after_s(headers, self._clock.now()),
            request_body=self._redactor.text(visible_text(tape.request_body)),
            response_body=self._redactor.text(visible_text(tape.body)),
            response_headers=headers,
        )

    def _call(self, asked: Asked, answer: Answer, tried: list[_Tried]) -> Call:
        attempts = tuple(item.attempt for item in tried)
        last = attempts[-1] if attempts else None
        return Call(
            key=asked.key,
            provider=asked.route.provider,
            model=asked.route.model,
            transport=str(asked.route.transport),
            endpoint=asked.route.url,
            outcome=answer.outcome,
            output=None if answer.output is None else self._redactor.exact(answer.output),
            tool_calls=self._redactor.structure(answer.tool_calls),
            finish_reason=answer.finish_reason,
            served_model=None if answer.served_model is None else self._redactor.text(answer.served_model),
            usage=answer.usage,
            cost_usd=self._cost(asked, [item.answer for item in tried], attempts),
            started_at=attempts[0].started_at if attempts else self._clock.now(),
            latency_ms=last.latency_ms if last else 0.0,
            ttft_ms=last.ttft_ms if last else None,
            error=self._redactor.text(answer.error) if answer.error else None,
            attempts=attempts,
        )

    def _cost(self, asked: Asked, answers: list[Answer], attempts: tuple[Attempt, ...]) -> float | None:
        """What all attempts cost together; None where that is unknown."""
        if asked.route.price is not None and asked.route.price.free:
            return 0.0
        tier = asked.request.params.get("service_tier")
        price = asked.route.price if tier in {None, "auto", "default"} else None
        costs = [cost_usd(answer.usage, price) for answer in answers if _charged(answer)]
        if not costs:
            # An error status costs nothing; an attempt that broke off may have cost something.
            return 0.0 if all(attempt.status is not None and attempt.status >= 400 for attempt in attempts) else None
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(costs) else None


def _charged(answer: Answer) -> bool:
    """Whether the provider may have charged for it: it answered, or it said what it counted."""
    return answer.outcome.scored or answer.usage != Usage()
