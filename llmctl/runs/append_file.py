"""A file of whole lines that only grows: locked, private, cut back to its last whole line when a write fails."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmctl.errors import StoreError
from llmctl.runs.alive import hold
from llmctl.runs.journal_reader import JournalLine, read_journal
from llmctl.store.layout import private_directory

__all__ = ["AppendFile", "FileCalls", "TornWriteError"]

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


class AppendFile:
    """The one writer of a journal. Opening an older journal cuts off a torn last line and goes on behind it."""

    def __init__(self, path: Path, calls: FileCalls) -> None:
        """Open and lock the file.

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
            self._size, self.last_seq = self._begin()
        except BaseException:
            os.close(self._fd)
            raise

    def _begin(self) -> tuple[int, int]:
        """Take the lock; the size in whole lines, and the last line's number."""
        if not hold(self._fd):
            raise StoreError(f"Another process is writing the journal {self._path}.")
        end = seq = 0
        for line in read_journal(self._path):
            end = line.end
            seq = line.seq if isinstance(line, JournalLine) else seq + 1
        try:
            if os.fstat(self._fd).st_size > end:
                self._calls.truncate(self._fd, end)
        except OSError as error:
            raise StoreError(f"The journal {self._path} cannot be written: {error.strerror}.") from None
        return end, seq

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
