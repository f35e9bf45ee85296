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
        return 100 <= self.status < 200 and self.status != 101

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
    dropped = _named_by_connection(fields) | {name for name, _ in upstream.headers} | {b"host"}
    lines = [
        b"%s %s HTTP/%s" % (method, upstream.target(target), version.encode()),
        b"Host: " + upstream.host_header,
    ]
    lines += [b"%s: %s" % (name, value) for name, value in fields if not _stays_here(name.lower(), dropped)]
    lines += [b"%s: %s" % (name.title(), value) for name, value in upstream.headers]
    kept = b"close" if upstream.close else _connection(fields)
    if kept:
        lines.append(b"Connection: " + kept)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _stays_here(name: bytes, dropped: set[bytes]) -> bool:
    return name in _HOP_BY_HOP or name in dropped or name.startswith(_OWN)


def response_head(head: bytes) -> ResponseHead | None:
    """Read a head that ends with an empty line; None: it is no HTTP/1 response."""
    found = _STATUS_LINE.match(head)
    if found is None:
        return None
    fields = []
    lines = head[found.end() :].splitlines(keepends=True)
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon:
            fields.append((name.strip().lower(), value.strip()))
    status = int(found[1])
    gone = {b"keep-alive", b"proxy-connection", b"te"} | _named_by_connection(fields)
    gone.discard(b"connection")
    if status == 101:
        return ResponseHead(status, head, tuple(fields))
    kept: list[bytes] = []
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.strip().lower()
        if name == b"connection":
            said = _connection([(name, value)])
            if said:
                kept.append(b"Connection: " + said + b"\r\n")
        elif name not in gone:
            kept.append(line)
    return ResponseHead(status, found[0] + b"".join(kept), tuple(fields))


def _named_by_connection(fields: Sequence[Field]) -> set[bytes]:
    said = b",".join(value for name, value in fields if name.lower() == b"connection")
    return {one.strip().lower() for one in said.split(b",") if one.strip()} - _KEPT_NAMED if said else set()


def _connection(fields: Sequence[Field]) -> bytes:
    """Of `Connection` what is as true on the other side: each client has an upstream connection of its own."""
    said = {one.strip().lower() for name, value in fields if name.lower() == b"connection" for one in value.split(b",")}
    return b"close" if b"close" in said else b"keep-alive" if b"keep-alive" in said else b""


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
