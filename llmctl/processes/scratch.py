"""A short-lived private folder for one child process: its socket, its log, and a lock that says it is in use."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["ScratchFolder", "sweep"]

_PREFIX = "llmctl-"
_NAME = re.compile(rf"{_PREFIX}\d+-[0-9a-f]{{8}}")
"""Somebody else's folder may begin like ours."""
_LOCK = "lock"
_SETTLED_AFTER_S = 10.0
_LONGEST_BYTES = 80
"""A Unix socket's path ends at 104 bytes on macOS and 108 on Linux; the socket's own name needs some of them."""


class ScratchFolder:
    """A fresh folder that only this user can enter; locked for as long as this process lives."""

    def __init__(self) -> None:
        """Make the folder, and remove those that dead processes left behind.

        Raises:
            OSError: no folder can be made.
        """
        base = _base()
        sweep(base)
        self.path = base / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        self.path.mkdir(mode=0o700)
        # The system lets go of the lock when this process ends, however it ends.
        self._lock = FileLock(self.path / _LOCK, thread_local=False)
        self._lock.acquire()

    @property
    def log(self) -> Path:
        """Where the child's own output goes."""
        return self.path / "log.txt"

    def remove(self) -> None:
        """Remove the folder and all in it; a second call does nothing."""
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)


def sweep(base: Path) -> None:
    """Remove the folders in `base` whose process is dead.

    A process is known to be dead by its lock, not by its number: numbers are used again, and mean nothing between
    containers that share a folder.
    """
    for folder in base.glob(f"{_PREFIX}*-*"):
        if _NAME.fullmatch(folder.name) and _is_ours_and_settled(folder) and _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _base() -> Path:
    base = Path(tempfile.gettempdir())
    too_long = len(os.fsencode(base)) + len(f"/{_PREFIX}4194304-00000000") > _LONGEST_BYTES
    return Path("/tmp") if too_long and sys.platform != "win32" else base


def _is_ours_and_settled(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    if folder.is_symlink() or not folder.is_dir():
        return False
    mine = sys.platform == "win32" or status.st_uid == os.getuid()
    # Between mkdir and the lock a folder looks abandoned for an instant.
    return mine and time.time() - status.st_mtime > _SETTLED_AFTER_S


def _is_abandoned(folder: Path) -> bool:
    lock = FileLock(folder / _LOCK, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return False
    lock.release()
    return True
