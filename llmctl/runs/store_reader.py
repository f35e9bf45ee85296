"""Looks into a store: imports what is new first, and opens the database for a moment each time.

A reader never keeps a writer waiting: long answers are read in chunks, in the order of their journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from llmctl.errors import StoreError
from llmctl.runs.importer import ImportSummary, import_journals, rebuild
from llmctl.runs.rows import Row
from llmctl.store.database import CorruptError, open_database
from llmctl.store.layout import Layout

__all__ = ["WAIT_S", "StoreReader"]

T = TypeVar("T")
WAIT_S = 10.0
"""How long to try while another process holds the store."""
_CHUNK = 2000


class StoreReader:
    """Rows of a store's database. A missing store holds none."""

    def __init__(self, store: Path, *, wait_s: float = WAIT_S) -> None:
        """`wait_s`: for how long to try while another process holds the store."""
        self.layout = Layout(store)
        self.wait_s = wait_s
        self._imported: ImportSummary | None = None

    def refresh(self) -> ImportSummary:
        """Import what is new; done once by itself before the first look.

        Raises:
            StoreError: the store cannot be read or written.
        """
        self._imported = import_journals(self.layout.root, wait_s=self.wait_s)
        return self._imported

    def rows(self, query: str, parameters: object) -> list[Row]:
        """What a query finds.

        Raises:
            StoreError: the store cannot be read.
        """

        def found(layout: Layout) -> list[Row]:
            if not layout.database.exists():
                return []
            with open_database(layout, read_only=True, wait_s=self.wait_s) as con:
                return con.execute(query, parameters).fetchall()

        return self.look(found)

    def look(self, reading: Callable[[Layout], T]) -> T:
        """One look at the database, which may not be there. A damaged file is set aside and built again, once.

        `reading` opens it, and is called a second time then.

        Raises:
            StoreError: the store cannot be read.
        """
        imported = self._imported or self.refresh()
        if imported.later is not None and not self.layout.database.exists():
            raise StoreError(imported.later, hint="Try again in a moment.")
        try:
            return reading(self.layout)
        except CorruptError:
            self._imported = rebuild(self.layout.root, wait_s=self.wait_s)
            return reading(self.layout)

    def of_run(self, table: str, names: str, run_id: str) -> list[Row]:
        """The columns `names` of all rows of a run, in the order of the journal."""
        return self.rows(f"SELECT {names} FROM {table} WHERE run_id = ? ORDER BY position", [run_id])

    def chunks(self, table: str, names: str, run_id: str, wanted: dict[str, str] | None = None) -> Iterator[list[Row]]:
        """Rows of a run in the order of the journal, their position first; no chunk is empty.

        `wanted`: only rows with these values, by column.
        """
        wanted = wanted or {}
        conditions = "".join(f" AND {name} = ${name}" for name in wanted)
        position = -1
        while True:
            chunk = self.rows(
                f"SELECT position, {names} FROM {table} WHERE run_id = $run AND position > $after{conditions} "
                f"ORDER BY position LIMIT {_CHUNK}",
                {"run": run_id, "after": position, **wanted},
            )
            if not chunk:
                return
            yield chunk
            if len(chunk) < _CHUNK:
                return
            position = chunk[-1][0]

    def journals(self) -> list[str]:
        """The runs whose journals are still there."""
        return [path.stem.encode("utf-8", "backslashreplace").decode() for path in self.layout.runs.glob("*.jsonl")]
