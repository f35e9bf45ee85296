"""Opens the DuckDB file: patient with locks, clear about versions, and able to set a damaged file aside.

DuckDB lets one process write or several read, and never waits. So every use here is short, and an opening that finds
the file locked tries again for ten seconds.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from llmctl.errors import StoreError
from llmctl.store.engine import READING_MB, WRITING_MB, attach, engine, set_memory
from llmctl.store.layout import Layout, private_files
from llmctl.store.migrations import MIGRATIONS, migrate, schema_version

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Error

__all__ = [
    "BusyError",
    "CorruptError",
    "NewerError",
    "OlderError",
    "open_database",
    "quarantine",
]

WAIT_S = 10.0
_STORAGE_VERSION = "v1.4.0"  # what DuckDB 1.4 and later can read; the default could only be read by 2.0

_BUSY = ("could not set lock", "different configuration", "being used by another process", "unique file handle")
_NEWER = "trying to read a database file with"  # version or storage version number N, but we can only ...
_SURROUNDINGS = (
    "permission denied",
    "no space left",
    "file too large",
    "read-only file system",
    "too many open files",
    "quota exceeded",
    "out of memory",
    "is a directory",
)
_FULL = ("no space left", "file too large", "quota exceeded")
_DAMAGE = (
    "corrupt",
    "checksum",
    "not a valid duckdb database",
    "could not read enough bytes",
    "replaying wal",
    "wal does not match",
    "serialization error",
    "has been invalidated",
    "internal error",
)


EngineOf = Callable[[], AbstractContextManager["DuckDBPyConnection"]]
"""Makes an engine for one block."""


class BusyError(StoreError):
    """Another process held the database for as long as we waited."""


class CorruptError(StoreError):
    """The database file is damaged: it can be set aside and rebuilt from the journals."""


class NewerError(StoreError):
    """A newer llmctl or DuckDB wrote the file."""


class OlderError(StoreError):
    """The file was written by an older llmctl, and is opened for reading only."""


_gates: dict[Path, threading.Lock] = {}


@contextmanager
def open_database(
    layout: Layout, *, read_only: bool, wait_s: float = WAIT_S, using: EngineOf | None = None
) -> Iterator[DuckDBPyConnection]:
    """A connection, closed at the end of the block; keep the block short.

    `using`: makes the engine that the file is attached to; None: the one that is kept for this store. To write, hold
    `layout.lock`: the file is created where it is missing, and brought to today's schema.

    Raises:
        BusyError: another process did not let go of the file within `wait_s`.
        CorruptError: the file is damaged, whether that shows at opening or later in the block.
        NewerError: a newer llmctl or DuckDB wrote it.
        OlderError: it lacks a migration and is opened for reading only.
        StoreError: anything else that DuckDB refuses, as one sentence.
    """
    import duckdb

    deadline = time.monotonic() + wait_s
    with _alone_in_this_process(layout.database, wait_s):
        if not read_only and not layout.database.exists():
            _create(layout)
        # DuckDB makes its write-ahead log when it first writes.
        private = nullcontext() if read_only else private_files()
        try:
            with private, _attached(layout, read_only, deadline, using) as con:
                _check_schema(con, layout.database, read_only)
                yield con
        except duckdb.Error as error:
            raise _in_use(error, layout.database) from error


def quarantine(layout: Layout) -> Path:
    """Move the database and its log to `corrupt-<time>/`; where they went. Hold `layout.lock`.

    Raises:
        StoreError: they cannot be moved.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    target = layout.root / f"corrupt-{stamp}"
    try:
        target.mkdir(mode=0o700)
        for path in (layout.database, layout.wal):
            if path.exists():
                path.rename(target / path.name)
    except OSError as error:
        raise StoreError(f"The damaged {layout.database} cannot be moved away: {error.strerror}.") from None
    return target


@contextmanager
def _alone_in_this_process(path: Path, wait_s: float) -> Iterator[None]:
    """DuckDB refuses to open a file for reading that the same process writes: threads take turns."""
    gate = _gates.setdefault(path.absolute(), threading.Lock())
    if not gate.acquire(timeout=wait_s):
        raise _busy(path, "")
    try:
        yield
    finally:
        gate.release()


