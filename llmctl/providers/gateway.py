"""The one door to every model: who carries a call, what limits it, and a record of each attempt.

A call that fails is data. Nothing leaves `Gateway.ask` but cancellation and mistakes of the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType

from llmctl.errors import ModelError
from llmctl.providers.attempts import Recorder, not_sent
from llmctl.providers.budget import Budget
from llmctl.providers.clock import Clock
from llmctl.providers.deadlines import Deadlines
from llmctl.providers.doors import Doors
from llmctl.providers.line import Line
from llmctl.providers.pending import GatewaySettings, PendingCall, Shared
from llmctl.providers.records import Call, ChatRequest
from llmctl.providers.redacted_stream import RedactedStream
from llmctl.providers.redaction import Redactor
from llmctl.providers.requests import build_request, call_key
from llmctl.providers.routes import Route, TransportName
from llmctl.providers.wire import Asked, Transport

__all__ = ["Clock", "Gateway", "GatewaySettings", "build_request", "call_key"]

_LASTING = frozenset({TransportName.DIRECT, TransportName.FAKE, TransportName.LITELLM})
"""What has been started once stays so: no process behind it can end."""


class Gateway:
    """Asks models; use it as an asynchronous context manager, which ends everything it has started."""

    def __init__(self, settings: GatewaySettings, environ: Mapping[str, str], *, clock: Clock | None = None) -> None:
        self.settings = settings
        self._environ = environ
        self._clock = clock or Clock()
        self._redactor = Redactor(environ)
        self._recorder = Recorder(self._redactor, self._clock)
        self._lines: dict[str, Line] = {}
        self._doors = Doors(settings.concurrency, self._clock)
        self._budget = Budget(settings.max_cost_usd)
        self._deadlines = Deadlines()
        self._shared = Shared(settings, self._clock, self._recorder, self._budget, self._deadlines)

    async def __aenter__(self) -> Gateway:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadlines.close()
        lines, self._lines = self._lines, {}
        await asyncio.gather(*(line.transport.close() for line in lines.values()))

    @property
    def open_circuits(self) -> Mapping[str, str]:
        """Models (by their name in `llmctl.toml`) that are not asked any more, each with a sentence for people."""
        return self._doors.open_circuits

    @property
    def budget_spent(self) -> bool:
        """Whether a call was kept back because what is left of the budget does not cover it."""
        return self._budget.spent_up

    @property
    def spent_usd(self) -> float:
        """What all attempts cost, as far as it is known; under a budget also what was set aside for unknown ones."""
        return self._budget.spent_usd

    async def start(self, route: Route) -> None:
        """Make a route ready before its first call, as `eval` does for the local model.

        Raises:
            ModelError: a model of this machine cannot be started.
        """
        if not self._stays_here(route):
            return
        await self._line(route).start()

    async def ask(
        self,
        route: Route,
        request: ChatRequest,
        *,
        repeat: int = 1,
        key: str | None = None,
        on_delta: Callable[[str], None] | None = None,
    ) -> Call:
        """One call with all its attempts; `on_delta` gets the text as it comes.

        Args:
            route: Who is asked.
            request: What is asked.
            repeat: The number of the draw.
            key: The call key, where the caller has made it.
            on_delta: Called with each piece of the text.
        """
        self._redactor.learn(route.secrets(self._environ))
        streamed = on_delta is not None or request.params.get("stream") is True
        key = call_key(route, request, repeat) if key is None else key
        asked = Asked(route, request, key, route.api_key(self._environ), streamed)
        if not self._stays_here(route):
            return self._recorder.call(asked, not_sent(f"Not sent: {route.model} is not on this machine."), [])
        stream = RedactedStream(self._redactor, on_delta) if on_delta is not None else None
        call = PendingCall(self._shared, asked, self._line(route), self._doors.door(route), stream)
        answer = await call.answer()
        if stream is not None:
            stream.end()
        return self._recorder.call(asked, answer, call.tried)

    def _stays_here(self, route: Route) -> bool:
        return not self.settings.offline or route.transport in {TransportName.LOCAL, TransportName.FAKE}

    def _line(self, route: Route) -> Line:
        name = route.line
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = Line(
                self._transport(route), self.settings.concurrency, lasting=route.transport in _LASTING
            )
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
            case TransportName.APP:
                from llmctl.providers.app.transport import app_transport

                if route.app is None:
                    raise ModelError(f"{route.model} has no target.")
                return app_transport(route.app, slots, self._environ)
            case TransportName.DIRECT:
                from llmctl.providers.direct import DirectTransport

                return DirectTransport(slots)
            case TransportName.LOGGED:
                raise ModelError(f"The answers of {route.model} are those of a log: nobody is asked for them.")
