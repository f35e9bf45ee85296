"""Rows of cells under a header, as spreadsheets have them: the header's names, and cells that fit below them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmctl.project.tables.records import TableBuilder

__all__ = ["CellRow", "add_cell_rows", "column_letters"]


@dataclass(frozen=True, slots=True)
class CellRow:
    """The cells of one row, before they have names."""

    cells: Sequence[object]
    number: int
    line: int | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing stands in the row."""
        return all(cell == "" for cell in self.cells)


def add_cell_rows(builder: TableBuilder, rows: Iterable[CellRow], *, short_rows: bool) -> None:
    """Read the header and then every row; with `short_rows` a row may leave out its last cells."""
    waiting: list[CellRow] = []  # empty rows, which count only once something stands below them
    header = False
    for row in rows:
        if not header:
            header = True
            if not _read_header(builder, row):
                return None
        elif row.empty:
            waiting.append(row)
        else:
            for empty in waiting:
                builder.warn(f"Row {empty.number} is empty and was skipped.", builder.at(empty.number, empty.line))
            waiting.clear()
            if builder.full:
                return builder.refuse_more_rows()
            _add(builder, row, short_rows)
    if not header:
        builder.refuse("The file is empty.", hint="Its first row must name the columns.")
    return None


def column_letters(index: int) -> str:
    """The name that a spreadsheet shows above a column, counted from 0: A, B ... Z, AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _read_header(builder: TableBuilder, row: CellRow) -> bool:
    names = [str(cell).strip() for cell in row.cells]
    while names and not names[-1]:
        names.pop()
    if any("\0" in name for name in names):
        builder.refuse("The header holds a NUL character.", builder.at(row.number, row.line), "Save the file as UTF-8.")
        return False
    if not names:
        builder.refuse(f"Row {row.number} is empty.", builder.at(row.number, row.line), "It must name the columns.")
        return False
    where: dict[str, list[str]] = defaultdict(list)
    for index, name in enumerate(names):
        where[name].append(column_letters(index))
    before = len(builder.problems)
    for name, letters in where.items():
        place = builder.at(row.number, row.line, name or letters[0])
        if not name:
            missing = ", ".join(letters)
            builder.refuse(f"Column {missing} has no name in row {row.number}.", place, "Name it, or delete it.")
        elif len(letters) > 1:
            twice = " and ".join(letters)
            builder.refuse(f"The column name `{name}` stands in {twice}.", place, "Give every column its own name.")
    builder.columns.extend(names)
    return len(builder.problems) == before


def _add(builder: TableBuilder, row: CellRow, short_rows: bool) -> None:
    columns = builder.columns
    cells = list(row.cells)
    while len(cells) > len(columns) and cells[-1] == "":
        cells.pop()
    if short_rows:
        cells += [""] * (len(columns) - len(cells))
    if len(cells) != len(columns):
        return _refuse_length(builder, row, len(cells), short_rows)
    for column, cell in zip(columns, cells, strict=True):
        if isinstance(cell, str) and "\0" in cell:
            place = builder.at(row.number, row.line, column)
            return builder.refuse("The cell holds a NUL character.", place, "Delete it, or save the file as UTF-8.")
    return builder.add(dict(zip(columns, cells, strict=True)), row.number, row.line)


def _refuse_length(builder: TableBuilder, row: CellRow, count: int, short_rows: bool) -> None:
    columns = builder.columns
    if count < len(columns):
        column, hint = columns[count], "Write the missing cells, or leave them empty between separators."
    else:
        column = column_letters(len(columns))
        hint = "Put double quotes around a text that holds the separator or a line break."
    if short_rows:
        hint = "Name the column in the header, or clear the cell."
    counts = f"{count} cell" if count == 1 else f"{count} cells"
    message = f"Row {row.number} has {counts}, but the header names {len(columns)}."
    builder.refuse(message, builder.at(row.number, row.line, column), hint)
