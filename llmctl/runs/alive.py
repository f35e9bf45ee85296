"""Whether a journal's writer still lives: a lock on the journal, which the kernel drops with the process."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

__all__ = ["hold", "is_alive"]

_PATIENCE_S = 0.2
_BYTE = 2**40  # Windows locks ranges, and keeps others from reading them: this byte lies behind any journal


def hold(fd: int) -> bool:
    """Lock the open journal until the descriptor closes; False where another process holds it.

    A file system without locks is accepted: the run then looks killed to others while it goes on.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while not _try_lock(fd, shared=False):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)  # somebody is looking whether the journal is held, which takes microseconds
    return True


def is_alive(path: Path) -> bool:
    """Whether some process writes this journal now. A journal that is missing or cannot be opened is not alive."""
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:
        return False
    try:
        return not _try_lock(fd, shared=True)
    finally:
        os.close(fd)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(fd: int, *, shared: bool) -> bool:
        os.lseek(fd, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        if shared:
            os.lseek(fd, _BYTE, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
        return True

else:
    import fcntl

    def _try_lock(fd: int, *, shared: bool) -> bool:
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # ENOLCK, ENOTSUP: the file system knows no locks
            return True
        return True
