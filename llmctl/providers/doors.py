"""What stands before each model: its limits, its circuit, and what it has shown of its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmctl.providers.bounds import InputRatio, input_bytes
from llmctl.providers.circuit import Circuit
from llmctl.providers.clock import Clock
from llmctl.providers.estimate import Seen, estimate
from llmctl.providers.limits import Limits, Ticket
from llmctl.providers.ratelimit_headers import read_allowance
from llmctl.providers.records import ChatRequest, Usage
from llmctl.providers.routes import Route, TransportName

__all__ = ["Door", "Doors"]

_REMOTE = frozenset({TransportName.DIRECT, TransportName.LITELLM})


@dataclass(slots=True)
class _Shown:
    """Running sums of what a model has answered."""

    bytes: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0

    def note(self, size: int, usage: Usage) -> None:
        if usage.input_tokens is not None and usage.output_tokens is not None:
            self.bytes += size
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
            self.calls += 1

    @property
    def seen(self) -> Seen | None:
        if not self.calls or not self.bytes:
            return None
        return Seen(self.input_tokens / self.bytes, self.output_tokens / self.calls)


@dataclass(slots=True)
class Door:
    """Of one model as `llmctl.toml` names it."""

    circuit: Circuit
    limits: Limits
    """Shared by all names of one model at one place: the provider counts them together."""
    ratio: InputRatio = field(default_factory=InputRatio)
    shown: _Shown = field(default_factory=_Shown)

    def tokens(self, route: Route, request: ChatRequest) -> int:
        """What to reserve of the limit of tokens; 0 where there is none."""
        if not self.limits.counts_tokens:
            return 0
        expected = estimate(request, route, self.shown.seen)
        return expected.input_tokens + expected.output_tokens

    def leave(self, ticket: Ticket, request: ChatRequest, usage: Usage, headers: Mapping[str, str]) -> None:
        """The provider answered the request; where there is a limit of tokens, learn from what it counted."""
        counted = None
        if self.limits.counts_tokens and usage.input_tokens is not None and usage.output_tokens is not None:
            counted = usage.input_tokens + usage.output_tokens
            self.shown.note(input_bytes(request), usage)
        self.limits.leave(ticket, counted, read_allowance(headers))


class Doors:
    """All models of a run."""

    def __init__(self, concurrency: int, clock: Clock) -> None:
        self._concurrency = concurrency
        self._clock = clock
        self._doors: dict[tuple[str, ...], Door] = {}
        self._limits: dict[tuple[str, ...], Limits] = {}

    def door(self, route: Route) -> Door:
        """The one that calls on this route go through."""
        name = (route.config.name, route.model, route.url, route.identity, *route.key_envs)
        door = self._doors.get(name)
        if door is None:
            door = self._doors[name] = Door(Circuit(route), self._limits_of(route))
        return door

    @property
    def open_circuits(self) -> Mapping[str, str]:
        """Models that are not asked any more, each with the reason."""
        reasons: dict[str, str] = {}
        for name, door in self._doors.items():
            if door.circuit.reason is not None:
                reasons.setdefault(name[0], door.circuit.reason)
        return reasons

    def _limits_of(self, route: Route) -> Limits:
        remote = route.transport in _REMOTE
        place = (route.provider, route.url, route.wire_model, *route.key_envs)
        name = place if remote else (route.line, route.config.name)
        limits = self._limits.get(name)
        if limits is None:
            most = (route.app.target.concurrency if route.app else None) or self._concurrency
            limits = self._limits[name] = Limits(most, self._clock)
        limits.configure(route.config.requests_per_minute, route.config.tokens_per_minute)
        return limits
