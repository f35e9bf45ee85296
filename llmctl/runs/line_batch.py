"""Brings the lines of journals into the tables: by way of files that DuckDB reads, many lines at a time."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

import orjson

from llmctl.errors import StoreError
from llmctl.runs.codec import CodecError, UnknownEvent, decode
from llmctl.runs.journal_reader import SealedLine
from llmctl.runs.line_rows import LINE_KINDS, LineKind, file_line
from llmctl.runs.rows import Row, event_row
from llmctl.store.append import append_rows, insert_rows
from llmctl.store.engine import WRITING_MB, set_memory

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["LineBatch"]

_HELD_BYTES = 16 * 2**20
_LONG_BYTES = 2**20
_MEMORY_PER_BYTE = 8
"""Measured: 4 are enough for a line of 36 MB, 6 for one of 120 MB."""
_BUFFER_BYTES = 2**18


@dataclass(slots=True)
class _LineFile:
    """Lines of one type on their way into the tables."""

    path: Path
    file: IO[bytes]
    longest: int = 0
    runs: Counter[str] = field(default_factory=Counter)
    """How many lines of which run."""


class LineBatch:
    """Lines of one transaction, as a context manager. They are in the tables when `store` has returned."""

    def __init__(self, con: DuckDBPyConnection, folder: Path) -> None:
        """`folder`: where the files are made; whoever made it removes them with it."""
        self._con = con
        self._folder = folder
        self._files: dict[str, _LineFile] = {}
        self._rows: defaultdict[str, list[Row]] = defaultdict(list)
        self._held_bytes = 0
        self._run = ("", b"")
        self._refused: Counter[str] = Counter()

    def __enter__(self) -> LineBatch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            with contextlib.suppress(OSError):  # what was not stored is not needed
                file.file.close()

    def add(self, line: SealedLine, run_id: str) -> None:
        """Take in a line of a run's journal.

        Raises:
            StoreError: the disk is full.
        """
        if line.kind in LINE_KINDS:
            self._write(line, run_id)
        else:
            self._decode(line, run_id)
        if self._held_bytes >= _HELD_BYTES:
            self._hand_over()

    def store(self) -> Counter[str]:
        """Bring the rest into the tables; by run, how many lines could not be read.

        Raises:
            StoreError: the disk is full.
        """
        self._hand_over()
        return self._refused

    def _write(self, line: SealedLine, run_id: str) -> None:
        if self._run[0] != run_id:
            self._run = (run_id, orjson.dumps(run_id))
        text = file_line(self._run[1], line.offset, line.line)
        try:
            file = self._files.get(line.kind) or self._opened(line.kind)
            file.file.write(text)
        except OSError as error:
            raise self._full(error) from None
        file.runs[run_id] += 1
        length = len(text)
        file.longest = max(file.longest, length)
        self._held_bytes += length

    def _opened(self, kind: str) -> _LineFile:
        path = self._folder / f"{kind}.jsonl"
        file = self._files[kind] = _LineFile(path, path.open("wb", buffering=_BUFFER_BYTES))
        return file

    def _decode(self, line: SealedLine, run_id: str) -> None:
        """One of the few lines that come once in a run; one of a type that only a newer llmctl knows adds nothing."""
        try:
            event = decode(line.line).event
        except CodecError:
            self._refused[run_id] += 1
            return
        if not isinstance(event, UnknownEvent):
            table, row = event_row(event)
            self._rows[table].append((run_id, line.offset, *row))

    def _hand_over(self) -> None:
        for table, rows in self._rows.items():
            append_rows(self._con, table, rows)
        self._rows.clear()
        for kind, file in self._files.items():
            try:
                file.file.close()
            except OSError as error:
                raise self._full(error) from None
            self._load(LINE_KINDS[kind], file)
        self._files.clear()
        self._held_bytes = 0

    def _load(self, kind: LineKind, file: _LineFile) -> None:
        """Have a file read."""
        if file.longest > _LONG_BYTES:
            set_memory(self._con, WRITING_MB + (_MEMORY_PER_BYTE * file.longest >> 20))
        taken = insert_rows(self._con, kind.lines.insert(file.path, file.longest))
        only = ""
        if taken < file.runs.total():
            found = self._con.execute(kind.lines.taken(file.path, file.longest)).fetchall()
            self._refused += file.runs - Counter(dict(found))
            only = f'("$run", "$at") IN (SELECT (run_id, position) FROM {kind.lines.name})'
        if kind.items is not None:
            insert_rows(self._con, kind.items.insert(file.path, file.longest, only))

    def _full(self, error: OSError) -> StoreError:
        return StoreError(
            f"The import cannot write to {self._folder.parent}: {error.strerror or error}.",
            hint="Make room; the journals hold everything.",
        )
