"""Brings the DuckDB index up to the journals: short transactions under a lock, each with the offset it reached.

A line is imported exactly once, by whichever process comes first: the rows and the offset behind them are committed
together. Whatever happens to the index, the journals can build it again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from llmctl.errors import StoreError
from llmctl.runs.ids import run_time
from llmctl.runs.journal_reader import Damage, sealed_lines
from llmctl.runs.line_batch import LineBatch
from llmctl.runs.rows import Row
from llmctl.store.append import append_rows
from llmctl.store.database import (
    BusyError,
    CorruptError,
    OlderError,
    open_database,
    quarantine,
)
from llmctl.store.layout import TRAFFIC, Layout
from llmctl.store.schema import EVENT_TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["ImportSummary", "import_journals", "rebuild"]

_WAIT_S = 10.0
_MAX_LINES = 10_000
_MAX_BYTES = 64 * 2**20
_TURN_S = 3.0
_PAUSE_S = 0.1  # longer than others wait before they try again
_FINGERPRINT_BYTES = 4096
_PROGRESS_TABLES = {"journal_rows": True, "traffic_journals": False}
"""How far journals are imported; and whether they are those of runs."""


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did."""

    lines: int = 0
    """Lines read, damaged ones included."""
    damage: int = 0
    """Lines that could not be read; they stay in the journal."""
    rebuilt: Path | None = None
    """Where a damaged database was moved before it was built again."""
    later: str | None = None
    """Why lines were left for a later import, as one sentence; nothing is lost."""

    def __add__(self, other: ImportSummary) -> ImportSummary:
        return ImportSummary(
            self.lines + other.lines,
            self.damage + other.damage,
            other.rebuilt or self.rebuilt,
            other.later or self.later,
        )


@dataclass(frozen=True, slots=True)
class _Journal:
    """A journal as it lies on disk."""

    run_id: str
    path: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class _Progress:
    """What the index knows of a journal: the columns of `journal_rows` after `run_id`."""

    read_bytes: int = 0
    lines: int = 0
    damage: int = 0
    seen_bytes: int = -1
    seen_mtime_ns: int = -1
    fingerprint: str = ""

    def is_current(self, journal: _Journal) -> bool:
        """Whether the file is as it was when it was last read to its end."""
        return (self.seen_bytes, self.seen_mtime_ns) == (journal.size, journal.mtime_ns)

    def belongs_to(self, journal: _Journal) -> bool:
        """Whether the file still begins with what was imported."""
        return journal.size >= self.read_bytes and _fingerprint(journal.path, self.read_bytes) == self.fingerprint


@dataclass(slots=True)
class _Batch:
    """What one transaction takes in, and the offsets that the journals reach."""

    rows: LineBatch
    progress: dict[str, _Progress] = field(default_factory=dict)
    lines: int = 0
    bytes: int = 0
    damage: int = 0

    @property
    def full(self) -> bool:
        return self.lines >= _MAX_LINES or self.bytes >= _MAX_BYTES

    def store(self, con: DuckDBPyConnection) -> None:
        """The rows, and how far each journal is imported."""
        for run_id, refused in self.rows.store().items():
            reached = self.progress[run_id]
            self.progress[run_id] = replace(reached, damage=reached.damage + refused)
            self.damage += refused
        for table, of_runs in _PROGRESS_TABLES.items():
            reached_now = {name: item for name, item in self.progress.items() if Layout.is_run(name) == of_runs}
            if reached_now:
                con.execute(f"DELETE FROM {table} WHERE list_contains(?, run_id)", [list(reached_now)])
                append_rows(con, table, (_journal_row(*item) for item in reached_now.items()))


def import_journals(store: Path, *, wait_s: float = _WAIT_S) -> ImportSummary:
    """Import what the journals of a store hold beyond their recorded offsets. A missing store holds nothing.

    Where another process keeps the store locked for longer than `wait_s`, the rest is left: see `ImportSummary.later`.

    Raises:
        StoreError: the store cannot be read or written, or a newer llmctl wrote it.
    """
    layout = Layout(store)
    there = layout.runs.is_dir() or layout.traffic.is_dir() or layout.events.is_file()
    if not there or _is_current(layout):
        return ImportSummary()
    layout.prepare()
    summary = ImportSummary()
    more = True
    while more:
        try:
            with _locked(layout, wait_s):
                done, more = _turn(layout, wait_s, may_rebuild=summary.rebuilt is None)
        except BusyError as error:
            return summary + ImportSummary(later=error.message)
        summary += done
        if more:
            time.sleep(_PAUSE_S)
    return summary


def rebuild(store: Path, *, wait_s: float = _WAIT_S) -> ImportSummary:
    """Set the database aside and build it again from the journals.

    Raises:
        StoreError: the store cannot be read or written.
    """
    layout = Layout(store)
    with _locked(layout, wait_s):
        moved = quarantine(layout)
    return ImportSummary(rebuilt=moved) + import_journals(store, wait_s=wait_s)


def _is_current(layout: Layout) -> bool:
    """Whether there is nothing to import; a look that takes no lock and waits for nobody."""
    journals = _journals(layout)
    if not layout.database.exists():
        return not journals
    if any(journal.mtime_ns > _written_ns(layout) for journal in journals):
        return False
    try:
        with open_database(layout, read_only=True, wait_s=0) as con:
            known = _known(con)
    except (BusyError, CorruptError, OlderError):
        return False
    return all(journal.run_id in known and known[journal.run_id].is_current(journal) for journal in journals)


