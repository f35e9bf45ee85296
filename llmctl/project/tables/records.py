"""What every table format is read into: rows by column name, each with its place, and what is wrong with the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from llmctl.errors import Place, Problem, Severity

__all__ = ["MAX_PROBLEMS", "MAX_ROWS", "Row", "Table", "TableBuilder"]

MAX_ROWS = 1_000_000
MAX_PROBLEMS = 100
"""What one table says at most; a file in the wrong format would say the same on every row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `values` holds every column of a spreadsheet, and the keys that an object has."""

    values: dict[str, object]
    number: int
    """As the program that people open the file with counts: the header of a spreadsheet is row 1, a line of JSONL its
    line, and an item of a list counts from 1."""
    place: Place
    text_rows: bool = False
    """True where the row stands in a spreadsheet: one cell a column, and an empty cell is empty text."""

    def cell(self, column: str) -> Place:
        """The place of one cell: `row 41, column queue`."""
        return Place(self.place.file, self.place.line, None, f"row {self.number}, column {column}")


@dataclass(frozen=True, slots=True)
class Table:
    """All good rows of a file, in its order, and the problems of the others."""

    rows: list[Row]
    columns: list[str]
    """In the order of the file, or in which the rows first name them."""
    problems: list[Problem]


@dataclass
class TableBuilder:
    """Collects rows and problems while a file is read."""

    path: PurePosixPath
    text_rows: bool = False
    rows: list[Row] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unsaid: int = 0

    @property
    def file(self) -> Path:
        """The file as problems name it."""
        return Path(self.path)

    @property
    def full(self) -> bool:
        """Whether the table holds as many rows as it may; the first one too many is a problem."""
        return len(self.rows) >= MAX_ROWS

    def add(self, values: dict[str, object], number: int, line: int | None) -> None:
        """Keep a row."""
        place = Place(self.file, line, None, f"row {number}")
        self.rows.append(Row(values, number, place, self.text_rows))

    def at(self, number: int, line: int | None, column: str | None = None) -> Place:
        """The place of a row, or of a cell in it."""
        cell = f"row {number}, column {column}" if column is not None else f"row {number}"
        return Place(self.file, line, None, cell)

    def refuse(
        self, message: str, place: Place | None = None, hint: str | None = None, *, excerpt: str | None = None
    ) -> None:
        """Keep an error."""
        self._keep(Problem(message, place or Place(self.file), hint, excerpt))

    def warn(self, message: str, place: Place | None = None, hint: str | None = None) -> None:
        """Keep a warning."""
        self._keep(Problem(message, place or Place(self.file), hint, severity=Severity.WARNING))

    def refuse_more_rows(self) -> None:
        """Keep the error that says how many rows a table may have."""
        self.refuse(f"The table has more than {MAX_ROWS:,} rows.", hint="Split the file.")

    def table(self) -> Table:
        """What was read."""
        problems = list(self.problems)
        if self.unsaid:
            problems.append(Problem(f"There are {self.unsaid:,} more problems like these.", Place(self.file)))
        return Table(self.rows, self.columns, problems)

    def _keep(self, problem: Problem) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
        else:
            self.unsaid += 1
