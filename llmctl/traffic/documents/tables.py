"""Rows of tables as documents: CSV as spreadsheets and exports write it, Parquet as DuckDB reads it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import orjson

from llmctl.traffic.documents.found import MAX_DOCUMENT_BYTES, TOO_LONG, Found, Unreadable
from llmctl.traffic.documents.values import NOT_UTF8, document_of
from llmctl.traffic.readers.base import Document

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["csv_documents", "parquet_documents", "separator_of"]

_SEPARATORS = ",;\t|"
_BROKEN_QUOTE = "a quote in it is not closed"
_ROWS_AT_ONCE = 500
_ROW = "llmctl_row"
"""A name that no column has."""


def separator_of(header: str) -> str | None:
    """What separates the cells of a line; None: it is one cell."""
    line = header.splitlines()[0] if header.strip() else ""
    counts = {separator: len(_cells(line, separator)) for separator in _SEPARATORS}
    best = max(counts, key=lambda separator: counts[separator])
    return best if counts[best] > 1 else None


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


def csv_documents(stream: BinaryIO) -> Iterator[Found]:
    """The rows below the header, each with the line that it begins in; every value is text."""
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield from _csv_rows(text)
    finally:
        text.detach()  # whoever opened the stream closes it


def _csv_rows(text: io.TextIOWrapper) -> Iterator[Found]:
    header = text.readline()
    while header and not header.strip():
        header = text.readline()
    separator = separator_of(header) or ","
    csv.field_size_limit(MAX_DOCUMENT_BYTES)
    names = _cells(header.rstrip("\r\n"), separator)
    reader = csv.reader(text, delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 2
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Unreadable(line, TOO_LONG if "limit" in str(error) else _BROKEN_QUOTE)
            continue
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield _row(names, cells, line)


def _row(names: Sequence[str], cells: Sequence[str], line: int) -> Found:
    if len(cells) > len(names):
        return Unreadable(line, "more cells than the header has columns")
    value = {name.strip(): cell for name, cell in zip(names, cells, strict=False) if name.strip()}
    try:
        return _of(value, line)
    except (TypeError, UnicodeEncodeError):  # what stands for a byte that is no UTF-8
        return Unreadable(line, NOT_UTF8)


def _of(value: Mapping[str, object], line: int) -> Document:
    return Document(value, orjson.dumps(value).decode(), line)


def parquet_documents(path: Path) -> Iterator[Found]:
    """The rows of a Parquet file, from 1. DuckDB reads it in a closed room, and writes each row as JSON."""
    import duckdb

    row = 0
    try:
        with _connect(path) as con:
            con.execute(
                f"SELECT CAST(to_json({_ROW}) AS VARCHAR) FROM read_parquet($file) AS {_ROW}", {"file": str(path)}
            )
            while rows := con.fetchmany(_ROWS_AT_ONCE):
                for (text,) in rows:
                    row += 1
                    yield document_of(text.encode(), row)
    except duckdb.Error:
        yield Unreadable(row + 1, "the Parquet file is damaged")


def _connect(path: Path) -> DuckDBPyConnection:
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": "1GB",
        "threads": 1,  # more of them read ahead
        "temp_directory": "",
    }
    con = duckdb.connect(":memory:", config=config)
    con.execute("SET allowed_paths = [$file]", {"file": str(path)})
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    return con
