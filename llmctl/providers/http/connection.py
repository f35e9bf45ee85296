"""A connection: one request out, its answer in, and when the bytes left and came.

A task sees an answer only when its turn comes: with hundreds of calls at once that is this process's own queue. So
times are noted here, where the bytes come from the socket, less what they have waited in the kernel.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import Protocol

from llmctl.providers.http.parser import MAX_HEAD_BYTES, NotHttp, ResponseParser
from llmctl.providers.http.response import Response
from llmctl.providers.wire import SocketTimes

__all__ = ["Connection", "Home"]


class Home(Protocol):
    """Where connections are between two requests."""

    def join(self, connection: Connection) -> None:
        """It stands."""

    def keep(self, connection: Connection) -> None:
        """It may carry another request."""

    def forget(self, connection: Connection, *, stale: bool) -> None:
        """It has ended; `stale`: the server had closed it while it was kept."""


class Connection(asyncio.Protocol):
    """To one server. It carries one request at a time."""

    def __init__(self, home: Home) -> None:
        self.idle_since = 0.0
        """When it was kept, on the loop's clock."""
        self._home = home
        self._loop = asyncio.get_running_loop()
        self._parser = ResponseParser()
        self._transport: asyncio.Transport | None = None
        """None: not connected, or not any more."""
        self._socket: socket.socket | None = None
        """Where the kernel can be asked when bytes came."""
        self._early = b""
        """What came before anything was asked."""
        self._carried = False
        self._keep_alive = True
        self._response: Response | None = None
        self._done: asyncio.Future[None] | None = None

    @property
    def usable(self) -> bool:
        """Whether nothing says that it has ended."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes, response: Response, *, keep_alive: bool) -> asyncio.Future[None]:
        """Send a request; once that is done, `response` knows the answer, or why there is none.

        Args:
            request: all its bytes.
            response: gets what comes.
            keep_alive: whether the connection may be kept for another request.
        """
        done = self._loop.create_future()
        if self._transport is None:
            response.lost(None)
            done.set_result(None)
            return done
        times = response.times
        times.reused, self._carried = self._carried, True
        self._response, self._done, self._keep_alive = response, done, keep_alive
        response.tape.sent_at = times.sent_at = times.clock()
        self._transport.write(request)
        if self._early:
            self._loop.call_soon(self.data_received, self._early)
            self._early = b""
        return done

    def give_up(self, response: Response) -> None:
        """Nobody waits for this answer any more."""
        if self._response is response:
            self._response = self._done = None
            self.abort()

    def abort(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._socket = transport.get_extra_info("socket") if sys.platform == "linux" else None
        self._home.join(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        response = self._response
        if response is None:
            self._unasked(data)
            return
        self._note(response.times)
        try:
            self._read(response, data)
        except Exception as error:  # of whoever watches the text as it comes
            self._finish(keep=False, error=error)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._transport, response = None, self._response
        self._home.forget(self, stale=response is not None and response.times.dropped)
        if response is None:
            return
        if exc is None and self._parser.end():
            response.end()
        else:
            response.lost(exc)
        self._finish(keep=False)

    def _unasked(self, data: bytes) -> None:
        """A server may greet, or refuse, before it was asked. What comes later would be taken for the next answer."""
        self._early += data
        if self._carried or len(self._early) > MAX_HEAD_BYTES:
            self.abort()

    def _read(self, response: Response, data: bytes) -> None:
        parser, taken, readable = self._parser, len(response.tape.body), True
        try:
            parser.feed(data)
        except NotHttp:
            readable = False
        if parser.status is not None and response.tape.status is None:
            response.begin(parser.status, parser.headers)
        wanted = all(map(response.take, parser.pieces))
        parser.pieces.clear()
        if not wanted:
            self._finish(keep=False)
        elif not readable:
            response.garbled(parser.unread + data, taken)
            self._finish(keep=False)
        elif parser.whole:
            response.end()
            self._finish(keep=parser.keep_alive and self._keep_alive)

    def _finish(self, *, keep: bool, error: Exception | None = None) -> None:
        done, transport = self._done, self._transport
        self._response = self._done = None
        # A server may answer before it has read all that was sent: the rest must not reach it as another request.
        if keep and transport is not None and not transport.get_write_buffer_size():
            self._parser.reset()
            self._home.keep(self)
        else:
            self.abort()
        if done is None or done.done():  # cancelled, and not yet given up
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def _note(self, times: SocketTimes) -> None:
        earliest = times.sent_at if times.last_at is None else times.last_at
        times.last_at = max(times.clock() - self._waited_s(), earliest or 0.0)
        if times.first_at is None:
            times.first_at = times.last_at

    def _waited_s(self) -> float:
        """How long the bytes have lain in the kernel; at most that: the rest of a tick stays with the answer."""
        if self._socket is None:
            return 0.0
        try:
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECEIVED + 4)
            waited_ms: int = _UNSIGNED.unpack_from(info, _LAST_DATA_RECEIVED)[0]
        except (OSError, struct.error):
            self._socket = None  # no TCP socket
            return 0.0
        return max(0, waited_ms - _TICK_MS) / 1000


_UNSIGNED = struct.Struct("=I")
_LAST_DATA_RECEIVED = 52
"""Place of `tcpi_last_data_recv`, the milliseconds since the last data, in `struct tcp_info` (linux/tcp.h)."""
_TICK_MS = 4
"""The kernel counts in ticks: 4 ms at 250 Hz, which most distributions have."""
