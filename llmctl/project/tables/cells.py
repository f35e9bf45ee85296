"""Rows of cells under a header, as spreadsheets have them: the header's names, and cells that fit below them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from llmctl.project.tables.records import MAX_PROBLEMS, Row, Table

__all__ = ["CellRow", "column_letters", "named_rows"]


@dataclass(frozen=True, slots=True)
class CellRow:
    """The cells of one row, before they have names."""

    cells: Sequence[object]
    number: int
    line: int | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing stands in the row."""
        return not any(self.cells) and all(cell == "" for cell in self.cells)


@dataclass(slots=True)
class _EmptyRows:
    """Rows that count only once something stands below them."""

    waiting: list[CellRow] = field(default_factory=list)
    more: int = 0

    def add(self, row: CellRow) -> None:
        if len(self.waiting) < MAX_PROBLEMS:
            self.waiting.append(row)
        else:
            self.more += 1

    def say(self, table: Table) -> None:
        if self.waiting:
            for row in self.waiting:
                table.warn(f"Row {row.number} is empty and was skipped.", table.at(row.number, row.line))
            table.warn_more(self.more)
            self.waiting.clear()
            self.more = 0


def named_rows(table: Table, rows: Iterable[CellRow], *, short_rows: bool) -> Iterator[Row]:
    """Read the header and then every row; with `short_rows` a row may leave out its last cells."""
    empty = _EmptyRows()
    header = False
    for cells in rows:
        if not header:
            header = True
            if not _read_header(table, cells):
                return
        elif cells.empty:
            empty.add(cells)
        else:
            empty.say(table)
            if table.full:
                table.refuse_more_rows()
                return
            row = _named(table, cells, short_rows)
            if row is not None:
                yield row
    if not header:
        table.refuse("The file is empty.", hint="Its first row must name the columns.")


def column_letters(index: int) -> str:
    """The name that a spreadsheet shows above a column, counted from 0: A, B ... Z, AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _read_header(table: Table, row: CellRow) -> bool:
    names = [str(cell).strip() for cell in row.cells]
    while names and not names[-1]:
        names.pop()
    if any("\0" in name for name in names):
        table.refuse("The header holds a NUL character.", table.at(row.number, row.line), "Save the file as UTF-8.")
        return False
    if not names:
        table.refuse(f"Row {row.number} is empty.", table.at(row.number, row.line), "It must name the columns.")
        return False
    where: dict[str, list[str]] = defaultdict(list)
    for index, name in enumerate(names):
        where[name].append(column_letters(index))
    sound = True
    for name, letters in where.items():
        place = table.at(row.number, row.line, name or letters[0])
        if not name:
            missing = ", ".join(letters)
            sound = False
            table.refuse(f"Column {missing} has no name in row {row.number}.", place, "Name it, or delete it.")
        elif len(letters) > 1:
            twice = " and ".join(letters)
            sound = False
            table.refuse(f"The column name `{name}` stands in {twice}.", place, "Give every column its own name.")
    table.columns.extend(names)
    table.header = True
    return sound


def _named(table: Table, row: CellRow, short_rows: bool) -> Row | None:
    columns = table.columns
    cells = row.cells
    if len(cells) != len(columns):
        cells = _fitted(cells, len(columns), short_rows)
    if len(cells) != len(columns):
        _refuse_length(table, row, len(cells), short_rows)
        return None
    for index, cell in enumerate(cells):
        if isinstance(cell, str) and "\0" in cell:
            place = table.at(row.number, row.line, columns[index])
            table.refuse("The cell holds a NUL character.", place, "Delete it, or save the file as UTF-8.")
            return None
    return table.row(dict(zip(columns, cells, strict=True)), row.number, row.line)


def _fitted(given: Sequence[object], count: int, short_rows: bool) -> list[object]:
    """The cells without empty ones beyond the columns; with `short_rows` also those that were left out."""
    cells = list(given)
    while len(cells) > count and cells[-1] == "":
        cells.pop()
    return cells + [""] * (count - len(cells)) if short_rows else cells


def _refuse_length(table: Table, row: CellRow, count: int, short_rows: bool) -> None:
    columns = table.columns
    if count < len(columns):
        column, hint = columns[count], "Write the missing cells, or leave them empty between separators."
    else:
        column = column_letters(len(columns))
        hint = "Put double quotes around a text that holds the separator or a line break."
    if short_rows:
        hint = "Name the column in the header, or clear the cell."
    counts = f"{count} cell" if count == 1 else f"{count} cells"
    message = f"Row {row.number} has {counts}, but the header names {len(columns)}."
    table.refuse(message, table.at(row.number, row.line, column), hint)
