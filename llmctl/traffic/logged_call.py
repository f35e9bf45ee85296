"""One record of a logged call, whatever wrote the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmctl.outcome import Outcome

__all__ = ["LoggedCall", "LoggedFeedback", "Message"]

Message = Mapping[str, object]
"""An OpenAI chat message: `role`, `content` (text, parts or None), `tool_calls`, `tool_call_id`, `name`."""


@dataclass(slots=True)
class LoggedFeedback:
    """What somebody said of a logged call."""

    kind: str
    """`rating` (up or down), `score`, `label`, `correction`, `comment`."""
    value: float | None = None
    """Of a rating 1 or 0; of a score as logged."""
    text: str | None = None
    """Of a label, a correction or a comment."""
    name: str | None = None
    """What was judged, where the log names it."""
    source: str | None = None
    """`human`, `model`, `code`, or what the log calls it."""
    target: str | None = None
    """The id of the call or trace that is meant, where it stands apart from its call."""
    at: float | None = None
    """UTC epoch seconds."""


@dataclass(slots=True)
class LoggedCall:
    """A call that an application made. Not frozen: a million are made, one after the other.

    What the log does not say is None, never 0 or an empty text. Times are UTC epoch seconds and milliseconds. Messages,
    tools, tool calls and parameters have OpenAI's shape and names, whatever the provider's were.
    """

    format: str
    """The reader's name: `openai_chat`, `langfuse` ..."""
    source_id: str | None = None
    """The log's own id of the call: response id, span id, custom id."""
    trace_id: str | None = None
    parent_id: str | None = None
    session_id: str | None = None
    started_at: float | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    provider: str | None = None
    """litellm's name of it: `openai`, `anthropic`, `azure` ..."""
    model: str | None = None
    """As asked for."""
    served_model: str | None = None
    """As the response names it."""
    endpoint: str | None = None
    status: int | None = None
    """HTTP status."""
    messages: tuple[Message, ...] | None = None
    """None: the log does not hold what was asked."""
    tools: tuple[Mapping[str, object], ...] = ()
    tool_choice: object = None
    response_format: Mapping[str, object] | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    """`temperature`, `max_tokens`, `seed` ..."""
    outcome: Outcome | None = None
    """None: the log does not hold how it ended."""
    output: str | None = None
    tool_calls: tuple[Mapping[str, object], ...] = ()
    """Of the answer: `{id, type, function: {name, arguments}}`, the arguments as JSON text."""
    finish_reason: str | None = None
    error: str | None = None
    input_tokens: int | None = None
    """All of them, also those that were read from a cache."""
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None
    variables: Mapping[str, object] | None = None
    """Those that the prompt was rendered with, where the log has them."""
    feedback: tuple[LoggedFeedback, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    user: str | None = None
    environment: str | None = None
    not_replayable: str | None = None
    """Why it cannot be asked again as it was: state kept at the provider, content not captured, redacted."""
