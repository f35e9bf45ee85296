"""A client's connection: what it asks goes on as it comes, and is noted; one after the other where it asks ahead.

Every client connection has an upstream connection of its own. So whatever the upstream does with it (keeps it, closes
it, resets it, sends nothing) is what the client sees. Heads are read and written anew; bodies are not touched.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from llmctl.traffic.recorder.answering import UpstreamConnection
from llmctl.traffic.recorder.exchange import Ending, Exchange
from llmctl.traffic.recorder.heads import Field, request_head
from llmctl.traffic.recorder.own_words import head_again, own_answer
from llmctl.traffic.recorder.sockets import no_delay, reset
from llmctl.traffic.recorder.upstream import Upstream

__all__ = ["ClientConnection"]

_MOST_UNSENT_BYTES = 2**20
_DISCARD_S = 5.0


class ClientConnection(asyncio.Protocol):
    """What one client sends, and what it gets."""

    def __init__(
        self,
        upstream: Upstream,
        ended: Callable[[Exchange], None],
        opened: Callable[[ClientConnection], None],
        closed: Callable[[ClientConnection], None],
    ) -> None:
        """`ended` gets every exchange once, when it has ended however it did."""
        self._upstream = upstream
        self._ended = ended
        self._opened = opened
        self._closed = closed
        self._server: UpstreamConnection | None = None
        self._dialing: asyncio.Task[None] | None = None
        self._exchanges: deque[Exchange] = deque()
        self._reading: Exchange | None = None
        """The one whose request is being read."""
        self._out: list[bytes] = []
        """For the upstream, to be sent in one piece."""
        self._unsent_bytes = 0
        self._upstream_full = False
        self._paused = False
        self._closing = False
        self._discarding = False
        """Whether what the client still sends is of no more use."""
        self._parser = HttpRequestParser(self)
        self._going_on = False
        """Whether the head that comes is that of the request that is being read."""
        self._url = b""
        self._fields: list[Field] = []

    # --- the client's side --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client has connected."""
        self.transport = cast(asyncio.Transport, transport)
        no_delay(self.transport)
        self._opened(self)

    def data_received(self, data: bytes) -> None:
        """Pass on what the client sends."""
        if self._discarding:
            return
        try:
            self._feed(data)
        except HttpParserError as error:
            self._refuse(f"What the client sent is no HTTP request ({error}).")
            return
        self._send()

    def eof_received(self) -> None:
        """The client has closed its side: it waits for nothing."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The client is gone: what the upstream still does for it is called off."""
        if self._dialing is not None:
            self._dialing.cancel()
        for exchange in self._exchanges:
            self._finish(exchange, Ending.CLIENT_GONE)
        self._exchanges.clear()
        if self._server is not None:
            self._server.abandon()
        self._closed(self)

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        if self._server is not None:
            self._server.transport.pause_reading()

    def resume_writing(self) -> None:
        """It does again."""
        if self._server is not None:
            self._server.transport.resume_reading()

    def close_when_idle(self) -> None:
        """Close as soon as what is under way has ended."""
        self._closing = True
        if not self._exchanges:
            self.transport.close()

    def stop(self) -> None:
        """Close at once."""
        for exchange in self._exchanges:
            exchange.end(Ending.STOPPED)
        self.transport.abort()

    # What `httptools` calls.

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; or a trailer of a body in chunks, which is not passed on."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The head of a request is whole."""
        if self._going_on:
            self._going_on, self._url, self._fields = False, b"", []
            return
        fields, target, parser = self._fields, self._url, self._parser
        self._fields, self._url = [], b""
        chunked = any(name.lower() == b"transfer-encoding" for name, _ in fields)
        exchange = Exchange(parser.get_method(), target, fields, parser.should_keep_alive(), chunked)
        self._exchanges.append(exchange)
        self._reading = exchange
        if exchange.method == b"CONNECT":
            return
        version = parser.get_http_version()
        self._pass_on(exchange, request_head(exchange.method, target, version, fields, self._upstream))

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        exchange = self._reading
        assert exchange is not None
        exchange.request.add(body)
        if exchange.chunked:
            body = b"%x\r\n%s\r\n" % (len(body), body)
        self._pass_on(exchange, body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._parser.should_upgrade():
            return  # the body is still to be read
        exchange, self._reading = self._reading, None
        self._fields = []
        assert exchange is not None
        exchange.asked = True
        if exchange.chunked:
            self._pass_on(exchange, b"0\r\n\r\n")
        if exchange.answered:
            self._next()

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                exchange = self._reading
                if exchange is None or exchange.method == b"CONNECT":
                    self._exchanges.clear()
                    self._refuse("CONNECT is not passed on: point the client's base URL at this address instead.")
                    return
                # Another protocol was offered (h2c, by Java's client), and is not taken up: the request is one like any
                # other, but the parser has left its body. Another parser reads on, behind a head like the one it had.
                data = head_again(exchange) + data[cast(int, upgrade.args[0]) :]
                self._parser = HttpRequestParser(self)
                self._going_on = True
                continue
            return

    # --- towards the upstream -----------------------------------------------------------------------------------------

    def _pass_on(self, exchange: Exchange, data: bytes) -> None:
        if exchange is self._exchanges[0]:
            self._out.append(data)
        else:
            exchange.held.append(data)
        self._unsent_bytes += len(data)

    def _send(self) -> None:
        """Send what has gathered, once there is a connection."""
        if self._server is not None:
            if self._out:
                self._server.transport.write(b"".join(self._out) if len(self._out) > 1 else self._out[0])
                self._out.clear()
            self._unsent_bytes = sum(len(one) for exchange in self._exchanges for one in exchange.held)
        elif self._dialing is None and self._out:
            self._dialing = asyncio.get_running_loop().create_task(self._dial())
        self._throttle()

    def _throttle(self) -> None:
        full = self._upstream_full or self._unsent_bytes > _MOST_UNSENT_BYTES
        if full != self._paused and not self.transport.is_closing():
            self._paused = full
            (self.transport.pause_reading if full else self.transport.resume_reading)()

    async def _dial(self) -> None:
        try:
            await self._upstream.connect(lambda: UpstreamConnection(self))
        except OSError as error:
            self._unreachable(str(error.strerror or error))

    def upstream_made(self, server: UpstreamConnection) -> None:
        """There is a connection to the upstream."""
        if self.transport.is_closing():
            server.abandon()
            return
        self._server = server
        self._send()

    def upstream_full(self, full: bool) -> None:
        """Whether the upstream takes no more for now."""
        self._upstream_full = full
        self._throttle()

    # --- from the upstream --------------------------------------------------------------------------------------------

    @property
    def current(self) -> Exchange | None:
        """The exchange whose response comes now."""
        return self._exchanges[0] if self._exchanges else None

    def answered(self) -> None:
        """The response of the current exchange is whole."""
        exchange = self._exchanges[0]
        exchange.answered = True
        self._finish(exchange, Ending.WHOLE)
        if exchange.asked:
            self._next()

    def upstream_lost(self, ending: Ending, error: Exception | None) -> None:
        """The upstream has closed the connection, and so it is closed here, in the same way."""
        exchange = self.current
        if exchange is not None and not exchange.answered:
            self._finish(exchange, ending, str(error) if error else None)
        self._exchanges.clear()
        if self.transport.is_closing():
            return
        if error is not None and ending is not Ending.WHOLE:
            reset(self.transport)
        elif exchange is None or exchange.asked:
            self.transport.close()
        else:
            self._discard()

    def _next(self) -> None:
        """Go on with the request that came after the one that is done."""
        done = self._exchanges.popleft()
        if not done.keep_alive or (self._closing and not self._exchanges):
            self.transport.close()
        elif self._exchanges:
            following = self._exchanges[0]
            self._out += following.held
            following.held.clear()
            self._send()

    def _finish(self, exchange: Exchange, ending: Ending, error: str | None = None) -> None:
        exchange.end(ending, error)
        if not exchange.told:
            exchange.told = True
            self._ended(exchange)

    # --- what this server says itself ---------------------------------------------------------------------------------

    def _unreachable(self, reason: str) -> None:
        exchange = self.current
        self._dialing = None
        if exchange is None:
            return
        said = f"llmctl record cannot reach {self._upstream.shown}: {reason}"
        self.transport.write(own_answer(b"502 Bad Gateway", said, "upstream_unreachable"))
        self._finish(exchange, Ending.UNREACHABLE, said)
        self._exchanges.clear()
        if exchange.asked:
            self.transport.close()
        else:
            self._discard()

    def _refuse(self, said: str) -> None:
        if self.transport.is_closing():
            return
        if self._exchanges:  # an answer is on its way: nothing can be said in between
            self.transport.abort()
            return
        self.transport.write(own_answer(b"400 Bad Request", said, "bad_request"))
        self._discard()

    def _discard(self) -> None:
        """Close, but let the client first send what it still sends: a reset would take the answer from it."""
        self._discarding = True
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        with contextlib.suppress(OSError):
            self.transport.write_eof()
        asyncio.get_running_loop().call_later(_DISCARD_S, self.transport.abort)
