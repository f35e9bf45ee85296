"""A table read from its first row to its last, for the tests of every format."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import PurePosixPath

from llmctl.errors import Problem
from llmctl.project.tables import Row, read_table


@dataclass(frozen=True)
class WholeTable:
    rows: list[Row]
    columns: list[str]
    problems: list[Problem]

    @property
    def values(self) -> list[dict[str, object]]:
        return [row.values for row in self.rows]

    @property
    def said(self) -> list[str]:
        return [f"{problem.place}: {problem.message}" for problem in self.problems]


def whole_table(data: bytes | str, name: str) -> WholeTable:
    problems: list[Problem] = []
    stream = io.BytesIO(data if isinstance(data, bytes) else data.encode())
    table = read_table(stream, PurePosixPath(name), problems)
    rows = list(table.rows)
    assert not stream.closed
    return WholeTable(rows, table.columns, problems)
