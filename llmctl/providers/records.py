"""One record of a call, whatever transport carried it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmctl.outcome import Outcome

__all__ = ["Attempt", "Call", "ChatRequest", "Usage"]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What is asked of a model: everything that can change the answer, before a transport puts it on the wire."""

    model: str
    """The litellm model string, resolved: `openai/gpt-4o-mini`, `local/smollm2-135m`, `fake/echo`."""
    messages: tuple[Mapping[str, object], ...]
    """OpenAI chat messages, rendered."""
    params: Mapping[str, object] = field(default_factory=dict)
    """`temperature`, `max_tokens` ... under OpenAI's names."""
    tools: tuple[Mapping[str, object], ...] = ()
    tool_choice: object = None
    response_format: Mapping[str, object] | None = None
    """OpenAI's `response_format`: `{type: json_object}` or `{type: json_schema, json_schema: {...}}`."""
    options: Mapping[str, object] = field(default_factory=dict)
    """Goes to the provider as it is (for `fake`: its script)."""
    payload: Mapping[str, object] | None = None
    """What a target that is the user's own application is sent, rendered; None for a model."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; None is unknown, never 0."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request on the wire, answered or not. Times are UTC epoch seconds and milliseconds."""

    number: int
    started_at: float
    latency_ms: float
    outcome: Outcome
    status: int | None = None
    error: str | None = None
    ttft_ms: float | None = None
    """Time to first token; only where the answer was streamed."""
    request_id: str | None = None
    retry_after_s: float | None = None
    request_body: str = ""
    """Exactly what was sent, but for redactions."""
    response_body: str = ""
    """Exactly what came back (bytes that are no UTF-8 as `\\udcXX` escapes made visible), but for redactions."""
    response_headers: Mapping[str, str] = field(default_factory=dict)
    """By an allow-list: no header that can hold a secret."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the answer, what it cost, and every attempt it took."""

    key: str
    """The call key: SHA-256 of everything that can change the answer, and the repeat number."""
    provider: str
    """`openai`, `local`, `fake` ..."""
    model: str
    """The model as asked for."""
    transport: str
    """`direct`, `litellm`, `local`, `fake` or `app`."""
    endpoint: str
    """URL without credentials, or the name of the local server."""
    outcome: Outcome
    output: str | None = None
    """Text of the answer, lone surrogates replaced; None where there was none."""
    tool_calls: tuple[Mapping[str, object], ...] = ()
    finish_reason: str | None = None
    served_model: str | None = None
    usage: Usage = Usage()
    cost_usd: float | None = None
    """None: unknown. Counts every attempt that reported usage."""
    started_at: float = 0.0
    latency_ms: float = 0.0
    """Of the attempt that decided, without waiting times between attempts."""
    ttft_ms: float | None = None
    error: str | None = None
    """One sentence, where there is no answer."""
    attempts: tuple[Attempt, ...] = ()

    @property
    def status(self) -> int | None:
        """HTTP status of the attempt that decided."""
        return self.attempts[-1].status if self.attempts else None
