"""Reads a journal line by line, in bounded memory; what is damaged is said and stepped over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from llmctl.errors import StoreError
from llmctl.runs.codec import CodecError, UnknownEvent, decode
from llmctl.runs.records import Event

__all__ = ["MAX_LINE_BYTES", "Damage", "JournalLine", "read_journal"]

MAX_LINE_BYTES = 256 * 2**20
"""No line is read, nor written, beyond this."""


@dataclass(frozen=True, slots=True)
class JournalLine:
    """A sound line; it begins at byte `offset` and the next one at `end`."""

    event: Event | UnknownEvent
    seq: int
    line_number: int
    offset: int
    end: int


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that is not what was written."""

    line_number: int
    offset: int
    end: int
    reason: str


def read_journal(path: Path, offset: int = 0, *, line_number: int = 1) -> Iterator[JournalLine | Damage]:
    """The lines from byte `offset` on, the first of which is line `line_number`.

    A last line without its newline is one that is being written or was cut off: it is not yielded.

    Raises:
        StoreError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            yield from _lines(file, offset, line_number)
    except OSError as error:
        raise StoreError(f"The journal {path} cannot be read: {error.strerror}.") from None


def _lines(file: IO[bytes], offset: int, line_number: int) -> Iterator[JournalLine | Damage]:
    # Not splitlines(): U+2028 and U+0085 may stand in a text, and only b"\n" ends a line.
    while line := file.readline(MAX_LINE_BYTES):
        size = len(line)
        if not line.endswith(b"\n"):
            rest = _skip_line(file)
            if rest is None:
                return
            yield Damage(line_number, offset, offset + size + rest, "it is longer than any line that is written")
            size += rest
        else:
            yield _parsed(line[:-1], line_number, offset, offset + size)
        offset += size
        line_number += 1


def _skip_line(file: IO[bytes]) -> int | None:
    """Read to the end of the line; the number of bytes, or None where the file ends first."""
    skipped = 0
    while part := file.readline(2**20):
        skipped += len(part)
        if part.endswith(b"\n"):
            return skipped
    return None


def _parsed(line: bytes, line_number: int, offset: int, end: int) -> JournalLine | Damage:
    try:
        decoded = decode(line)
    except CodecError as error:
        return Damage(line_number, offset, end, str(error))
    return JournalLine(decoded.event, decoded.seq, line_number, offset, end)
