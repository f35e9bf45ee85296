"""The rows that a query finds, as text or as a Parquet file; never more than a chunk of them in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from llmctl.errors import UnfinishedError
from llmctl.store.shapes import ROWS, Column, Shape, csv_header, expression

if TYPE_CHECKING:
    from llmctl.store.interruptible import Interruptible

__all__ = ["BEFORE", "FoundRows", "bracketed"]

BEFORE = "FROM (\n"
"""What stands before the query where it is carried out."""
_CHUNK = 1000


def bracketed(text: str) -> str:
    """The query as a table. Nothing but a SELECT can stand there."""
    return f"{BEFORE}{text}\n) AS {ROWS}"


class FoundRows:
    """What one SELECT finds, in its order."""

    def __init__(
        self,
        calls: Interruptible,
        text: str,
        parameters: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> None:
        """Look up the columns; nothing is read yet.

        Raises:
            duckdb.Error: the query is wrong.
        """
        self._calls = calls
        self._table = bracketed(text)
        self._parameters = parameters
        self._limit = "" if limit is None else f" LIMIT {limit}"
        calls.execute(f"{self._table} LIMIT 0", parameters)
        self.columns = tuple(Column(name, kind.strip('"')) for name, kind in calls.columns())

    def rows(self, shape: Shape) -> Iterator[tuple[str | None, ...]]:
        """The rows in a shape.

        Raises:
            duckdb.Error: a value cannot be computed.
        """
        self._calls.execute(f"{self._table} SELECT {expression(shape, self.columns)}{self._limit}", self._parameters)
        while chunk := self._calls.fetchmany(_CHUNK):
            yield from chunk

    def lines(self, shape: Shape) -> Iterator[str]:
        """The rows in a shape that makes one text of each."""
        return (str(row[0]) for row in self.rows(shape))

    def csv_header(self) -> str:
        """The first line of CSV, without its end."""
        self._calls.execute(f"SELECT {csv_header(self.columns)}")
        [(line,)] = self._calls.fetchmany(2)
        return str(line)

    def write_parquet(self, path: Path) -> int:
        """Write the rows to a file, which may be there; how many.

        Raises:
            UnfinishedError: it cannot be written.
        """
        import duckdb

        quoted = str(path).replace("'", "''")
        copy = f"COPY ({self._table}{self._limit}) TO '{quoted}' (FORMAT parquet, USE_TMP_FILE false)"
        try:
            self._calls.execute(copy, self._parameters)
            [(count,)] = self._calls.fetchmany(2)
        except duckdb.IOException as error:
            reason = str(error).split("\n")[0]
            raise UnfinishedError(f"The file cannot be written: {reason}.") from None
        return int(count)
