"""A server in the test's own loop that answers each request with the bytes it is given, and notes what it sees."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class RawServer:
    """An asynchronous context manager. `None` in place of an answer: none comes, the connection stays."""

    def __init__(self, *answers: bytes | None, tls: ssl.SSLContext | None = None, socket: Path | None = None) -> None:
        self.url = ""
        self.requests: list[bytes] = []
        self.used: list[int] = []
        """For each request the number of its connection."""
        self.opened = 0
        self.asked = asyncio.Event()
        """Set by each request."""
        self.connections: list[asyncio.Transport] = []
        self.lost: list[int] = []
        """Connections that have ended."""
        self.ended = asyncio.Event()
        """Set whenever one has ended."""
        self._answers: Sequence[bytes | None] = answers or (answer(b"fine"),)
        self._tls = tls
        self._path = socket
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._path is not None:
            self._server = await loop.create_unix_server(lambda: _End(self), str(self._path))
            self.url = "http://localhost/"
            return self
        self._server = await loop.create_server(lambda: _End(self), "127.0.0.1", 0, ssl=self._tls)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}/"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self.connections:
            connection.abort()
        while len(self.lost) < self.opened:
            self.ended.clear()
            await self.ended.wait()

    def next_answer(self) -> bytes | None:
        return self._answers[min(len(self.requests), len(self._answers)) - 1]


def answer(body: bytes, *headers: str, status: int = 200) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


class _End(asyncio.Protocol):
    def __init__(self, server: RawServer) -> None:
        self._server = server
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._number = self._server.opened
        self._server.opened += 1
        self._server.connections.append(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.lost.append(self._number)
        self._server.ended.set()

    def data_received(self, data: bytes) -> None:
        server = self._server
        self._buffer += data
        head, blank, rest = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not blank or len(rest) < (int(length[1]) if length else 0):
            return
        server.requests.append(self._buffer)
        server.used.append(self._number)
        self._buffer = b""
        server.asked.set()
        said = server.next_answer()
        if said is not None:
            self._transport.write(said)
