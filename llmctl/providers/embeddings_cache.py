"""Vectors that were computed once: one SQLite file, read and written by any number of processes."""

from __future__ import annotations

import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

__all__ = ["VectorCache"]

_T = TypeVar("_T")
_LAYOUT = 1
_BUSY_S = 10.0
_TABLE = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL, crc INTEGER NOT NULL)"


class VectorCache:
    """Raw float32 vectors by key. It saves time and is never needed: a file that cannot be used is done without."""

    def __init__(self, file: Path) -> None:
        """Open the file, or a new one where there is none; a damaged one is set aside."""
        self._file = file
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self.problem: str | None = None
        """What went wrong with the file, as one sentence for a warning; None where nothing did."""
        self._guarded(self._open, None)

    def get(self, key: bytes) -> bytes | None:
        """The vector, None where it is not known. Takes some 10 microseconds, and waits for no writer."""
        return self._guarded(lambda: self._read(key), None)

    def put(self, vectors: Mapping[bytes, bytes]) -> None:
        """Keep vectors; blocking, may wait for other processes."""
        self._guarded(lambda: self._write(vectors), None)

    def close(self) -> None:
        """Close the file."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

    def _read(self, key: bytes) -> bytes | None:
        if self._reader is None:
            return None
        row = self._reader.execute("SELECT vector, crc FROM vectors WHERE key = ?", (key,)).fetchone()
        if row is None or zlib.crc32(row[0]) != row[1]:
            return None
        return bytes(row[0])

    def _write(self, vectors: Mapping[bytes, bytes]) -> None:
        if self._writer is None:
            return
        rows = [(key, vector, zlib.crc32(vector)) for key, vector in vectors.items()]
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            self._writer.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
            self._writer.execute("COMMIT")
        finally:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")

    def _open(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # SQLite would let everybody read it; its log takes after it.
        os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
        self._writer = _connect(self._file)
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.execute("PRAGMA synchronous = NORMAL")
        if self._writer.execute("PRAGMA user_version").fetchone()[0] != _LAYOUT:
            self._writer.execute("DROP TABLE IF EXISTS vectors")
            self._writer.execute(f"PRAGMA user_version = {_LAYOUT}")
        self._writer.execute(_TABLE)
        self._reader = _connect(self._file)

    def _guarded(self, work: Callable[[], _T], otherwise: _T) -> _T:
        """Do it; a file that is busy, full or not writable is done without, and a damaged one is replaced."""
        try:
            return work()
        except sqlite3.OperationalError as error:
            self._note(f"could not be used: {error}")
        except sqlite3.DatabaseError as error:
            self.close()
            self._note(f"was damaged ({error}) and has been set aside")
            self._replace()
        except OSError as error:
            self._note(f"could not be used: {error.strerror or error}")
        return otherwise

    def _replace(self) -> None:
        """Rename the damaged file and begin a new one, unless another process was quicker."""
        try:
            with FileLock(self._file.with_name(f"{self._file.name}.lock"), mode=0o600):
                if not _sound(self._file):
                    self._file.replace(self._file.with_name(f"{self._file.name}.damaged-{time.time_ns()}"))
                    for ending in ("-wal", "-shm"):
                        self._file.with_name(self._file.name + ending).unlink(missing_ok=True)
            self._open()
        except (OSError, sqlite3.Error) as error:
            self.close()
            self._note(f"was damaged and could not be replaced: {error}")

    def _note(self, what: str) -> None:
        self.problem = f"The cache of embeddings {self._file} {what}."


def _connect(file: Path) -> sqlite3.Connection:
    # Autocommit, so that transactions are where they are written; used by one thread at a time.
    return sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)


def _sound(file: Path) -> bool:
    try:
        with closing(_connect(file)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False
