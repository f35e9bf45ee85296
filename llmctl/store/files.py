"""The files of a store as files: who may read them, what lies about; only what is asked for is changed or removed."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from llmctl.errors import StoreError
from llmctl.store.database import BusyError
from llmctl.store.layout import Layout

__all__ = ["LeftOver", "Permission", "left_over", "mend_permissions", "prune", "size_of"]

_OURS = "# Written by llmctl"
_LEFT_OVER = {
    "corrupt-*": "a damaged index that was set aside",
    "llmctl.duckdb.new*": "an index that was not finished",
    "tmp/*": "what an import did not finish, or DuckDB spilled",
    "runs/*.new": "the plan of a run that was not begun",
    ".*.tmp": "a file that was not finished",
}
"""What a process that was killed leaves behind, by pattern; nothing here holds what a journal does not."""


@dataclass(frozen=True, slots=True)
class Permission:
    """A file that others could read, or that its owner could not use."""

    path: Path
    was: int
    wanted: int
    error: str | None = None
    """Why it could not be mended."""


def mend_permissions(layout: Layout) -> list[Permission]:
    """Make what llmctl wrote readable for this user only: 0600 in 0700. What was not so before."""
    found = []
    for path in _private(layout):
        mode = stat.S_IMODE(path.lstat().st_mode)
        wanted = 0o700 if path.is_dir() else 0o600
        if mode != wanted:
            found.append(Permission(path, mode, wanted, _change(path, wanted)))
    return found


def _change(path: Path, mode: int) -> str | None:
    try:
        path.chmod(mode)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _private(layout: Layout) -> Iterator[Path]:
    """Folders first, so that what is in them can be reached; nothing behind a symbolic link: it may lead anywhere."""
    if _is_ours(layout.root):
        yield layout.root
    named = (layout.database, layout.wal, layout.lock, layout.traffic_lock, layout.events, layout.events_lock)
    folders = [layout.runs, layout.traffic, layout.scratch, *layout.root.glob("corrupt-*")]
    for folder in folders:
        if folder.is_dir() and not folder.is_symlink():
            yield folder
            yield from (path for path in sorted(folder.iterdir()) if _is_plain(path))
    others = (*layout.root.glob("llmctl.duckdb.new*"), *layout.root.glob("embeddings.sqlite*"))
    yield from (path for path in (*named, *sorted(others)) if _is_plain(path))


def _is_ours(root: Path) -> bool:
    """Whether the folder is only llmctl's: a store may also lie in a folder of the user's choice."""
    try:
        return (root / ".gitignore").read_text(encoding="utf-8", errors="replace").startswith(_OURS)
    except OSError:
        return False


def _is_plain(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:  # it has gone meanwhile
        return False


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A file or folder that nothing needs any more."""

    path: Path
    what: str
    size_bytes: int
    error: str | None = None
    """Why it could not be removed."""


def left_over(layout: Layout, in_use: Callable[[Path], bool]) -> list[LeftOver]:
    """What processes that were killed, and repairs, have left behind; not what a process is writing, by `in_use`."""
    return [
        LeftOver(path, what, size_of(path))
        for pattern, what in _LEFT_OVER.items()
        for path in sorted(layout.root.glob(pattern))
        if not in_use(path)
    ]


def prune(layout: Layout, in_use: Callable[[Path], bool], *, wait_s: float) -> list[LeftOver]:
    """Remove what is left over; what that was.

    Raises:
        BusyError: another process imports, and may be using it.
    """
    from filelock import FileLock, Timeout

    try:
        # Whoever makes an index or spills while he writes one holds this lock.
        with FileLock(layout.lock, timeout=wait_s, mode=0o600):
            return [
                LeftOver(one.path, one.what, one.size_bytes, _removed(one.path)) for one in left_over(layout, in_use)
            ]
    except Timeout:
        raise BusyError(f"Another process is importing into {layout.database}.") from None
    except OSError as error:
        raise StoreError(f"The lock {layout.lock} cannot be taken: {error.strerror}.") from None


def _removed(path: Path) -> str | None:
    """Remove a file or a folder; None, or why not."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        return error.strerror or str(error)
    return None


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; links count as themselves."""
    files = [path] if not path.is_dir() or path.is_symlink() else path.rglob("*")
    total = 0
    for file in files:
        try:
            status = file.lstat()
        except OSError:  # it has gone meanwhile
            continue
        total += status.st_size if not stat.S_ISDIR(status.st_mode) else 0
    return total
