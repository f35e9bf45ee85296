"""Numbered changes of the schema, each applied once, alone, and followed by a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from llmctl.store.schema import ADDED_COLUMNS, TABLES, VIEWS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["MIGRATIONS", "migrate", "schema_version"]


_Change = Callable[["DuckDBPyConnection"], None]


def m001_tables(con: DuckDBPyConnection) -> None:
    """The tables of runs."""
    for table in TABLES:
        con.execute(table)


def m002_views(con: DuckDBPyConnection) -> None:
    """The views of runs."""
    for view in VIEWS:
        con.execute(view)


def _complete(con: DuckDBPyConnection) -> None:
    """Everything that an older file may lack: a view of today needs all tables of today."""
    later = (table for table in TABLES if "IF NOT EXISTS" in table)
    for change in (*ADDED_COLUMNS, *later, *VIEWS):
        con.execute(change)


def m003_plans(con: DuckDBPyConnection) -> None:
    """The plan of a run, and what a result says of its case; a new file has all of it already."""
    _complete(con)


def m004_resumed_runs(con: DuckDBPyConnection) -> None:
    """A result that a resumed run holds twice counts once."""
    _complete(con)


def m005_judges(con: DuckDBPyConnection) -> None:
    """What a call was made for, and the judges of a run."""
    _complete(con)


def m006_view_of_judges(con: DuckDBPyConnection) -> None:
    """The judges of a run, for queries; counts that fit a BIGINT are one, as Parquet has no wider integer."""
    _complete(con)


def m007_traffic(con: DuckDBPyConnection) -> None:
    """Logged calls, and what was said of them where they were logged."""
    _complete(con)


def m008_feedback(con: DuckDBPyConnection) -> None:
    """What people say of calls, and what they make of the answers."""
    _complete(con)


MIGRATIONS: tuple[_Change, ...] = (
    m001_tables,
    m002_views,
    m003_plans,
    m004_resumed_runs,
    m005_judges,
    m006_view_of_judges,
    m007_traffic,
    m008_feedback,
)
_NEW = (m001_tables, m002_views)
"""What makes a new file; it has then what every later change adds."""


def schema_version(con: DuckDBPyConnection) -> int:
    """The number of the last migration; 0 for a new file."""
    import duckdb

    try:
        rows = con.execute("SELECT coalesce(max(number), 0) FROM migrations").fetchall()  # fetchone leaves it open
    except duckdb.CatalogException:  # no such table yet
        return 0
    return int(rows[0][0])


def migrate(con: DuckDBPyConnection) -> None:
    """Bring a file to the schema of this llmctl."""
    version = schema_version(con)
    if version == 0:
        _apply(con, dict(enumerate(MIGRATIONS, 1)), _NEW)
        return
    for number, change in enumerate(MIGRATIONS, 1):
        if number > version:
            _apply(con, {number: change}, (change,))


def _apply(con: DuckDBPyConnection, recorded: Mapping[int, _Change], changes: Sequence[_Change]) -> None:
    con.begin()
    con.execute("CREATE TABLE IF NOT EXISTS migrations (number INTEGER, name VARCHAR, applied_at TIMESTAMP)")
    for change in changes:
        change(con)
    for number, change in recorded.items():
        con.execute(
            "INSERT INTO migrations VALUES (?, ?, CAST(current_timestamp AT TIME ZONE 'UTC' AS TIMESTAMP))",
            [number, change.__name__],
        )
    con.commit()
    con.execute("CHECKPOINT")  # replaying a schema change from the log is DuckDB's weak spot after a crash
