"""Who holds a lock of the store, for a message to people: the answer may be old before it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llmctl.errors import StoreError
from llmctl.store.layout import Layout

__all__ = ["Lock", "import_lock", "lock_holder"]


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that a process holds."""

    path: Path
    pid: int | None
    """None: the system does not say."""


def import_lock(layout: Layout) -> Lock | None:
    """The lock between importers, if somebody holds it at this moment.

    Raises:
        StoreError: the lock cannot be looked at.
    """
    from filelock import FileLock, Timeout

    if not layout.lock.exists():
        return None
    try:
        with FileLock(layout.lock, timeout=0, mode=0o600):
            return None
    except Timeout:
        return Lock(layout.lock, lock_holder(layout.lock))
    except OSError as error:
        raise StoreError(f"The lock {layout.lock} cannot be taken: {error.strerror}.") from None


def lock_holder(path: Path) -> int | None:
    """The process that holds a lock on a file, as Linux tells it; None where the system does not say."""
    try:
        inode = path.stat().st_ino
        # 1: FLOCK  ADVISORY  WRITE 26876 fe:00:2343597 0 EOF
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for line in lines:
        words = line.split()
        if len(words) >= 8 and words[3] == "WRITE" and words[5].rpartition(":")[2] == str(inode):
            return int(words[4]) if int(words[4]) > 0 else None  # 0 or -1: a process that we cannot see
    return None
