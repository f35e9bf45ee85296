"""The model that answers behind the recorder: whole or as a stream, at once or after a while. Costs next to nothing."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

__all__ = ["EVENTS", "main"]

EVENTS = 20
"""Pieces of a streamed answer."""
_EVENT_S = 0.005
"""Between two of them, where the answer takes any time at all."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PATH = re.compile(rb"POST /(\d+)(s?)/")
_ANSWER = (
    b'{"id":"chatcmpl-%d","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"The queue is billing."},"finish_reason":"stop"}],"usage":{"prompt_tokens":110,"completion_tokens":5}}'
)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_PIECE = (
    b'data: {"id":"chatcmpl-%d","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":'
    b'{"content":"word "},"finish_reason":null}]}\n\n'
)


class _Connection(asyncio.Protocol):
    """One client; `/50/...` is answered after 50 ms, `/50s/...` as a stream that begins then."""

    count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        length = _LENGTH.search(self._buffer[: end + 2]) if end >= 0 else None
        if length is None or len(self._buffer) < end + 4 + int(length[1]):
            return
        path = _PATH.match(self._buffer)
        self._buffer = b""
        if path is None:
            self._transport.abort()
            return
        _Connection.count += 1
        wait_s, number = int(path[1]) / 1000, _Connection.count
        if not path[2]:
            body = _ANSWER % number
            self._later(wait_s, _HEAD % len(body) + body)
            return
        piece = _PIECE % number
        chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
        for event in range(EVENTS):
            first, last = event == 0, event == EVENTS - 1
            self._later(
                wait_s and wait_s + event * _EVENT_S,
                (_STREAM if first else b"") + chunk + (b"0\r\n\r\n" if last else b""),
            )

    def _later(self, wait_s: float, data: bytes) -> None:
        if wait_s:
            asyncio.get_running_loop().call_later(wait_s, self._send, data)
        else:
            self._send(data)

    def _send(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)  # until whoever started it is gone
    server.close()


def main() -> None:
    """Serve until standard input closes; the first line of the output is the port."""
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