def _written_ns(layout: Layout) -> int:
    """When the database was last written: a journal that is younger cannot be in it."""
    return max(_changed_ns(path) for path in (layout.database, layout.wal))


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # the log goes when another process closes the database
        return 0


@contextmanager
def _locked(layout: Layout, wait_s: float) -> Iterator[None]:
    """One importer at a time. The system drops the lock with the process that holds it."""
    from filelock import FileLock, Timeout

    lock = FileLock(layout.lock, timeout=wait_s, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(f"Another process is importing into {layout.database}.") from None
    except OSError as error:
        raise BusyError(f"The lock {layout.lock} cannot be taken: {error.strerror}.") from None
    try:
        yield
    finally:
        lock.release()


def _turn(layout: Layout, wait_s: float, *, may_rebuild: bool) -> tuple[ImportSummary, bool]:
    """Transactions until nothing is left or others shall have the database; and whether there is more."""
    until = time.monotonic() + _TURN_S
    done, more = ImportSummary(), True
    try:
        with open_database(layout, read_only=False, wait_s=wait_s) as con:
            while more:
                batch = _transaction(con, layout)
                done, more = done + ImportSummary(batch.lines, batch.damage), batch.full
                if time.monotonic() >= until:
                    break
    except CorruptError:
        if not may_rebuild:
            raise
        return ImportSummary(rebuilt=quarantine(layout)), True
    return done, more


def _transaction(con: DuckDBPyConnection, layout: Layout) -> _Batch:
    """Take in new lines from all journals, until it is enough."""
    with _folder(layout) as folder, LineBatch(con, folder) as rows:
        con.begin()
        batch, known = _Batch(rows), _known(con)
        for journal in _journals(layout):
            progress = known.get(journal.run_id)
            if progress is not None and progress.is_current(journal):
                continue
            if batch.full:
                break
            if progress is not None and not progress.belongs_to(journal):
                _forget(con, journal.run_id)
                progress = None
            batch.progress[journal.run_id] = _read(journal, progress or _Progress(), batch)
        batch.store(con)
        con.commit()
    return batch


@contextmanager
def _folder(layout: Layout) -> Iterator[Path]:
    """A folder of this import's own: DuckDB takes the name of a file for a pattern, and must find no other by it."""
    try:
        folder = TemporaryDirectory(dir=layout.scratch, prefix="import-", ignore_cleanup_errors=True)
    except OSError as error:
        raise StoreError(f"The folder {layout.scratch} cannot be written: {error.strerror or error}.") from None
    with folder as path:
        yield Path(path)


def _forget(con: DuckDBPyConnection, run_id: str) -> None:
    for table in EVENT_TABLES:
        con.execute(f"DELETE FROM {table} WHERE run_id = ?", [run_id])


def _journals(layout: Layout) -> list[_Journal]:
    found = []
    for path in layout.journals():
        status = path.stat()
        found.append(_Journal(layout.journal_name(path), path, status.st_size, status.st_mtime_ns))
    return found


def _known(con: DuckDBPyConnection) -> dict[str, _Progress]:
    columns = "run_id, read_bytes, lines, damage, seen_bytes, seen_mtime_ns, fingerprint"
    tables = " UNION ALL ".join(f"SELECT {columns} FROM {table}" for table in _PROGRESS_TABLES)
    return {row[0]: _Progress(*row[1:]) for row in con.execute(tables).fetchall()}


def _read(journal: _Journal, progress: _Progress, batch: _Batch) -> _Progress:
    """Add a journal's new lines to the batch; how far that came."""
    end, count, damage = progress.read_bytes, progress.lines, progress.damage
    for line in sealed_lines(journal.path, end, line_number=count + 1):
        if isinstance(line, Damage):
            batch.damage += 1
            damage += 1
        else:
            batch.rows.add(line, journal.run_id)
        batch.lines += 1
        batch.bytes += line.end - end
        end, count = line.end, count + 1
        if batch.full:
            break
    reached = _Progress(end, count, damage, fingerprint=_fingerprint(journal.path, end))
    # Only a file that was read to its end counts as seen; size and time are those from before the reading.
    return reached if batch.full else replace(reached, seen_bytes=journal.size, seen_mtime_ns=journal.mtime_ns)


def _journal_row(run_id: str, progress: _Progress) -> Row:
    return (
        run_id,
        progress.read_bytes,
        progress.lines,
        progress.damage,
        progress.seen_bytes,
        progress.seen_mtime_ns,
        progress.fingerprint,
        run_time(run_id.removeprefix(TRAFFIC)),
    )


def _fingerprint(path: Path, end: int) -> str:
    """Of the first and the last bytes before `end`: another file under the same name differs there."""
    try:
        with path.open("rb") as file:
            first = file.read(min(end, _FINGERPRINT_BYTES))
            file.seek(max(0, end - _FINGERPRINT_BYTES))
            last = file.read(min(end, _FINGERPRINT_BYTES))
    except OSError as error:
        raise StoreError(f"The journal {path} cannot be read: {error.strerror}.") from None
    return hashlib.sha256(first + b"\0" + last).hexdigest()[:16]
