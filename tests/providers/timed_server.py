"""A server in a process of its own that answers after a known time, and says in a header how long it took itself.

python timed_server.py LATENCY_MS prints its port. It is kept as simple as can be, so that it is not what is measured.
Hundreds of requests in one moment wait for this process all the same: on Linux that counts as its own time.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time

CONTENT = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-ratelimit-took-ms: %.3f\r\nContent-Length: %d\r\n\r\n"


class Connection(asyncio.Protocol):
    """Reads whole requests, and answers each when its time has come."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, rest = self._buffer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        if blank and len(rest) >= length:
            self._buffer = b""
            came_at = time.perf_counter() - self._waited_s()
            asyncio.get_running_loop().call_later(self._latency_s, self._answer, came_at)

    def _waited_s(self) -> float:
        """How long the request has lain in the kernel."""
        if sys.platform != "linux" or self._transport is None:
            return 0.0
        info = self._transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 56)
        waited_ms: int = struct.unpack_from("=I", info, 52)[0]  # tcpi_last_data_recv
        return max(0, waited_ms - 4) / 1000  # at most that: the kernel counts in ticks of 4 ms

    def _answer(self, came_at: float) -> None:
        if self._transport is not None and not self._transport.is_closing():
            took_ms = (time.perf_counter() - came_at) * 1000
            self._transport.write(HEAD % (took_ms, len(CONTENT)) + CONTENT)


async def serve(latency_ms: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(latency_ms / 1000), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    # It ends with whoever started it.
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
