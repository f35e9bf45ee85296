"""Counts all that the index holds, and reads every block of it on the way: a damaged one shows nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmctl.store.database import open_database
from llmctl.store.layout import Layout
from llmctl.store.migrations import schema_version
from llmctl.store.schema import EVENT_TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["IndexScan", "RowCount", "rows_at", "scan_index"]


@dataclass(frozen=True, slots=True)
class RowCount:
    """How many rows of a table a run has, and the sum of their positions: equal for equal sets of lines."""

    rows: int = 0
    positions: int = 0

    def __add__(self, other: RowCount) -> RowCount:
        return RowCount(self.rows + other.rows, self.positions + other.positions)


@dataclass(frozen=True, slots=True)
class IndexScan:
    """Everything that the index holds, counted; every block was read, and its checksum compared."""

    schema: int
    storage: str
    """The oldest DuckDB that can read the file."""
    reached: Mapping[str, int]
    """By run: the journal's bytes that are imported."""
    counts: Mapping[str, Mapping[str, RowCount]]
    """By run and table."""


def scan_index(layout: Layout, *, wait_s: float) -> IndexScan:
    """Read the whole index.

    Raises:
        CorruptError: a block is damaged.
        StoreError: it cannot be opened.
    """
    with open_database(layout, read_only=True, wait_s=wait_s) as con:
        counts: dict[str, dict[str, RowCount]] = {}
        for table in EVENT_TABLES:
            for run_id, rows, positions in _counted(con, table):
                counts.setdefault(run_id, {})[table] = RowCount(rows, int(positions))
        reached = dict(
            con.execute(
                "SELECT run_id, read_bytes FROM journal_rows UNION ALL SELECT run_id, read_bytes FROM traffic_journals"
            ).fetchall()
        )
        return IndexScan(schema_version(con), _storage(con), reached, counts)


def rows_at(layout: Layout, run_id: str, positions: Sequence[int], *, wait_s: float) -> Mapping[str, RowCount]:
    """By table: what the index holds of the lines of a run that begin at these bytes.

    Raises:
        StoreError: the index cannot be read.
    """
    found = {}
    with open_database(layout, read_only=True, wait_s=wait_s) as con:
        for table in EVENT_TABLES:
            query = f"SELECT count(*), sum(position) FROM {table} WHERE run_id = ? AND list_contains(?, position)"
            [(rows, total)] = con.execute(query, [run_id, list(positions)]).fetchall()
            if rows:
                found[table] = RowCount(rows, int(total))
    return found


def _counted(con: DuckDBPyConnection, table: str) -> list[tuple[str, int, int]]:
    # The hash is thrown away: it makes DuckDB read every column, and so compare the checksum of every block.
    found = con.execute(
        f"SELECT run_id, count(*), sum(position), bit_xor(hash(t)) FROM {table} t GROUP BY run_id"
    ).fetchall()
    return [(row[0], row[1], row[2]) for row in found]


def _storage(con: DuckDBPyConnection) -> str:
    found = con.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal AND path IS NOT NULL").fetchall()
    return str(found[0][0].get("storage_version", "")) if found else ""
