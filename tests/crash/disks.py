"""Disks that fail: the system calls of `FileCalls`, of which the n-th goes wrong, and everything after it."""

from __future__ import annotations

import os

__all__ = ["FailingDisk"]


class FailingDisk:
    """Counts the calls of a kind; from the n-th on they fail with an error."""

    def __init__(self, kind: str, nth: int, code: int, *, piece: int = 1 << 30) -> None:
        """`kind`: `write`, `sync`, or `short` (the n-th write takes a part); `piece`: bytes a write takes at most."""
        self.kind = kind
        self.nth = nth
        self.code = code
        self.piece = piece
        self.count = 0
        self.failed = False

    def write(self, fd: int, data: memoryview) -> int:
        if self.kind == "sync":
            return os.write(fd, data)
        self.count += 1
        if self.count < self.nth:
            return os.write(fd, data[: self.piece])
        if self.kind == "short" and self.count == self.nth:
            return os.write(fd, data[: max(1, len(data) // 2)])
        raise self._error()

    def sync(self, fd: int) -> None:
        if self.kind == "sync":
            self.count += 1
            if self.count >= self.nth:
                raise self._error()
        os.fsync(fd)

    def _error(self) -> OSError:
        self.failed = True
        return OSError(self.code, os.strerror(self.code))
