"""Parquet tables, read by DuckDB in a closed room: no extension is fetched and no other file is opened."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from uuid import UUID

from llmctl.canonical import WrittenFloat
from llmctl.project.tables.records import MAX_ROWS, Row, Table

if TYPE_CHECKING:
    import duckdb

__all__ = ["parquet_rows"]

_MAX_UNPACKED_MB = 500
_ROWS_AT_ONCE = 1_000
_INT64 = range(-(2**63), 2**64)
_DAMAGED = "Write the file again, or export it as CSV."


class _TooLargeError(Exception):
    """The file unpacks to more than this program reads."""


class _CellError(Exception):
    """A value that no text file could hold."""


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: str

    @property
    def quoted(self) -> str:
        return '"' + self.name.replace('"', '""') + '"'

    @property
    def expression(self) -> str:
        """SQL for the cell; times become ISO 8601 text here, with all their digits."""
        name = self.quoted
        if self.type.startswith("TIMESTAMP WITH TIME ZONE"):
            # The cast of the type itself follows the machine's time zone, and its Python value needs pytz.
            return f"replace(CAST(make_timestamp(epoch_us({name})) AS VARCHAR), ' ', 'T') || 'Z'"
        if self.type.startswith("TIMESTAMP"):
            return f"replace(CAST({name} AS VARCHAR), ' ', 'T')"
        if self.type in ("DATE", "TIME", "INTERVAL", "UUID", "TIME WITH TIME ZONE", "BIT"):
            return f"CAST({name} AS VARCHAR)"
        return name


def parquet_rows(stream: BinaryIO, table: Table) -> Iterator[Row]:
    """The rows of a `.parquet` file; row 1 is the first row of data, and a NULL is None."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="llmctl-") as folder:
        file = Path(folder) / "table.parquet"
        with file.open("wb") as copy:
            shutil.copyfileobj(stream, copy)
        try:
            with _connect(file) as connection:
                yield from _read(connection, str(file), table)
        except _TooLargeError as error:
            table.refuse(str(error), hint="Split the file.")
        except duckdb.Error:
            table.refuse("The file is not a Parquet file, or it is damaged.", hint=_DAMAGED)


def _connect(file: Path) -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "memory_limit": "1GB",
            # One thread: more of them read ahead, 100 MB and more of a large file.
            "threads": 1,
            "temp_directory": "",
        },
    )
    connection.execute("SET allowed_paths = [$file]", {"file": str(file)})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _read(connection: duckdb.DuckDBPyConnection, file: str, table: Table) -> Iterator[Row]:
    query = "FROM read_parquet($file)"
    bind = {"file": file}
    described = connection.execute(f"DESCRIBE {query}", bind).fetchall()
    columns = [_Column(row[0], row[1]) for row in described]
    _check_size(connection, columns, bind)
    table.columns.extend(column.name for column in columns)
    table.header = True
    cells = ", ".join(column.expression for column in columns)
    connection.execute(f"SELECT {cells} {query}", bind)
    for number, values in enumerate(_fetch(connection), start=1):
        row = _row(table, number, values)
        if row is not None:
            yield row


def _check_size(connection: duckdb.DuckDBPyConnection, columns: list[_Column], bind: dict[str, str]) -> None:
    unpacked = "SELECT sum(total_uncompressed_size) FROM parquet_metadata($file)"
    _limit(connection.execute(unpacked, bind).fetchone())
    # A dictionary of one long text makes a small file of any number of long texts.
    sizes = " + ".join(f"coalesce(sum(strlen(CAST({column.quoted} AS VARCHAR))), 0)" for column in columns)
    found = connection.execute(f"SELECT {sizes}, count(*) FROM read_parquet($file)", bind).fetchone()
    _limit(found)
    if found is not None and found[1] > MAX_ROWS:
        raise _TooLargeError(f"The table has more than {MAX_ROWS:,} rows.")


def _limit(found: tuple[int | None, ...] | None) -> None:
    if found is not None and (found[0] or 0) > _MAX_UNPACKED_MB * 2**20:
        raise _TooLargeError(f"The table unpacks to more than {_MAX_UNPACKED_MB} MB.")


def _fetch(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[object, ...]]:
    while rows := connection.fetchmany(_ROWS_AT_ONCE):
        yield from rows


def _row(table: Table, number: int, values: tuple[object, ...]) -> Row | None:
    row: dict[str, object] = {}
    for column, value in zip(table.columns, values, strict=True):
        try:
            row[column] = _plain(value)
        except _CellError as error:
            table.refuse(str(error), table.at(number, None, column))
            return None
    return table.row(row, number, None)


def _plain(value: object) -> object:
    """The value as JSON would have it: text, number, truth value, None, list or mapping."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return _checked(value, value in _INT64, "is too large a number; store it as text")
        case float():
            return _checked(value, value - value == 0, "is no finite number")
        case Decimal():
            text = str(value)
            return WrittenFloat(float(value), text) if repr(float(value)) != text else float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case UUID() | timedelta():
            return str(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case _:
            raise _CellError("The cell holds binary data; store it as text.")


def _checked(value: object, good: bool, fault: str) -> object:
    if not good:
        raise _CellError(f"{str(value)[:24]} {fault}.")
    return value
