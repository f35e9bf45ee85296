"""What every table format is read into: rows by column name, each with its place, and what is wrong with the rest."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from llmctl.errors import Place, Problem, Severity
from llmctl.project.problem_list import ProblemList

__all__ = ["MAX_PROBLEMS", "MAX_ROWS", "Row", "Table"]

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


@dataclass
class Table:
    """A table that is being read: what is known of it so far."""

    path: PurePosixPath
    problems: list[Problem]
    """Whoever reads the rows finds their problems here; they may be taken out at any time."""
    text_rows: bool = False
    columns: list[str] = field(default_factory=list)
    """In the order of the file, or in which the rows first name them."""
    header: bool = False
    """Whether `columns` are all there will be: true from the first row on, where a file names them before its rows."""
    rows: Generator[Row, None, None] = field(init=False)
    """The good rows, each read when it is asked for. Close it before the file, where not all of them are read."""
    file: Path = field(init=False)
    """The file as problems name it."""
    _said: ProblemList = field(init=False)
    _known: set[str] = field(default_factory=set)
    _count: int = 0

    def __post_init__(self) -> None:
        self.file = Path(self.path)
        self.rows = _no_rows()
        self._said = ProblemList(self.problems, MAX_PROBLEMS)

    @property
    def full(self) -> bool:
        """Whether the table has given as many rows as it may; the first one too many is a problem."""
        return self._count >= MAX_ROWS

    def row(self, values: dict[str, object], number: int, line: int | None) -> Row:
        """A row of the table."""
        self._count += 1
        return Row(values, number, Place(self.file, line, None, f"row {number}"), self.text_rows)

    def name_columns(self, names: Iterable[str]) -> None:
        """Add the names that no row has brought before."""
        self.columns.extend(name for name in names if name not in self._known)
        if len(self._known) < len(self.columns):
            self._known.update(self.columns)

    def at(self, number: int, line: int | None, column: str | None = None) -> Place:
        """The place of a row, or of a cell in it."""
        cell = f"row {number}, column {column}" if column is not None else f"row {number}"
        return Place(self.file, line, None, cell)

    def refuse(
        self, message: str, place: Place | None = None, hint: str | None = None, *, excerpt: str | None = None
    ) -> None:
        """Say an error."""
        self._said.add(Problem(message, place or Place(self.file), hint, excerpt))

    def warn(self, message: str, place: Place | None = None, hint: str | None = None) -> None:
        """Say a warning."""
        self._said.add(Problem(message, place or Place(self.file), hint, severity=Severity.WARNING))

    def warn_more(self, count: int) -> None:
        """Count warnings like the last one, without a sentence for each."""
        self._said.count(count, is_error=False)

    def refuse_more_rows(self) -> None:
        """Say how many rows a table may have."""
        self.refuse(f"The table has more than {MAX_ROWS:,} rows.", hint="Split the file.")

    def close(self) -> None:
        """Say how many problems were left unsaid."""
        self._said.close("like these")


def _no_rows() -> Generator[Row, None, None]:
    yield from ()
