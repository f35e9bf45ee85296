"""Reads single lines of a journal by their position, mostly one behind the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

from llmctl.errors import StoreError
from llmctl.runs.codec import CodecError, Line, UnknownEvent, decode, untagged
from llmctl.runs.journal_reader import MAX_LINE_BYTES
from llmctl.runs.records import Event

__all__ = ["LineReader"]

_BUFFER_BYTES = 2**18
_Made = TypeVar("_Made")


def _event(line: bytes) -> Event | UnknownEvent:
    return decode(line).event


class LineReader:
    """Keeps the file open. Used from one thread at a time."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self._file: IO[bytes] | None = None
        self._next = -1

    def at(self, position: int) -> Event | UnknownEvent:
        """What the line says that begins at a byte of the journal.

        Raises:
            StoreError: it cannot be read, or is damaged.
        """
        return self._read(position, _event)

    def fields_at(self, position: int) -> Line:
        """The same as its JSON says it: for what this llmctl itself has just written.

        Raises:
            StoreError: it cannot be read, or is damaged.
        """
        return self._read(position, untagged)

    def _read(self, position: int, make: Callable[[bytes], _Made]) -> _Made:
        try:
            if self._file is None:
                self._file = self.journal.open("rb", buffering=_BUFFER_BYTES)
            if position != self._next:  # a seek would throw the buffer away
                self._file.seek(position)
            line = self._file.readline(MAX_LINE_BYTES)
            self._next = position + len(line)
            return make(line[:-1])
        except (OSError, CodecError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            raise StoreError(
                f"The journal {self.journal} cannot be read at byte {position}: {said}.",
                hint="Run the command again: what was done is kept.",
            ) from None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
