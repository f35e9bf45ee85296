"""Adds many rows to a table: Python's own through DuckDB's appender, or those that a query of DuckDB's finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["append_rows", "insert_rows"]


def append_rows(con: DuckDBPyConnection, table: str, rows: Iterable[Sequence[object]]) -> None:
    """Append rows, their values in the order of the table's columns; part of the transaction that is open.

    Raises:
        duckdb.Error: a value does not fit its column, or the disk is full.
    """
    with con.appender(table) as appender:
        try:
            appender.append_rows(rows)
        except BaseException:
            appender.clear()  # DuckDB complains about rows that are left in it
            raise


def insert_rows(con: DuckDBPyConnection, statement: str) -> int:
    """Carry out an INSERT, as part of the transaction that is open; how many rows it added.

    Raises:
        duckdb.Error: a value does not fit its column, or the disk is full.
    """
    [(count,)] = con.execute(statement).fetchall()
    return int(count)
