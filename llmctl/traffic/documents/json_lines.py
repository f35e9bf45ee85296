"""JSON in a file: a value on each line, or values over several lines, or a list; also one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

import orjson

from llmctl.traffic.documents.feed import Feed
from llmctl.traffic.documents.found import MAX_DOCUMENT_BYTES, TOO_LONG, Found, Unreadable
from llmctl.traffic.documents.json_values import CUT_OFF, Until, value_documents
from llmctl.traffic.documents.values import NOT_JSON, NOT_OBJECT, document_of
from llmctl.traffic.readers.base import Document

__all__ = ["PREFIX", "json_documents"]

_BLANK = b" \t\r\n\0\x1e\xef\xbb\xbf"
PREFIX = re.compile(rb"""[^{}"\x00]{1,200}[ \t:|](?=\{".*\}$)""")
"""What may stand before an object that fills the rest of its line."""
_INSIDE = b' \t"}],'
"""How a line begins that goes on with a value of the line before."""


def json_documents(stream: BinaryIO) -> Iterator[Found]:
    """The documents of a file of JSON, with the line that each begins in. Never more than one of them in memory."""
    feed = Feed(stream)
    loads = orjson.loads
    while line := feed.readline(MAX_DOCUMENT_BYTES):
        if len(line) == MAX_DOCUMENT_BYTES:
            yield from _other(feed, line)
            continue
        try:
            value = loads(line)
            raw = line.decode()
        except (orjson.JSONDecodeError, UnicodeDecodeError):
            yield from _other(feed, line)
            continue
        if type(value) is dict:
            yield Document(value, raw.strip(), feed.line - line.endswith(b"\n"))
        else:
            yield from _other(feed, line)


def _other(feed: Feed, line: bytes) -> Iterator[Found]:
    """What a line holds that is not one object."""
    number = feed.line - line.endswith(b"\n")
    stripped = line.strip(_BLANK)
    if not stripped:
        if b"\0" in line:
            yield Unreadable(number, "nothing but NUL bytes")
    elif len(line) >= MAX_DOCUMENT_BYTES:
        yield from _long(feed, line, stripped, number)
    elif not isinstance(found := document_of(line, number), Unreadable):
        yield found
    elif stripped[:1] == b"[":
        yield from _listed(feed, line, stripped, number)
    elif stripped[:1] == b"{" and _goes_on(feed, stripped):
        feed.unread(line)
        yield from value_documents(feed, until=Until.ONE)
    elif stripped not in (b"]", b"],"):
        yield from _one_line(line, stripped, number, found)


def _long(feed: Feed, line: bytes, stripped: bytes, number: int) -> Iterator[Found]:
    """A line that is too long, unless it is a list without line ends."""
    if stripped.startswith(b"["):
        feed.unread(line)
        yield from value_documents(feed, until=Until.LIST_END)
        return
    if not line.endswith(b"\n"):
        _skip_line(feed)
    yield Unreadable(number, TOO_LONG)


def _listed(feed: Feed, line: bytes, stripped: bytes, number: int) -> Iterator[Found]:
    """The values of the list that begins here; nothing but brackets is said, an empty list is not."""
    feed.unread(line)
    nothing = stripped.translate(None, b" \t") not in (b"[", b"[]")
    for one in value_documents(feed, until=Until.LIST_END):
        nothing = False
        yield one
    if nothing:
        yield Unreadable(number, NOT_OBJECT)


def _one_line(line: bytes, stripped: bytes, number: int, found: Unreadable) -> Iterator[Found]:
    """A line that holds an object behind what a logger writes (a time, a level, its name), or several, or damage."""
    if prefix := PREFIX.match(stripped):
        yield document_of(stripped[prefix.end() :], number)
    else:
        yield from _several(line, number, found, last=not line.endswith(b"\n"))


def _goes_on(feed: Feed, stripped: bytes) -> bool:
    """Whether the value of a line goes on in the next one."""
    if stripped == b"{":
        return True
    following = feed.readline(MAX_DOCUMENT_BYTES)
    feed.unread(following)
    return bool(following.strip()) and following[:1] in _INSIDE


def _several(line: bytes, number: int, found: Unreadable, *, last: bool) -> Iterator[Found]:
    """Several objects on one line, or a damaged line."""
    import io

    if line.lstrip(_BLANK)[:1] == b"{" and found.reason == NOT_JSON:
        values = list(value_documents(Feed(io.BytesIO(line))))
        if len(values) > 1 and isinstance(values[0], Document):
            for value in values:
                value.line = number
                yield value
            return
        if last:
            found = Unreadable(number, CUT_OFF)
    yield found


def _skip_line(feed: Feed) -> None:
    while (part := feed.readline(2**20)) and not part.endswith(b"\n"):
        pass
