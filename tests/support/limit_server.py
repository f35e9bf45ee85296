"""A loopback server that enforces rate limits as providers do, and counts what it refused.

    with LimitServer(SlidingWindow(100, 1.0)) as server:
        ModelConfig("m", "openai/x", api_base=server.url)

It speaks just enough HTTP to be fast; every request gets the same short answer, or 429.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tests.support.loopback import LoopbackServer

__all__ = ["Counter", "FixedWindow", "LimitServer", "NoLimit", "Served", "SlidingWindow", "TokenBucket"]


class Counter(Protocol):
    """How a provider counts; times are seconds on the monotonic clock."""

    def admit(self, now: float, amount: float) -> bool:
        """Whether so much may pass now; counts it if so."""

    def retry_after_s(self, now: float) -> float:
        """When the next may pass."""


class NoLimit:
    """Lets everything pass."""

    def admit(self, now: float, amount: float) -> bool:
        return True

    def retry_after_s(self, now: float) -> float:
        return 0.0


@dataclass
class TokenBucket:
    """Holds at most `size`, and fills with `size` in each window."""

    size: float
    window_s: float
    level: float = -1.0
    _at: float = 0.0

    def admit(self, now: float, amount: float) -> bool:
        if self.level < 0:
            self.level, self._at = self.size, now
        self.level = min(self.size, self.level + (now - self._at) * self.size / self.window_s)
        self._at = now
        if self.level < amount:
            return False
        self.level -= amount
        return True

    def retry_after_s(self, now: float) -> float:
        return max(0.0, (1 - self.level) * self.window_s / self.size)


@dataclass
class FixedWindow:
    """At most `size` in each window; windows follow each other on a grid."""

    size: float
    window_s: float
    _window: int = -1
    _used: float = 0.0

    def admit(self, now: float, amount: float) -> bool:
        window = int(now / self.window_s)
        if window != self._window:
            self._window, self._used = window, 0.0
        if self._used + amount > self.size:
            return False
        self._used += amount
        return True

    def retry_after_s(self, now: float) -> float:
        return self.window_s - now % self.window_s


@dataclass
class SlidingWindow:
    """At most `size` in any time as long as the window."""

    size: float
    window_s: float
    _log: deque[tuple[float, float]] = field(default_factory=deque)
    _used: float = 0.0

    def admit(self, now: float, amount: float) -> bool:
        while self._log and self._log[0][0] <= now - self.window_s:
            self._used -= self._log.popleft()[1]
        if self._used + amount > self.size:
            return False
        self._log.append((now, amount))
        self._used += amount
        return True

    def retry_after_s(self, now: float) -> float:
        return self._log[0][0] + self.window_s - now if self._log else 0.0


@dataclass
class Served:
    """What the server has done."""

    answered: int = 0
    refused: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    most_at_once: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    refused_at: list[float] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    """When each request came, on the monotonic clock."""

    @property
    def refused_share(self) -> float:
        return self.refused / max(1, self.answered + self.refused)

    @property
    def per_second(self) -> float:
        """Answered requests a second, from the first to the last."""
        return (self.answered - 1) / max(1e-9, self.last_at - self.first_at)


class LimitServer(LoopbackServer):
    """The server, in a thread with its own loop; a context manager."""

    def __init__(
        self,
        counter: Counter | None = None,
        *,
        latency_s: float = 0.0,
        tokens: Callable[[bytes], tuple[int, int]] | None = None,
        counts_tokens: bool = False,
        retry_after: bool = False,
        status: int = 429,
        spoil: Callable[[int], bool] | None = None,
    ) -> None:
        """Serve.

        Args:
            counter: Of requests, or of tokens.
            latency_s: How long an answer takes; refusals come at once.
            tokens: Input and output tokens of a request's body.
            counts_tokens: Whether `counter` counts tokens.
            retry_after: Whether refusals say when to come back.
            status: Of refusals.
            spoil: Whether the answer to the n-th admitted request, from 0, is no JSON, though it is charged.
        """
        super().__init__()
        self._server: asyncio.Server | None = None
        self.served = Served()
        self._counter = counter or NoLimit()
        self._latency_s = latency_s
        self._tokens = tokens or (lambda body: (3, 1))
        self._counts_tokens = counts_tokens
        self._retry_after = retry_after
        self._status = status
        self._spoil = spoil or (lambda n: False)
        self._now_at_once = 0

    async def listen(self) -> int:
        """Begin to listen; the port."""
        self._server = await self.loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    def answer(self, body: bytes, send: Callable[[bytes], None]) -> None:
        """Answer one request."""
        now, served = time.monotonic(), self.served
        read, made = self._tokens(body)
        served.first_at = served.first_at or now
        served.at.append(now)
        if not self._counter.admit(now, read + made if self._counts_tokens else 1):
            served.refused += 1
            served.refused_at.append(now)
            wait = (
                {"Retry-After-Ms": str(int(self._counter.retry_after_s(now) * 1000) + 1)} if self._retry_after else {}
            )
            send(_response(self._status, b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}', wait))
            return
        spoilt = self._spoil(served.answered)
        served.answered += 1
        served.input_tokens += read
        served.output_tokens += made
        served.last_at = now
        self._now_at_once += 1
        served.most_at_once = max(served.most_at_once, self._now_at_once)
        finish = functools.partial(self._finish, send, read, made, spoilt)
        if self._latency_s:
            self.loop.call_later(self._latency_s, finish)
        else:
            finish()

    def _finish(self, send: Callable[[bytes], None], read: int, made: int, spoilt: bool) -> None:
        self._now_at_once -= 1
        if spoilt:
            send(_response(200, b"<html>"))
            return
        usage = b'{"prompt_tokens":%d,"completion_tokens":%d}' % (read, made)
        choice = b'{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}'
        send(_response(200, b'{"id":"1","model":"x","choices":[%s],"usage":%s}' % (choice, usage)))


class _Connection(asyncio.Protocol):
    def __init__(self, server: LimitServer) -> None:
        self._server = server
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            self._server.answer(body, self._send)

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


def _response(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
