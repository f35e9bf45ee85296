"""Both sides' databases in one engine: the store's, and beside it the temporary one of files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmctl.compare.side import Side
from llmctl.store.database import open_database
from llmctl.store.engine import set_memory
from llmctl.store.layout import Layout

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

__all__ = ["Opened", "Row", "opened"]

_MEMORY_MB = 256
_STORE, _FILES = "llmctl", "files"

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """The engine, and under which name each side's tables stand in it."""

    con: DuckDBPyConnection
    a: str
    b: str
    store: str | None
    """The name of the store's tables, in which earlier runs are; None: there is no store yet."""

    def run(self, query: str, parameters: Mapping[str, object] | None = None) -> None:
        """Carry out a statement."""
        self.con.execute(query, parameters or {})

    def rows(self, query: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
        """All rows of a query."""
        return self.con.execute(query, parameters or {}).fetchall()

    def arrays(self, query: str, parameters: Mapping[str, object] | None = None) -> dict[str, NDArray[Any]]:
        """The columns of a query; none of them may hold NULL."""
        return self.con.execute(query, parameters or {}).fetchnumpy()


@contextmanager
def opened(a: Side, b: Side, store: Path) -> Iterator[Opened]:
    """Have the tables of both sides at hand, for reading; keep the block short.

    Raises:
        StoreError: a database cannot be read.
    """
    main = Layout(store)
    has_store = main.database.exists()
    first = main if has_store else Layout(a.database.parent)
    with ExitStack() as stack:
        con = stack.enter_context(open_database(first, read_only=True))
        set_memory(con, _MEMORY_MB)
        stack.callback(_drop_tables, con)
        names = {first.database: _STORE}
        for side in (a, b):
            if side.database not in names:
                names[side.database] = f"{_FILES}{len(names)}"
                _attach(con, stack, side.database, names[side.database])
        yield Opened(con, names[a.database], names[b.database], _STORE if has_store else None)


def _attach(con: DuckDBPyConnection, stack: ExitStack, path: Path, name: str) -> None:
    quoted = str(path).replace("'", "''")
    con.execute(f"ATTACH '{quoted}' AS {name} (READ_ONLY)")
    stack.callback(con.execute, f"DETACH {name}")


def _drop_tables(con: DuckDBPyConnection) -> None:
    """The engine is kept for the next look; what this one has made is not."""
    names = con.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall()
    for (name,) in names:
        con.execute(f'DROP TABLE temp."{name}"')
