"""A loopback server of OpenAI's chat protocol, built to cost less than any client: `python -m benchmarks.server`.

`POST /v1/chat/completions` is answered at once, `/ms/50/v1/...` after 50 ms, `/ms/100-300/v1/...` after 100 to 300 ms,
evenly spread over the tickets. `GET /stats` counts; `POST /reset` starts the counting again. It speaks just enough
HTTP/1.1 for clients that send a Content-Length, and ends when its standard input closes or its time is up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from dataclasses import asdict, dataclass

__all__ = ["QUEUES", "ServerStats", "answer_text", "main"]

QUEUES = ("billing", "shipping", "other")

_HOST = "127.0.0.1"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LATENCY = re.compile(rb"^POST /ms/(\d+)(?:-(\d+))?/")
_STEPS, _STRIDE = 101, 37  # no common divisor: 101 tickets in a row take 101 different times
_TICKET = re.compile(rb"Ticket no\. (\d+)")
_BODY = (
    b'{"id": "chatcmpl-%d", "object": "chat.completion", "created": 1760000000, "model": "bench-1", "choices": '
    b'[{"index": 0, "message": {"role": "assistant", "content": "%s"}, "finish_reason": "stop"}], '
    b'"usage": {"prompt_tokens": 128, "completion_tokens": 8, "total_tokens": 136}, "server_ms": %.3f}'
)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nx-server-ms: %.3f\r\n\r\n"


@dataclass(slots=True)
class ServerStats:
    """What came in since the last reset."""

    requests: int = 0
    connections: int = 0
    first_at: float | None = None
    """When the first request was complete; epoch seconds."""


def answer_text(number: int) -> str:
    """The answer to ticket `number`, like no other: its queue by turns, and a wrong one for every tenth."""
    queue = QUEUES[(number + 1) % 3] if number % 10 == 7 else QUEUES[number % 3]
    return f"Ticket {number} belongs to the queue: {queue}"


class _Connection(asyncio.Protocol):
    """One client; requests may be pipelined, and are answered in their order."""

    def __init__(self, stats: ServerStats) -> None:
        self._stats = stats
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._stats.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the protocol's signature
        self._transport = None

    def data_received(self, data: bytes) -> None:
        arrived = time.perf_counter()
        self._buffer = self._buffer + data if self._buffer else data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            self._serve(head, body, arrived)

    def _serve(self, head: bytes, body: bytes, arrived: float) -> None:
        if head.startswith((b"GET /stats", b"POST /reset")):
            self._tell(reset=head.startswith(b"POST"))
            return
        stats = self._stats
        stats.requests += 1
        if stats.first_at is None:
            stats.first_at = time.time()
        tickets = _TICKET.findall(body)
        ticket = int(tickets[-1]) if tickets else 0
        answer = answer_text(ticket).encode()
        if latency := _LATENCY.match(head):
            low, high = int(latency[1]), int(latency[2] or latency[1])
            wait_s = (low + (high - low) * (ticket * _STRIDE % _STEPS) / (_STEPS - 1)) / 1000
            self._loop.call_later(wait_s, self._answer, stats.requests, answer, arrived)
        else:
            self._answer(stats.requests, answer, arrived)

    def _answer(self, number: int, answer: bytes, arrived: float) -> None:
        server_ms = (time.perf_counter() - arrived) * 1000
        body = _BODY % (number, answer, server_ms)
        self._send(_HEAD % (len(body), server_ms) + body)

    def _tell(self, *, reset: bool) -> None:
        body = json.dumps(asdict(self._stats)).encode()
        if reset:
            self._stats.requests, self._stats.connections, self._stats.first_at = 0, 0, None
        self._send(_HEAD % (len(body), 0.0) + body)

    def _send(self, data: bytes) -> None:
        if self._transport is not None:  # else the client went away meanwhile
            self._transport.write(data)


async def _serve(deadline_s: float) -> None:
    loop = asyncio.get_running_loop()
    stats = ServerStats()
    server = await loop.create_server(lambda: _Connection(stats), _HOST, 0, backlog=1024)
    over = asyncio.Event()

    class Lifeline(asyncio.Protocol):
        """Whoever started the server holds the other end of its standard input."""

        def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the protocol's signature
            over.set()

    lifeline, _ = await loop.connect_read_pipe(Lifeline, sys.stdin)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    try:
        await asyncio.wait_for(over.wait(), deadline_s)
    except TimeoutError:
        pass
    finally:
        lifeline.close()
        server.close()


def main() -> None:
    """Serve until standard input closes; the first line of the output is the port."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deadline-s", type=float, default=3600.0)
    asyncio.run(_serve(parser.parse_args().deadline_s))


if __name__ == "__main__":
    main()
