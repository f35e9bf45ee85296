"""The connection to the upstream that belongs to one client: what comes goes on at once, and is noted."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from llmctl.traffic.recorder.exchange import Ending
from llmctl.traffic.recorder.heads import ResponseHead, response_head
from llmctl.traffic.recorder.sockets import no_delay

if TYPE_CHECKING:
    from llmctl.traffic.recorder.connection import ClientConnection

__all__ = ["UpstreamConnection"]

_MOST_HEAD_BYTES = 2**18
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_BODILESS = frozenset({204, 304})


class UpstreamConnection(asyncio.Protocol):
    """What the upstream sends."""

    def __init__(self, client: ClientConnection) -> None:
        self._client = client
        self._begun = b""
        """Of a head that is not whole."""
        self._head: ResponseHead | None = None
        self._parser: HttpResponseParser | None = None
        """Of the body that comes now; None: it is passed on unread."""
        self._abandoned = False
        self._unread = False
        """Whether what comes cannot be read as HTTP."""
        self._whole = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self.transport = cast(asyncio.Transport, transport)
        no_delay(self.transport)
        self._client.upstream_made(self)

    def pause_writing(self) -> None:
        """It takes no more for now."""
        self._client.upstream_full(True)

    def resume_writing(self) -> None:
        """It does again."""
        self._client.upstream_full(False)

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        self._abandoned = True
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass on what the upstream sends."""
        while data and not self._abandoned:
            if self._unread:
                self._write(data)
                if (exchange := self._client.current) is not None:
                    exchange.response.add(data)
                return
            data = self._read_head(data) if self._head is None else self._read_body(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The upstream has closed the connection."""
        if self._abandoned:
            return
        if self._begun:
            self._write(self._begun)
        head = self._head
        if self._unread:
            ending = Ending.NOT_HTTP
        elif exc is not None:
            ending = Ending.RESET
        elif head is not None and head.until_close:
            ending = Ending.WHOLE
        else:
            ending = Ending.CUT
        self._client.upstream_lost(ending, exc)

    def on_body(self, body: bytes) -> None:
        """A part of a body, as `httptools` found it."""
        exchange = self._client.current
        assert exchange is not None
        exchange.response.add(body)

    def on_message_complete(self) -> None:
        """`httptools` has seen the end."""
        self._whole = True

    def _read_head(self, data: bytes) -> bytes:
        """Read a head, and pass it on; what stands behind it."""
        data = self._begun + data
        self._begun = b""
        found = _END_OF_HEAD.search(data)
        if found is None and len(data) <= _MOST_HEAD_BYTES and data[:5] == b"HTTP/"[: len(data)]:
            self._begun = data
            return b""
        exchange = self._client.current
        head = response_head(data[: found.end()]) if found is not None else None
        if head is None or found is None or exchange is None:
            self._unread = True
            return data
        rest = data[found.end() :]
        if head.interim:
            self._write(head.passed_on)
            return rest
        exchange.head = self._head = head
        if exchange.method == b"HEAD" or head.status in _BODILESS:
            self._write(head.passed_on)
            self._done()
            return rest
        self._whole = False
        self._parser = HttpResponseParser(self)
        # As lenient as the clients that are to read it.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        try:
            self._parser.feed_data(data[: found.end()])
        except (HttpParserError, HttpParserUpgrade):
            self._unread = True
            self._write(head.passed_on)
            return rest
        return self._read_body(rest, head.passed_on)

    def _read_body(self, data: bytes, before: bytes = b"") -> bytes:
        """Pass on a part of the body, after `before`; nothing is left of it."""
        if data and self._parser is not None:
            try:
                self._parser.feed_data(data)
            except (HttpParserError, HttpParserUpgrade):
                if not self._whole:
                    self._unread = True
        self._write(before + data if before else data)
        if self._whole:
            self._done()
        return b""

    def _done(self) -> None:
        self._head = self._parser = None
        self._whole = False
        self._client.answered()

    def _write(self, data: bytes) -> None:
        if data and not self._client.transport.is_closing():
            self._client.transport.write(data)
