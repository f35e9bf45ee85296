"""Bytes of a file, taken line by line or as much as a value needs; counts the lines."""

from __future__ import annotations

from typing import BinaryIO

__all__ = ["Feed"]

_STEP_BYTES = 2**18


class Feed:
    """A stream that can be looked into ahead."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.held = bytearray()
        """What was read and not yet taken."""
        self.line = 1
        """The number of the line that the next byte stands in."""
        self.ended = False

    def readline(self, limit: int) -> bytes:
        """The next line with its end, at most `limit` bytes of it; empty at the end."""
        if not self.held:
            text = self._stream.readline(limit)
        else:
            while (end := self.held.find(b"\n", 0, limit)) < 0 and len(self.held) < limit and self.more():
                pass
            text = bytes(self.held[: limit if end < 0 else end + 1])
            del self.held[: len(text)]
        if text.endswith(b"\n"):
            self.line += 1
        return text

    def unread(self, text: bytes) -> None:
        """Put back what was read last."""
        self.held[:0] = text
        self.line -= text.count(b"\n")

    def more(self) -> bool:
        """Read on, as much again as is held; False where there is no more."""
        text = self._stream.read(max(_STEP_BYTES, len(self.held)))
        self.held += text
        self.ended = not text
        return bool(text)

    def take(self, count: int) -> bytes:
        """The first bytes that are held."""
        text = bytes(self.held[:count])
        del self.held[:count]
        self.line += text.count(b"\n")
        return text
