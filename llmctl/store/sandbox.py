"""An engine for a query that anybody wrote: it reads the tables of one store, and nothing else on this machine.

Measured on DuckDB 2.0: `enable_external_access = false` alone still lets a COPY with USE_TMP_FILE false write over the
very file that is attached, so the file system is taken away too. A file that is open already stays readable.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmctl.store.database import WAIT_S, open_database
from llmctl.store.layout import Layout
from llmctl.store.migrations import migrate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Limits", "open_sandbox"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may take of the machine."""

    memory_mb: int = 1024
    """Nothing is spilled to disk: a query that needs more fails."""
    threads: int = 4
    time_s: float = 60.0


@contextmanager
def open_sandbox(
    layout: Layout, limits: Limits, *, output: Path | None = None, wait_s: float = WAIT_S
) -> Iterator[DuckDBPyConnection]:
    """A connection that reads the store and can reach no file, no network, no extension and no setting.

    A missing store is an empty one. `output`: the one file that may be written, by a statement of our own.

    Raises:
        StoreError: the store cannot be opened or read.
    """
    if not layout.database.exists():
        with _engine() as con:
            con.execute("ATTACH ':memory:' AS llmctl")
            con.execute("USE llmctl")
            migrate(con)
            _close_off(con, limits, output)
            yield con
        return
    with open_database(layout, read_only=True, wait_s=wait_s, using=_engine) as con:
        _close_off(con, limits, output)
        yield con


@contextmanager
def _engine() -> Iterator[DuckDBPyConnection]:
    """Not the one that is kept: what is taken away from it cannot be given back."""
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": "",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,  # else FROM reads the variables of this process
    }
    with duckdb.connect(":memory:", config=config) as con:
        yield con


def _close_off(con: DuckDBPyConnection, limits: Limits, output: Path | None) -> None:
    con.execute(f"SET memory_limit = '{limits.memory_mb}MB'")
    con.execute(f"SET threads = {limits.threads}")
    con.execute("SET errors_as_json = true")
    if output is not None:
        con.execute("SET allowed_paths = $paths", {"paths": [str(output)]})
    con.execute("SET enable_external_access = false")
    if output is None:
        con.execute("SET disabled_filesystems = 'LocalFileSystem'")
    con.execute("SET lock_configuration = true")
