"""Reads a journal line by line, in bounded memory; what is damaged is said and stepped over."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from llmctl.errors import StoreError
from llmctl.runs.codec import CodecError, UnknownEvent, decode, kind_of
from llmctl.runs.records import Event, ResultEvent

__all__ = [
    "MAX_LINE_BYTES",
    "Damage",
    "JournalLine",
    "SealedLine",
    "read_journal",
    "read_line",
    "results_in",
    "sealed_lines",
]

MAX_LINE_BYTES = 256 * 2**20
"""No line is read, nor written, beyond this."""
_BUFFER_BYTES = 2**18
_LINE_BUFFER_BYTES = 2**13


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


@dataclass(slots=True)
class SealedLine:
    """A line whose checksum holds, and whose JSON nobody has looked at yet.

    Not frozen: one is made for each line of a journal, and that would take twice as long.
    """

    kind: str
    """The type of its event."""
    line: bytes
    """Without its newline."""
    offset: int
    end: int


def read_journal(path: Path, offset: int = 0, *, line_number: int = 1) -> Iterator[JournalLine | Damage]:
    """The lines from byte `offset` on, the first of which is line `line_number`.

    A last line without its newline is one that is being written or was cut off: it is not yielded.

    Raises:
        StoreError: the file cannot be read.
    """
    return _read(path, offset, line_number, _decoded)


def sealed_lines(path: Path, offset: int = 0, *, line_number: int = 1) -> Iterator[SealedLine | Damage]:
    """The same lines with nothing but their checksum looked at: for somebody who reads many and needs no events.

    Raises:
        StoreError: the file cannot be read.
    """
    return _read(path, offset, line_number, _sealed)


def results_in(path: Path) -> Iterator[ResultEvent]:
    """Every result in a journal, in the order they came."""
    for line in read_journal(path):
        if isinstance(line, JournalLine) and isinstance(line.event, ResultEvent):
            yield line.event


def read_line(path: Path, offset: int) -> JournalLine | Damage:
    """The one line that begins at byte `offset`; its `line_number` is 0: nobody counted.

    Raises:
        StoreError: the file cannot be read.
    """
    with closing(_read(path, offset, 0, _decoded, buffer_bytes=_LINE_BUFFER_BYTES)) as lines:
        return next(lines, None) or Damage(0, offset, offset, "the journal has no line there")


_Made = TypeVar("_Made")
_Make = Callable[[bytes, int, int, int], _Made]
"""From a line, its number, its offset and its end."""


def _read(
    path: Path, offset: int, line_number: int, make: _Make[_Made], *, buffer_bytes: int = _BUFFER_BYTES
) -> Generator[_Made | Damage, None, None]:
    try:
        with path.open("rb", buffering=buffer_bytes) as file:
            file.seek(offset)
            yield from _lines(file, offset, line_number, make)
    except OSError as error:
        raise StoreError(f"The journal {path} cannot be read: {error.strerror}.") from None


def _lines(file: IO[bytes], offset: int, line_number: int, make: _Make[_Made]) -> Iterator[_Made | Damage]:
    # Not splitlines(): U+2028 and U+0085 may stand in a text, and only b"\n" ends a line.
    while line := file.readline(MAX_LINE_BYTES):
        end = offset + len(line)
        if line.endswith(b"\n"):
            try:
                yield make(line[:-1], line_number, offset, end)
            except CodecError as error:
                yield Damage(line_number, offset, end, str(error))
        else:
            rest = _skip_line(file)
            if rest is None:
                return
            end += rest
            yield Damage(line_number, offset, end, "it is longer than any line that is written")
        offset = end
        line_number += 1


def _skip_line(file: IO[bytes]) -> int | None:
    """Read to the end of the line; the number of bytes, or None where the file ends first."""
    skipped = 0
    while part := file.readline(2**20):
        skipped += len(part)
        if part.endswith(b"\n"):
            return skipped
    return None


def _decoded(line: bytes, line_number: int, offset: int, end: int) -> JournalLine:
    decoded = decode(line)
    return JournalLine(decoded.event, decoded.seq, line_number, offset, end)


def _sealed(line: bytes, _line_number: int, offset: int, end: int) -> SealedLine:
    return SealedLine(kind_of(line), line, offset, end)
