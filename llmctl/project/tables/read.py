"""Reads any table that a bank may include, by the ending of its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from llmctl.project.tables.csv_rows import read_csv
from llmctl.project.tables.json_rows import read_json, read_jsonl
from llmctl.project.tables.parquet_rows import read_parquet
from llmctl.project.tables.records import Row, Table, TableBuilder
from llmctl.project.tables.xlsx_rows import read_xlsx
from llmctl.project.tables.yaml_rows import rows_from_yaml

__all__ = ["TABLE_SUFFIXES", "Row", "Table", "read_table"]

_READERS: dict[str, Callable[[bytes, PurePosixPath], Table]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".jsonl": read_jsonl,
    ".json": read_json,
    ".yaml": rows_from_yaml,
    ".yml": rows_from_yaml,
    ".parquet": read_parquet,
    ".xlsx": read_xlsx,
}
TABLE_SUFFIXES = tuple(_READERS)
"""The endings that `read_table` knows, in lower case."""


def read_table(data: bytes, path: PurePosixPath) -> Table:
    """Read a table; what is wrong with the file or with single rows stands in `Table.problems`, never raised."""
    reader = _READERS.get(path.suffix.lower())
    if reader is not None:
        return reader(data, path)
    builder = TableBuilder(path)
    builder.refuse(f"{path.name} is no table that llmctl reads.", hint=f"It reads {', '.join(TABLE_SUFFIXES)}.")
    return builder.table()
