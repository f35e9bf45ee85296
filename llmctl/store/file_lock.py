"""A lock on a file between processes. The system drops it with the process that holds it."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

__all__ = ["LockTimeoutError", "locked"]

_AGAIN_S = 0.05
"""As `filelock` does."""


class LockTimeoutError(Exception):
    """Another process holds the lock."""


@contextmanager
def locked(path: Path, *, wait_s: float) -> Iterator[None]:
    """Hold the lock for this block; waits for it at most `wait_s`.

    The same lock as a `filelock.FileLock` of the path, whose import takes 0.03 s: here where the system has `flock`.

    Raises:
        LockTimeoutError: another process kept it for that long.
        OSError: the file cannot be opened.
    """
    with ExitStack() as held:
        try:
            held.enter_context(_by_flock(path, wait_s))
        except (ImportError, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.ENOSYS:
                raise
            held.enter_context(_by_filelock(path, wait_s))  # Windows, or a file system without `flock`
        yield


@contextmanager
def _by_flock(path: Path, wait_s: float) -> Iterator[None]:
    import fcntl

    until = time.monotonic() + wait_s
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except (BlockingIOError, PermissionError):  # held: some file systems say EACCES
                if time.monotonic() >= until:
                    raise LockTimeoutError from None
                time.sleep(_AGAIN_S)
        yield
    finally:
        os.close(descriptor)  # which lets go of the lock


@contextmanager
def _by_filelock(path: Path, wait_s: float) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=wait_s, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise LockTimeoutError from None
    try:
        yield
    finally:
        lock.release()
