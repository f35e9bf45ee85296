"""The rows of a query on a terminal: a table that fits the line, or a block for each row where no table would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

import orjson

from llmctl.report.documents import json_text
from llmctl.report.layout import Cell, Column, block, grid, show, styled
from llmctl.report.numbers import count
from llmctl.safe_text import one_line
from llmctl.store.shapes import Column as QueryColumn

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["json_lines", "render_rows", "rows_text", "write_json_rows"]

Row = Sequence[str | None]

_GAP = 2
_NARROWEST = 8
_WIDEST = 60
_TYPE = len("timestamp")
_NULL = Cell("NULL", "dim")


def render_rows(console: Console, columns: Sequence[QueryColumn], rows: Sequence[Row], *, limit: int | None) -> None:
    """Print the rows at the console's width; one more than `limit` says that there are more."""
    show(console, rows_text(columns, rows, console.width, limit=limit))


def rows_text(columns: Sequence[QueryColumn], rows: Sequence[Row], width: int, *, limit: int | None) -> Text:
    """A line for each row under names and types; what does not fit its column is cut."""
    shown = rows[:limit]
    widths = _widths(columns, shown, width)
    text = _blocks(columns, shown, width) if widths is None else _table(columns, shown, widths, width)
    if not rows:
        text.append("No rows.\n")
    if len(rows) > len(shown):
        said = (
            f"{count(len(shown))} {'row' if len(shown) == 1 else 'rows'} shown, there are more: --limit N, or -o FILE."
        )
        text.append_text(styled(f"{said}\n", "dim"))
    return text


def _widths(columns: Sequence[QueryColumn], rows: Sequence[Row], width: int) -> list[int] | None:
    """What each column gets of the line; None: they do not fit."""
    from rich.cells import cell_len

    def wanted(number: int, column: QueryColumn) -> int:
        cells = (cell_len(one_line(row[number] or _NULL.text, _WIDEST)) for row in rows)
        return min(max(cell_len(column.name), min(len(column.kind), _TYPE), *cells), _WIDEST)

    widths = [wanted(number, column) for number, column in enumerate(columns)]
    room = width - _GAP * (len(columns) - 1)
    if sum(min(one, _NARROWEST) for one in widths) > room:
        return None
    while (surplus := sum(widths) - room) > 0:
        widest = max(widths)
        below = max((one for one in widths if one < widest), default=_NARROWEST)
        alike = [number for number, one in enumerate(widths) if one == widest]
        cut = min(widest - max(below, _NARROWEST), -(-surplus // len(alike)))
        for number in alike:
            widths[number] -= max(cut, 1)
    return widths


def _table(columns: Sequence[QueryColumn], rows: Sequence[Row], widths: Sequence[int], width: int) -> Text:
    drawn = [
        Column(one_line(column.name, room), is_label=not column.is_number, max_width=room)
        for column, room in zip(columns, widths, strict=True)
    ]
    types = [Cell(one_line(column.kind.lower(), room), "dim") for column, room in zip(columns, widths, strict=True)]
    cells = [[_NULL if value is None else Cell(value) for value in row] for row in rows]
    return grid(drawn, [types, *cells], width, indent=0)


def _blocks(columns: Sequence[QueryColumn], rows: Sequence[Row], width: int) -> Text:
    """For rows with more columns than a line has room for."""
    widest = min(max(len(column.name) for column in columns), 24) + _GAP
    text = styled("")
    for number, row in enumerate(rows, 1):
        text.append(f"row {number}\n", style="dim")
        for column, value in zip(columns, row, strict=True):
            cell = _NULL if value is None else Cell(one_line(value, max(width - widest - _GAP, 20)))
            text.append_text(block(column.name, cell, width, indent=2, column=widest))
    return text


def json_lines(rows: Iterable[str], columns: Sequence[QueryColumn]) -> Iterator[str]:
    """Each row as one line of JSON that is safe to show; NaN and Infinity, which JSON has not, become null."""
    # orjson makes floats of numbers beyond 64 bits.
    exact = any("HUGEINT" in column.kind for column in columns)
    for row in rows:
        plain = row.isascii() and "\x7f" not in row and "NaN" not in row and "Infinity" not in row
        yield row if plain else json_text(_parsed(row, exact=exact), indent=False)


def _parsed(row: str, *, exact: bool) -> object:
    import json

    try:
        return json.loads(row) if exact else orjson.loads(row)
    except orjson.JSONDecodeError:  # NaN or Infinity, which json reads
        return json.loads(row)


def write_json_rows(file: TextIO, lines: Iterable[str]) -> int:
    """A list of row objects, a line each; how many."""
    number = 0
    for number, line in enumerate(lines, 1):
        file.write(("[\n  " if number == 1 else ",\n  ") + line)
    file.write("\n]\n" if number else "[]\n")
    return number
