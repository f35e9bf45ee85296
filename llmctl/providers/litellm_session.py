"""`litellm`'s HTTP: an `aiohttp` session whose connections write down when bytes leave and come, and when one is stale.

`aiohttp` offers no hook at the socket: its tracing runs in the task that waits, which is what is not to be measured.
So the connector makes connections of our class. Should a later `aiohttp` not take them, nothing is noted, and times are
those of the task again; a test would tell.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import struct
import sys
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from llmctl.providers.wire import KEPT_BYTES, SOCKET_TIMES, SocketTimes

__all__ = ["TimedConnector", "TimedRequest", "open_session"]


def open_session() -> aiohttp.ClientSession:
    """A session without limits of its own: deadline, places and retries are the gateway's."""
    return aiohttp.ClientSession(
        connector=TimedConnector(limit=0, ttl_dns_cache=300),
        request_class=TimedRequest,
        # The gateway's deadline holds for the whole attempt; aiohttp's would hold for parts of it.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


class TimedConnector(aiohttp.TCPConnector):
    """Makes connections that note their times."""

    def __init__(self, *, limit: int, ttl_dns_cache: int) -> None:
        super().__init__(limit=limit, ttl_dns_cache=ttl_dns_cache)
        factory: Any = functools.partial(_TimedConnection, self._loop, _Pool())
        self._factory = factory


class TimedRequest(aiohttp.ClientRequest):
    """Tells the connection which request it carries, at the moment that it goes out."""

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Send headers and body."""
        if isinstance(conn.protocol, _TimedConnection):
            conn.protocol.carry(SOCKET_TIMES.get())
        await super().write_bytes(writer, conn, content_length)


@dataclass(slots=True)
class _Pool:
    stale_at: float = float("-inf")
    """When a kept connection was last found closed: others that are idle since before are no better."""


class _TimedConnection(ResponseHandler):
    def __init__(self, loop: asyncio.AbstractEventLoop, pool: _Pool) -> None:
        super().__init__(loop)
        self._pool = pool
        self._times: SocketTimes | None = None
        self._socket: socket.socket | None = None
        self._carried = False
        self._used_at = time.perf_counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._socket = transport.get_extra_info("socket") if sys.platform == "linux" else None

    def is_connected(self) -> bool:
        return super().is_connected() and self._used_at >= self._pool.stale_at

    def carry(self, times: SocketTimes | None) -> None:
        """The next bytes belong to this request."""
        self._times, reused, self._carried = times, self._carried, True
        self._used_at = time.perf_counter()
        if times is not None:
            times.reused, times.sent_at = reused, times.clock()

    def data_received(self, data: bytes) -> None:
        times = self._times
        if times is None or not data:  # without data: a compressed body goes on
            super().data_received(data)
            return
        self._used_at = time.perf_counter()
        earliest = times.sent_at if times.last_at is None else times.last_at
        times.last_at = max(times.clock() - self._waited_s(), earliest or 0.0)
        if times.first_at is None:
            times.first_at = times.last_at
        super().data_received(data)
        if not times.unread and self.exception() is not None:
            times.unread = data[:KEPT_BYTES]

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._times is not None and self._times.dropped:
            self._pool.stale_at = time.perf_counter()
        super().connection_lost(exc)

    def _waited_s(self) -> float:
        """How long the bytes have lain in the kernel; at most that: the rest of a tick stays with the answer."""
        if self._socket is None:
            return 0.0
        try:
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECEIVED + 4)
            waited_ms: int = struct.unpack_from("=I", info, _LAST_DATA_RECEIVED)[0]
        except (OSError, struct.error):
            self._socket = None  # no TCP socket
            return 0.0
        return max(0, waited_ms - _TICK_MS) / 1000


_LAST_DATA_RECEIVED = 52
"""Place of `tcpi_last_data_recv`, the milliseconds since the last data, in `struct tcp_info` (linux/tcp.h)."""
_TICK_MS = 4
"""The kernel counts in ticks: 4 ms at 250 Hz, which most distributions have."""
