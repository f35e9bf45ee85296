"""A file of whole lines that only grows: locked, private, cut back to its last whole line when a write fails."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from llmctl.errors import StoreError
from llmctl.runs.alive import hold
from llmctl.runs.codec import CodecError, decode
from llmctl.runs.journal_reader import JournalLine, read_journal
from llmctl.store.layout import private_directory

__all__ = ["AppendFile", "FileCalls", "Tail", "TornWriteError", "find_tail"]

_BLOCK_BYTES = 64 * 1024
_SYNC: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


@dataclass(frozen=True, slots=True)
class FileCalls:
    """The system calls that a journal is written with; tests make them fail."""

    write: Callable[[int, memoryview], int] = os.write
    sync: Callable[[int], None] = _SYNC
    truncate: Callable[[int, int], None] = os.ftruncate


class TornWriteError(Exception):
    """A write failed; the first `whole` of the lines are in the file all the same."""

    def __init__(self, whole: int, cause: OSError) -> None:
        super().__init__(cause.strerror or str(cause))
        self.whole = whole


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a journal ends."""

    size: int
    """Of its whole lines, in bytes."""
    seq: int
    """Number of its last line."""


def find_tail(path: Path) -> Tail:
    """Where the whole lines of a journal end, and the number of the last one.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            size, last = _last_line(file)
    except OSError as error:
        raise StoreError(f"The journal {path} cannot be read: {error.strerror}.") from None
    if not last:
        return Tail(0, 0)
    try:
        return Tail(size, decode(last[:-1]).seq)
    except CodecError:  # damaged: only counting tells its number
        lines = list(read_journal(path))
        return Tail(
            size, max(len(lines), max((line.seq for line in lines if isinstance(line, JournalLine)), default=0))
        )


def _last_line(file: IO[bytes]) -> tuple[int, bytes]:
    """Where the last whole line ends, and the line; read from the end, block by block."""
    start = file.seek(0, os.SEEK_END)
    block = b""
    while start and block.count(b"\n") < 2:
        step = min(start, max(_BLOCK_BYTES, len(block)))
        start = file.seek(start - step)
        block = file.read(step) + block
    end = block.rfind(b"\n") + 1
    begin = block.rfind(b"\n", 0, max(end - 1, 0)) + 1
    return start + end, block[begin:end]


class AppendFile:
    """The one writer of a journal. Opening an older journal cuts off a torn last line and goes on behind it."""

    def __init__(self, path: Path, calls: FileCalls, tail: Tail | None = None) -> None:
        """Open and lock the file. `tail` is where it ends, if that is known; else all of it is read.

        Raises:
            StoreError: it cannot be opened, or another process writes it.
        """
        private_directory(path.parent)
        self._path = path
        self._calls = calls
        self._named = False
        try:
            # Python makes descriptors that no child process inherits: the lock ends with this process.
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        except OSError as error:
            raise StoreError(f"The journal {path} cannot be opened: {error.strerror}.") from None
        try:
            found = self._begin(tail)
            self._size, self.last_seq = found.size, found.seq
        except BaseException:
            os.close(self._fd)
            raise

    def _begin(self, tail: Tail | None) -> Tail:
        """Take the lock; where the whole lines end."""
        if not hold(self._fd):
            raise StoreError(f"Another process is writing the journal {self._path}.")
        if tail is not None:
            return tail
        found = find_tail(self._path)
        try:
            if os.fstat(self._fd).st_size > found.size:
                self._calls.truncate(self._fd, found.size)
        except OSError as error:
            raise StoreError(f"The journal {self._path} cannot be written: {error.strerror}.") from None
        return found

    @property
    def size(self) -> int:
        """The bytes of its whole lines: where the next one begins."""
        return self._size

    def append(self, lines: Sequence[bytes]) -> None:
        """Write all lines, in one system call where the system takes them at once.

        Raises:
            TornWriteError: the disk is full or broken; the file ends with a whole line.
        """
        data = memoryview(b"".join(lines))
        done = 0
        try:
            while done < len(data):
                count = self._calls.write(self._fd, data[done:])
                if count <= 0:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                done += count
        except OSError as error:
            whole, size = _whole_lines(lines, done)
            self._cut(self._size + size)
            raise TornWriteError(whole, error) from error
        self._size += len(data)

    def _cut(self, size: int) -> None:
        """Take back the torn part; where even that fails, readers step over a line without its end."""
        try:
            self._calls.truncate(self._fd, size)
        except OSError:
            return
        self._size = size

    def sync(self) -> None:
        """Have the system put everything on the disk, the first time also the file's name. Raises OSError."""
        self._calls.sync(self._fd)
        if not self._named:
            self._named = True
            _sync_directory(self._path.parent)

    def close(self) -> None:
        """Close the file and drop its lock."""
        os.close(self._fd)


def _sync_directory(path: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):  # Windows
        return
    with contextlib.suppress(OSError):  # some network file systems refuse to sync a directory
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _whole_lines(lines: Sequence[bytes], size: int) -> tuple[int, int]:
    """How many of the lines fit into the first `size` bytes, and how many bytes these have."""
    total = 0
    for count, line in enumerate(lines):
        if total + len(line) > size:
            return count, total
        total += len(line)
    return len(lines), total
