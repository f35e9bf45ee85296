"""Where everything lies in a store: journals, the DuckDB file, and the lock between importers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmctl.errors import StoreError

__all__ = ["EVENTS", "TRAFFIC", "Layout", "private_directory", "private_files"]

TRAFFIC = "traffic/"
"""What the name of a traffic journal begins with, where runs' journals are named too: no run's name holds a slash."""
EVENTS = "./events.jsonl"
"""What the journal of events is named there."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below a store's directory."""

    root: Path

    @property
    def runs(self) -> Path:
        """The folder of the runs' journals."""
        return self.root / "runs"

    @property
    def traffic(self) -> Path:
        """The folder of the journals of logged calls."""
        return self.root / "traffic"

    @property
    def events(self) -> Path:
        """The journal of what people say of calls; several processes write it, one after the other."""
        return self.root / "events.jsonl"

    @property
    def database(self) -> Path:
        """The index over the journals; it can be deleted at any time, and is rebuilt."""
        return self.root / "llmctl.duckdb"

    @property
    def wal(self) -> Path:
        """DuckDB's write-ahead log; belongs to the database and moves with it."""
        return self.root / "llmctl.duckdb.wal"

    @property
    def lock(self) -> Path:
        """Held while one process imports."""
        return self.root / "llmctl.lock"

    @property
    def traffic_lock(self) -> Path:
        """Held while one process imports logged calls."""
        return self.root / "traffic.lock"

    @property
    def events_lock(self) -> Path:
        """Held while one process writes events."""
        return self.root / "events.lock"

    @property
    def scratch(self) -> Path:
        """Where DuckDB spills what does not fit into memory."""
        return self.root / "tmp"

    def journal(self, run_id: str) -> Path:
        """The journal of a run."""
        return self.runs / f"{run_id}.jsonl"

    def journals(self) -> list[Path]:
        """The journals of runs, then those of traffic, each in the order of their names, then that of events."""
        events = [self.events] if self.events.is_file() else []
        return [*sorted(self.runs.glob("*.jsonl")), *sorted(self.traffic.glob("*.jsonl")), *events]

    def journal_name(self, path: Path) -> str:
        """What the index calls a journal: the run's id, `traffic/` and the import's, or `EVENTS`."""
        if path == self.events:
            return EVENTS
        name = path.stem.encode("utf-8", "backslashreplace").decode()
        return f"{TRAFFIC}{name}" if path.parent == self.traffic else name

    @staticmethod
    def is_run(name: str) -> bool:
        """Whether a journal of this name is a run's."""
        return "/" not in name

    def prepare(self) -> None:
        """Create the store, closed to other users and ignored by git.

        Raises:
            StoreError: the directory cannot be made.
        """
        private_directory(self.runs)
        private_directory(self.scratch)  # DuckDB would let others look into it
        ignore = self.root / ".gitignore"
        if not ignore.exists():
            try:
                with private_files():
                    ignore.write_text("# Written by llmctl: runs stay on this machine.\n*\n", encoding="utf-8")
            except OSError as error:
                raise StoreError(f"The store {self.root} cannot be written: {error.strerror}.") from None


@contextmanager
def private_files() -> Iterator[None]:
    """Files that a library makes within the block are open to this user only, whatever the umask.

    Keep it short: it holds for the whole process.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def private_directory(path: Path) -> None:
    """Make a directory and its missing parents, open to this user only.

    Raises:
        StoreError: it cannot be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The directory {path} cannot be made: {error.strerror}.", hint="Set LLMCTL_STORE to another place."
        ) from None
    if not path.is_dir():
        raise StoreError(f"{path} is not a directory.", hint="Set LLMCTL_STORE to another place.")
