"""So many clients at once, each asking again as soon as it is answered; and how long every answer took."""

from __future__ import annotations

import asyncio
import json
import time
from array import array
from dataclasses import dataclass, field
from typing import cast

__all__ = ["Times", "ask"]

_MESSAGES = [
    {"role": "system", "content": "You route support tickets of Acme to one queue. " * 8},
    {"role": "user", "content": "My card was declined, twice, and nobody answers the phone. " * 8},
]


@dataclass
class Times:
    """Of every call, in milliseconds."""

    first: array[float] = field(default_factory=lambda: array("d"))
    """To the first byte."""
    whole: array[float] = field(default_factory=lambda: array("d"))
    """To the last one."""


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes, until: float, times: Times, streamed: bool) -> None:
        self._request, self._until, self._times, self._streamed = request, until, times, streamed
        self._answer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if not self._answer:
            self._first = now
        self._answer += data
        if not self._whole():
            return
        self._times.first.append((self._first - self._began) * 1000)
        self._times.whole.append((now - self._began) * 1000)
        if now < self._until:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None or (self._answer and not self._whole()):
            self.done.set_exception(ConnectionError("an answer was cut off"))
        else:
            self.done.set_result(None)

    def _whole(self) -> bool:
        if self._streamed:
            return self._answer.endswith(b"\r\n0\r\n\r\n")
        head, found, body = self._answer.partition(b"\r\n\r\n")
        return bool(found) and len(body) >= int(head.rpartition(b": ")[2])

    def _ask(self) -> None:
        self._answer = b""
        self._began = time.perf_counter()
        self._transport.write(self._request)


async def ask(port: int, at_once: int, seconds: float, after_ms: int, streamed: bool) -> Times:
    """Ask for so long.

    Raises:
        ConnectionError: a call did not end as it should.
    """
    body = json.dumps({"model": "m-1", "messages": _MESSAGES, "temperature": 0, "stream": streamed}).encode()
    head = (
        f"POST /{after_ms}{'s' if streamed else ''}/v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Accept: application/json\r\nUser-Agent: OpenAI/Python 1.0\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer sk-benchmark-0123456789abcdef\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    times, loop = Times(), asyncio.get_running_loop()
    until = time.perf_counter() + seconds
    clients = [_Client(head.encode() + body, until, times, streamed) for _ in range(at_once)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*(client.done for client in clients))
    return times
