"""Heads of requests and responses as they are passed on: everything but what concerns one connection alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from llmctl.traffic.recorder.upstream import Upstream

__all__ = ["Field", "ResponseHead", "named", "request_head", "response_head", "secrets_in"]

Field = tuple[bytes, bytes]
"""The name and the value of a header."""

_HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
        *(b"te", b"upgrade", b"http2-settings"),
    }
)
"""RFC 9110, section 7.6.1, and older names. Transfer-Encoding and Trailer stay: bodies go on in the same frame."""
_NOT_PASSED_ON = _HOP_BY_HOP | {b"host"}
_OF_ONE_CONNECTION = frozenset({b"keep-alive", b"proxy-connection", b"te"})
_LENGTH = len(b"connection")
_SWITCHING = 101
_OWN = b"x-llmctl-"
_KEPT_NAMED = frozenset({b"content-length", b"transfer-encoding", b"host", b"content-type", b"content-encoding"})
"""What `Connection` cannot name away: the message would not be the same."""
_SECRET = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"cookie", b"proxy-authorization"})
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r?\n")
_SHORTEST_SECRET = 16


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """What the head of a response says."""

    status: int
    passed_on: bytes
    """As the client gets it."""
    fields: tuple[Field, ...]
    """Names in lower case."""

    @property
    def interim(self) -> bool:
        """Whether the response itself is still to come (100 Continue, 103 Early Hints)."""
        return 100 <= self.status < 200 and self.status != _SWITCHING

    @property
    def until_close(self) -> bool:
        """Whether the body ends with the connection, where there is one at all."""
        if named(self.fields, b"content-length") is not None:
            return False
        return not (named(self.fields, b"transfer-encoding") or b"").rstrip().lower().endswith(b"chunked")


def named(fields: Sequence[Field], name: bytes) -> bytes | None:
    """The value of a header; `name` in lower case."""
    return next((value for key, value in fields if key.lower() == name), None)


def request_head(method: bytes, target: bytes, version: str, fields: Sequence[Field], upstream: Upstream) -> bytes:
    """The head that the upstream gets. Headers that are meant for llmctl (`X-Llmctl-...`) stay here."""
    said = _said_of_connection(fields)
    dropped = _NOT_PASSED_ON
    if said or upstream.headers:
        dropped = dropped | _named_away(said) | {name for name, _ in upstream.headers}
    lines = [b"%s %s HTTP/%s\r\nHost: %s" % (method, upstream.target(target), version.encode(), upstream.host_header)]
    lines += [
        b"%s: %s" % one for one in fields if (name := one[0].lower()) not in dropped and not name.startswith(_OWN)
    ]
    lines += [b"%s: %s" % (name.title(), value) for name, value in upstream.headers]
    kept = b"close" if upstream.close else _connection(said)
    if kept:
        lines.append(b"Connection: " + kept)
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def response_head(head: bytes) -> ResponseHead | None:
    """Read a head that ends with an empty line; None: it is no HTTP/1 response."""
    found = _STATUS_LINE.match(head)
    if found is None:
        return None
    status = int(found[1])
    lines = head[found.end() :].splitlines(keepends=True)
    read = [line.partition(b":") for line in lines]
    fields = tuple([(name.strip().lower(), value.strip()) for name, colon, value in read if colon])
    if status == _SWITCHING:
        return ResponseHead(status, head, fields)
    said = _said_of_connection(fields)
    if not said and not any([name in _OF_ONE_CONNECTION for name, _ in fields]):
        return ResponseHead(status, head, fields)
    dropped = (_OF_ONE_CONNECTION | _named_away(said)) - {b"connection"}
    kept = [found[0]]
    for line, (begin, _, value) in zip(lines, read, strict=True):
        name = begin.strip().lower()
        if name == b"connection":
            if one := _connection(value):
                kept.append(b"Connection: " + one + b"\r\n")
        elif name not in dropped:
            kept.append(line)
    return ResponseHead(status, b"".join(kept), fields)


def _said_of_connection(fields: Sequence[Field]) -> bytes:
    return b",".join([value for name, value in fields if len(name) == _LENGTH and name.lower() == b"connection"])


def _options(said: bytes) -> set[bytes]:
    return {one.strip().lower() for one in said.split(b",") if one.strip()}


def _named_away(said: bytes) -> set[bytes]:
    return _options(said) - _KEPT_NAMED


def _connection(said: bytes) -> bytes:
    """Of `Connection` what is as true on the other side: each client has an upstream connection of its own."""
    options = _options(said)
    return b"close" if b"close" in options else b"keep-alive" if b"keep-alive" in options else b""


def secrets_in(fields: Sequence[Field]) -> list[str]:
    """Keys that the client sent: they are not to be written, wherever else they turn up.

    Words that people put where no key is needed (`not-needed`) are none, and may stand in a text.
    """
    found = []
    for name, value in fields:
        if name.lower() in _SECRET:
            text = value.decode("latin-1").rpartition(" ")[2]
            if len(text) >= _SHORTEST_SECRET and any(letter.isdigit() for letter in text):
                found.append(text)
    return found
