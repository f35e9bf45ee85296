"""What passes between the gateway and a transport: what is asked, what went over the wire, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from llmctl.outcome import Outcome
from llmctl.providers.records import ChatRequest, Usage
from llmctl.providers.routes import Route

__all__ = ["MAX_BODY_BYTES", "Answer", "Asked", "Retry", "Tape", "Transport", "visible_text"]

MAX_BODY_BYTES = 64 * 1024 * 1024
"""An answer larger than this is malformed."""
KEPT_BYTES = 1024 * 1024
"""How much of a body that is too large is kept."""


class Retry(Enum):
    """Whether asking again can help."""

    NEVER = "never"
    ONCE = "once"
    AGAIN = "again"


@dataclass(frozen=True, slots=True)
class Answer:
    """One attempt, read."""

    outcome: Outcome
    output: str | None = None
    tool_calls: tuple[Mapping[str, object], ...] = ()
    finish_reason: str | None = None
    served_model: str | None = None
    usage: Usage = field(default_factory=Usage)
    error: str | None = None
    retry: Retry = Retry.NEVER


@dataclass(frozen=True, slots=True)
class Asked:
    """One call as a transport sees it."""

    route: Route
    request: ChatRequest
    key: str
    """The call key."""
    api_key: str | None = None
    streamed: bool = False


@dataclass(slots=True)
class Tape:
    """What went over the wire in one attempt, written while it happens, so that a deadline loses nothing of it."""

    clock: Callable[[], float]
    """Monotonic seconds."""
    on_delta: Callable[[str], None] | None = None
    sent_at: float = 0.0
    """On the clock; a transport that has work of its own before it sends sets it anew."""
    ended_at: float | None = None
    """When the last byte came, where a transport has work of its own after it."""
    request_body: bytes = b""
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    too_large: bool = False
    first_token_at: float | None = None
    shown: bool = False
    """Whether text of this attempt has been passed on, so that it cannot be asked again unseen."""

    def add(self, chunk: bytes) -> bool:
        """Keep a piece of the body; False once there is more than an answer may have."""
        if len(self.body) + len(chunk) > MAX_BODY_BYTES:
            self.too_large = True
            del self.body[KEPT_BYTES:]
        if not self.too_large:
            self.body += chunk
        return not self.too_large

    def show(self, text: str) -> None:
        """Note the first token, and pass the text on to whoever watches."""
        if self.first_token_at is None:
            self.first_token_at = self.clock()
        if text and self.on_delta is not None:
            self.shown = True
            self.on_delta(text)


class Transport(Protocol):
    """Carries calls to one kind of provider."""

    slots: int
    """How many calls it carries at once."""

    async def start(self) -> None:
        """Make it ready; does nothing where it is. Time spent here counts in no call's latency.

        Raises:
            ModelError: a model of this machine cannot be started.
        """

    async def send(self, asked: Asked, tape: Tape) -> Answer:
        """One attempt; every failure of the provider or the network is an Answer. Cancelling propagates."""

    async def close(self) -> None:
        """Let go of connections, clients and child processes."""


def visible_text(body: bytes | bytearray) -> str:
    r"""The body as text; bytes that are no UTF-8 appear as `\udcXX`."""
    text = body.decode("utf-8", "surrogateescape")
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
