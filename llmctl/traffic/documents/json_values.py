"""JSON values one after another, over as many lines as they take, also as the elements of a list.

A list's brackets and commas are taken for white space: what counts is where each object begins and ends. Where an
object is damaged, reading goes on at the next line that begins like the one in which it began.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from llmctl.traffic.documents.feed import Feed
from llmctl.traffic.documents.found import MAX_DOCUMENT_BYTES, TOO_LONG, Found, Unreadable
from llmctl.traffic.documents.values import NOT_JSON, document_of

__all__ = ["CUT_OFF", "Until", "value_documents"]

CUT_OFF = "cut off at the end of the file"
_NOT_CLOSED = "the list is cut off at the end of the file"
_BETWEEN = re.compile(rb"(?:[ \t\r\n,\[\]\x00]|\xef\xbb\xbf)+")
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["{}]', re.DOTALL)
_KEPT_BYTES = 2**12
_LINE_BYTES = 2**20


class Until(Enum):
    """How much of a file is read as values."""

    END = auto()
    LIST_END = auto()
    ONE = auto()


def value_documents(feed: Feed, *, until: Until = Until.END) -> Iterator[Found]:
    """Every value of what is left, those of the list that begins here, or the one that begins here."""
    depth = 0
    while True:
        between = _skip(feed)
        depth += between.opened
        if until is Until.LIST_END and between.text and depth <= 0:
            return
        if not feed.held:
            if depth > 0:
                yield Unreadable(feed.line, _NOT_CLOSED)
            return
        if feed.held.startswith(b"{"):
            yield _value(feed, between.indent)
        else:
            line, text = feed.line, _no_value(feed)
            depth += text.count(b"[") - text.count(b"]")
            yield Unreadable(line, NOT_JSON)
        if until is Until.ONE:
            return


@dataclass(frozen=True, slots=True)
class _Between:
    """What stood between two values."""

    text: bytes

    @property
    def opened(self) -> int:
        """By how many the open lists have become more."""
        return self.text.count(b"[") - self.text.count(b"]")

    @property
    def indent(self) -> bytes:
        """The white space before the value in its line."""
        last = self.text[self.text.rfind(b"\n") + 1 :]
        return b"" if last.strip(b" \t") else last


def _skip(feed: Feed) -> _Between:
    """Take what stands between two values."""
    text = b""
    while feed.held or feed.more():
        match = _BETWEEN.match(feed.held)
        if match is None:
            # A byte order mark may be cut by the end of what is held.
            if len(feed.held) < 3 and not feed.ended and feed.more():
                continue
            break
        text = text[-_KEPT_BYTES:] + feed.take(match.end())
    return _Between(text)


def _value(feed: Feed, indent: bytes) -> Found:
    """Take the object that begins here."""
    line = feed.line
    end = _end(feed)
    if end is None:
        reason = TOO_LONG if len(feed.held) >= MAX_DOCUMENT_BYTES else CUT_OFF
        return _damaged(feed, Unreadable(line, reason), indent)
    document = document_of(bytes(feed.held[:end]), line)
    if isinstance(document, Unreadable) and document.reason == NOT_JSON:
        return _damaged(feed, document, indent)
    feed.take(end)
    return document


def _end(feed: Feed) -> int | None:
    """Where the object ends; None: it does not, or is too long."""
    depth = at = 0
    while True:
        for token in _TOKEN.finditer(feed.held, at):
            at = token.end()
            first = feed.held[token.start()]
            if first == 0x7B:
                depth += 1
            elif first == 0x7D:
                depth -= 1
                if depth == 0:
                    return at
            elif at - token.start() == 1:  # a text that goes on
                at = token.start()
                break
        if len(feed.held) >= MAX_DOCUMENT_BYTES or not feed.more():
            return None


def _damaged(feed: Feed, what: Unreadable, indent: bytes) -> Unreadable:
    """Take what is damaged, up to the next line that begins like the one in which it began."""
    following = b"\n" + indent + b"{"
    searched = 1
    while (at := feed.held.find(following, searched)) < 0:
        if len(feed.held) >= MAX_DOCUMENT_BYTES:
            _drop(feed)
            searched = 0
        if not feed.more():
            feed.take(len(feed.held))
            return what
    feed.take(at + 1)
    return what


def _drop(feed: Feed) -> None:
    """Let go of what is held but for its end."""
    feed.take(max(0, len(feed.held) - _KEPT_BYTES))


def _no_value(feed: Feed) -> bytes:
    """Take what is no object: a line of it."""
    first = line = feed.readline(_LINE_BYTES)
    while line and not line.endswith(b"\n"):
        line = feed.readline(_LINE_BYTES)
    return first
