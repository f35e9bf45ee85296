"""Bytes of a connection to HTTP/1.1 answers: status, headers, pieces of the body, and whether it is whole. Pure.

`httptools` reads them, with the leniency of every other client: a bare line feed may end a header, and one header may
go over several lines. How the bytes were cut up on the way changes nothing of what is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

__all__ = ["MAX_HEAD_BYTES", "Headers", "NotHttp", "ResponseParser"]

MAX_HEAD_BYTES = 64 * 1024
"""Of all headers together, and of what may stand between two pieces of a body."""

_SWITCHING_PROTOCOLS = 101


class NotHttp(Exception):
    """What came cannot be read."""


class Headers(Mapping[str, str]):
    """Values by name in any case. Of several values the first one counts; names come out in lower case.

    Raises:
        NotHttp: a value holds a NUL.
    """

    __slots__ = ("_values",)

    def __init__(self, fields: list[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in fields:
            if b"\0" in value:
                raise NotHttp
            text = value.decode("utf-8", "surrogateescape").strip(" \t")
            self._values.setdefault(name.decode("latin-1").lower(), text)

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class ResponseParser:
    """Reads the answers of one connection, one after the other; `reset` makes it ready for the next."""

    def __init__(self) -> None:
        self.status: int | None = None
        """None: the head is not whole."""
        self.headers = Headers([])
        self.pieces: list[bytes] = []
        """Of the body; whoever has used them clears the list."""
        self.whole = False
        self.keep_alive = False
        """Whether the connection may carry another request, once the answer is whole."""
        self.unread = b""
        """What has come of a head that is not whole."""
        self._fields: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._bare_bytes = 0
        """Since the last piece of the body."""
        self.on_body = self.pieces.append
        self._parser = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )

    def feed(self, data: bytes) -> None:
        """Take what has come.

        Raises:
            NotHttp: it cannot be read, or the head is too long. The connection is of no more use.
        """
        in_head = self.status is None
        if in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            if not self.whole:
                raise NotHttp from None
            self.keep_alive = False  # more came than was asked for
        if self.status is None:
            self._wait_for_head(data)
        elif in_head:
            self.unread = b""
        elif not self.whole:
            self._wait_for_body(data)

    def end(self) -> bool:
        """Whether the answer is whole, now that the connection has ended: one that says no length ends with it."""
        if self.status is None or self.whole:
            return self.whole
        return not any(_says_length(name.lower(), value.lower()) for name, value in self._fields)

    def reset(self) -> None:
        """Be ready for the next answer."""
        self.status, self.whole = None, False
        self.pieces.clear()
        self._fields.clear()
        self._head_bytes = self._bare_bytes = 0

    # What `httptools` calls; `on_body` is the list's own method.

    def on_message_begin(self) -> None:
        """An answer begins."""
        if self.whole:
            raise NotHttp

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; or a trailer, after a body in chunks, which nobody reads."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        status, fields = self._parser.get_status_code(), self._fields
        if 100 <= status < 200 and status != _SWITCHING_PROTOCOLS:
            fields.clear()  # the answer is still to come
            return
        if self._head_bytes > MAX_HEAD_BYTES and sum(map(_length, fields)) > MAX_HEAD_BYTES:
            raise NotHttp
        self.status, self.headers = status, Headers(fields)

    def on_message_complete(self) -> None:
        """The body is whole, or there is none."""
        if self.status is not None:
            self.whole = True
            self.keep_alive = self._parser.should_keep_alive() and self.status != _SWITCHING_PROTOCOLS

    def _wait_for_head(self, data: bytes) -> None:
        if self._head_bytes > MAX_HEAD_BYTES:
            raise NotHttp
        self.unread += data

    def _wait_for_body(self, data: bytes) -> None:
        """Trailers, or what may stand beside the length of a chunk, without end."""
        self._bare_bytes = 0 if self.pieces else self._bare_bytes + len(data)
        if self._bare_bytes > MAX_HEAD_BYTES:
            raise NotHttp


def _says_length(name: bytes, value: bytes) -> bool:
    return name == b"content-length" or (name == b"transfer-encoding" and value.rstrip().endswith(b"chunked"))


def _length(field: tuple[bytes, bytes]) -> int:
    return len(field[0]) + len(field[1])