def _create(layout: Layout) -> None:
    """Make the file under another name and rename it: a process killed meanwhile leaves no half file."""
    import duckdb

    if layout.wal.exists():  # the log of a database that somebody deleted
        quarantine(layout)
    new = layout.root / "llmctl.duckdb.new"
    for leftover in (new, Path(f"{new}.wal")):
        leftover.unlink(missing_ok=True)
    try:
        options = f"STORAGE_VERSION '{_STORAGE_VERSION}'"
        with private_files(), engine(layout) as con, attach(con, new, read_only=False, options=options):
            migrate(con)
        new.replace(layout.database)
    except duckdb.Error as error:
        raise _in_use(error, layout.database) from error
    except OSError as error:
        raise StoreError(f"The store {layout.database} cannot be made: {error.strerror}.") from None


@contextmanager
def _attached(layout: Layout, read_only: bool, deadline: float, using: EngineOf | None) -> Iterator[DuckDBPyConnection]:
    with using() if using else engine(layout) as con, ExitStack() as attached:
        set_memory(con, READING_MB if read_only else WRITING_MB)
        con.execute(f"SET threads = {2 if read_only else 1}")
        _attach(con, attached, layout.database, read_only, deadline)
        yield con


def _attach(con: DuckDBPyConnection, attached: ExitStack, path: Path, read_only: bool, deadline: float) -> None:
    """Attach the file as soon as nobody else holds it."""
    import duckdb

    while True:
        try:
            attached.enter_context(attach(con, path, read_only=read_only))
            return
        except duckdb.Error as error:
            if not _says(error, _BUSY):
                raise _at_opening(error, path) from error
            if time.monotonic() >= deadline:
                raise _busy(path, str(error)) from None
        time.sleep(random.uniform(0.025, 0.075))


def _check_schema(con: DuckDBPyConnection, path: Path, read_only: bool) -> None:
    version = schema_version(con)
    if version > len(MIGRATIONS):
        raise NewerError(
            f"The store {path} was written by a newer llmctl (schema {version}; this one knows {len(MIGRATIONS)}).",
            hint="Upgrade llmctl, or delete that file: it is rebuilt from the journals beside it.",
        )
    if version == len(MIGRATIONS):
        return
    if not read_only:
        migrate(con)
    else:
        raise OlderError(f"The store {path} was written by an older llmctl and could not be brought up to date yet.")


def _at_opening(error: Error, path: Path) -> StoreError:
    if _says(error, (_NEWER,)):
        return NewerError(
            f"The store {path} was written by a newer version of DuckDB.",
            hint="Upgrade the duckdb package, or delete that file: it is rebuilt from the journals beside it.",
        )
    if _says(error, _SURROUNDINGS):
        return _refused(error, path)
    return _corrupt(error, path)


def _in_use(error: Error, path: Path) -> StoreError:
    import duckdb

    mistake = isinstance(error, duckdb.DataError | duckdb.ProgrammingError)  # their text may quote a user's data
    # On a full disk DuckDB says that the database "has been invalidated": what is in the file is sound all the same.
    damaged = not mistake and _says(error, _DAMAGE) and not _says(error, _SURROUNDINGS)
    return _corrupt(error, path) if damaged else _refused(error, path)


def _says(error: Error, phrases: tuple[str, ...]) -> bool:
    text = str(error).lower()
    return any(phrase in text for phrase in phrases)


def _first_line(error: Error) -> str:
    """Its first line, and the one that names the cause outside of DuckDB where that is another."""
    lines = [line.strip(" .") for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    causes = [line for line in lines[1:] if any(phrase in line.lower() for phrase in _SURROUNDINGS)]
    return ". ".join(lines[:1] + causes[:1])


def _refused(error: Error, path: Path) -> StoreError:
    hint = "Make room; the journals beside it hold everything." if _says(error, _FULL) else None
    return StoreError(f"The store {path} cannot be used: {_first_line(error)}.", hint=hint)


def _corrupt(error: Error, path: Path) -> CorruptError:
    return CorruptError(
        f"The store {path} is damaged: {_first_line(error)}.",
        hint="Delete that file: it is rebuilt from the journals beside it.",
    )


def _busy(path: Path, text: str) -> BusyError:
    holder = re.search(r"PID (\d+)", text)
    who = f"process {holder[1]}" if holder else "another task"
    return BusyError(f"The store {path} is in use by {who}.", hint="Wait until it ends, then try again.")
