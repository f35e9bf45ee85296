"""Reads any table that a bank may include, by the ending of its name."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from llmctl.errors import Problem
from llmctl.project.tables.csv_rows import csv_rows
from llmctl.project.tables.json_rows import json_rows, jsonl_rows
from llmctl.project.tables.parquet_rows import parquet_rows
from llmctl.project.tables.records import Row, Table
from llmctl.project.tables.xlsx_rows import xlsx_rows
from llmctl.project.tables.yaml_rows import yaml_rows

__all__ = ["TABLE_SUFFIXES", "Row", "Table", "has_header", "read_table"]

_READERS: dict[str, Callable[[BinaryIO, Table], Iterator[Row]]] = {
    ".csv": csv_rows,
    ".tsv": csv_rows,
    ".jsonl": jsonl_rows,
    ".json": json_rows,
    ".yaml": yaml_rows,
    ".yml": yaml_rows,
    ".parquet": parquet_rows,
    ".xlsx": xlsx_rows,
}
TABLE_SUFFIXES = tuple(_READERS)
"""The endings that `read_table` knows, in lower case."""
_SPREADSHEETS = (".csv", ".tsv", ".xlsx")
_HEADED = (*_SPREADSHEETS, ".parquet")


def has_header(path: PurePosixPath) -> bool:
    """Whether the file names its columns before its rows; else each row brings its own."""
    return path.suffix.lower() in _HEADED


def read_table(stream: BinaryIO, path: PurePosixPath, problems: list[Problem]) -> Table:
    """The table in a file that is open and can be read at any position.

    Nothing is read before the first row is asked for. What is wrong with the file or with single rows is added to
    `problems` on the way, never raised.
    """
    suffix = path.suffix.lower()
    table = Table(path, problems, text_rows=suffix in _SPREADSHEETS)
    reader = _READERS.get(suffix)
    if reader is None:
        table.refuse(f"{path.name} is no table that llmctl reads.", hint=f"It reads {', '.join(TABLE_SUFFIXES)}.")
    else:
        table.rows = _to_the_end(reader(stream, table), table)
    return table


def _to_the_end(rows: Iterator[Row], table: Table) -> Generator[Row, None, None]:
    yield from rows
    table.close()
