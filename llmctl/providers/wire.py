"""What passes between the gateway and a transport: what is asked, what went over the wire, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from llmctl.outcome import Outcome
from llmctl.providers.records import ChatRequest, Usage
from llmctl.providers.routes import Route

__all__ = [
    "MAX_BODY_BYTES",
    "SOCKET_TIMES",
    "Answer",
    "Asked",
    "Fault",
    "Retry",
    "SocketTimes",
    "Tape",
    "Transport",
    "visible_text",
]

MAX_BODY_BYTES = 64 * 1024 * 1024
"""An answer larger than this is malformed."""
KEPT_BYTES = 1024 * 1024
"""How much of a body that is too large is kept."""


class Retry(Enum):
    """Whether asking again can help."""

    NEVER = "never"
    ONCE = "once"
    AGAIN = "again"
    AT_ONCE = "at_once"
    """A kept connection was found closed before a byte of an answer came: sent anew without a wait, once a call."""


class Fault(Enum):
    """A failure that says something about the model's account, not about this call."""

    AUTH = "auth"
    """The key is missing, wrong, or not allowed to ask this model."""
    QUOTA = "quota"
    """No money or no quota is left; waiting does not help."""
    RATE = "rate"
    """Too many requests, or an overloaded provider: fewer at once would help."""


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
    fault: Fault | None = None
    cost_usd: float | None = None
    """What the answer itself says it cost; None: it says nothing, and the price table counts."""
    sent: bool = True
    """False: the request never left (no connection), so it cannot have cost anything."""


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
class SocketTimes:
    """When the bytes of one request went to the socket and those of its answer came from it, on the tape's clock.

    A task sees an answer only when its turn comes: with hundreds of calls at once that is this process's own queue, and
    no time of the provider's. So the connection writes these down itself.
    """

    clock: Callable[[], float]
    sent_at: float | None = None
    """None: not a byte of the request has left."""
    first_at: float | None = None
    """None: not a byte of an answer has come."""
    last_at: float | None = None
    reused: bool = False
    """Whether the connection had carried another request before."""
    unread: bytes = b""
    """What came and was no HTTP."""

    @property
    def dropped(self) -> bool:
        """Whether a connection that was kept from an earlier call brought nothing: its end had closed it."""
        return self.reused and self.first_at is None


SOCKET_TIMES: ContextVar[SocketTimes | None] = ContextVar("llmctl_socket_times", default=None)
"""Those of the request that this task sends; set around it by whoever sends."""


@dataclass(slots=True)
class Tape:
    """What went over the wire in one attempt, written while it happens, so that a deadline loses nothing of it."""

    clock: Callable[[], float]
    """Monotonic seconds."""
    on_delta: Callable[[str], None] | None = None
    sent_at: float = 0.0
    """On the clock; a transport that can tell when the bytes left sets it anew."""
    ended_at: float | None = None
    """When the last byte of a whole answer came from the socket, where a transport can tell."""
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

    def trim(self) -> None:
        """Keep only the beginning of a body that holds no answer."""
        del self.body[KEPT_BYTES:]

    def show(self, text: str, at: float | None = None) -> None:
        """Note the first token and when it came, and pass the text on to whoever watches."""
        if self.first_token_at is None:
            self.first_token_at = self.clock() if at is None else at
        self.pass_on(text)

    def pass_on(self, text: str) -> None:
        """Give text to whoever watches, also where the provider did not stream it."""
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
