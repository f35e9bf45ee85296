"""Text in columns and in blocks, measured in terminal cells; everything that comes in is made safe here."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from llmctl.safe_text import one_line, safe_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["Cell", "Column", "block", "grid", "show", "styled", "text_block"]

_GAP = 2
_MAX_BLOCK_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Cell:
    """Text that is not yet safe, and the style to show it in."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a grid; labels stand on the left, numbers on the right."""

    title: str
    is_label: bool = False
    droppable: bool = False
    """May be left out where the line is too narrow for all columns."""
    max_width: int = 48


def show(console: Console, text: Text) -> None:
    """Print lines as they are: neither wrapped again, nor cut, nor read as markup."""
    console.print(text, soft_wrap=True, markup=False, emoji=False, highlight=False, end="")


def styled(text: str, style: str = "") -> Text:
    """Safe text in a style. Newlines and tabs stay."""
    from rich.text import Text

    # As a span: a style of the whole text would also hold for all that is appended to it.
    return Text().append(safe_text(text), style=style or None)


def grid(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int, *, indent: int = 2) -> Text:
    """Rows of aligned cells under their titles.

    Where the line is too narrow, droppable columns are left out from the right; where that does not suffice, all
    columns stay and the labels of each row stand on a line of their own above its numbers.
    """
    for kept in _choices(columns):
        widths = _widths(columns, rows, kept)
        if indent + sum(widths) + _GAP * (len(kept) - 1) <= width:
            return _flat(columns, rows, kept, indent)
    return _stacked(columns, rows, width, indent)


def _choices(columns: Sequence[Column]) -> Iterator[list[int]]:
    """Which columns to show: all, then without the last droppable one, and so on."""
    kept = list(range(len(columns)))
    yield kept
    for dropped in reversed([index for index in kept if columns[index].droppable]):
        kept = [index for index in kept if index != dropped]
        yield kept


def _line(cell: Cell, width: int) -> str:
    return one_line(cell.text, width)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], kept: Sequence[int]) -> list[int]:
    from rich.cells import cell_len

    widths = []
    for index in kept:
        limit = columns[index].max_width
        widths.append(max(len(columns[index].title), *(cell_len(_line(row[index], limit)) for row in rows), 0))
    return widths


def _flat(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], kept: Sequence[int], indent: int) -> Text:
    from rich.text import Text

    widths = _widths(columns, rows, kept)
    titles = [Cell(column.title, "dim") for column in columns]
    text = Text()
    for row in (titles, *rows):
        text.append_text(_padded([row[index] for index in kept], [columns[index] for index in kept], widths, indent))
    return text


def _padded(cells: Sequence[Cell], columns: Sequence[Column], widths: Sequence[int], indent: int) -> Text:
    from rich.cells import cell_len
    from rich.text import Text

    line = Text(" " * indent)
    for number, (cell, column, width) in enumerate(zip(cells, columns, widths, strict=True)):
        content = _line(cell, width)
        padding = " " * (width - cell_len(content))
        line.append(" " * _GAP if number else "")
        line.append("" if column.is_label else padding)
        line.append(content, style=cell.style or None)
        line.append(padding if column.is_label else "")
    line.rstrip()
    return line.append("\n")


def _stacked(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int, indent: int) -> Text:
    from rich.text import Text

    labels = [index for index, column in enumerate(columns) if column.is_label]
    numbers = [index for index, column in enumerate(columns) if not column.is_label]
    widths = _widths(columns, rows, numbers)
    shown = [columns[index] for index in numbers]
    deeper = max(indent, min(indent + 2, width - sum(widths) - _GAP * (len(widths) - 1)))
    text = Text()
    text.append_text(_padded([Cell(column.title, "dim") for column in shown], shown, widths, deeper))
    for row in rows:
        label = "  ".join(row[index].text for index in labels)
        text.append(" " * indent + one_line(label, max(width - indent, 8)) + "\n", style=row[labels[0]].style or None)
        text.append_text(_padded([row[index] for index in numbers], shown, widths, deeper))
    return text


@cache
def _ruler() -> Console:
    from rich.console import Console

    return Console(file=io.StringIO(), width=80, color_system=None)


def block(label: str, content: Cell, width: int, *, indent: int = 4, column: int = 10) -> Text:
    """A label and, beside it, text wrapped at words with every line under the first."""
    cut = content.text[:_MAX_BLOCK_CHARACTERS]
    body = styled(cut.replace("\r\n", "\n"), content.style)
    if len(content.text) > len(cut):
        body.append(f"\n... {len(content.text) - len(cut):,} more characters", style="dim")
    return text_block(label, body, width, indent=indent, column=column)


def text_block(label: str, body: Text, width: int, *, indent: int = 4, column: int = 10) -> Text:
    """The same of text that is safe and styled already."""
    from rich.text import Text

    text = Text()
    room = max(width - indent - column, 20)
    lines = body.wrap(_ruler(), room, overflow="fold", tab_size=4) if body else [Text()]
    for number, line in enumerate(lines):
        head = one_line(label, column - 1).ljust(column) if not number else " " * column
        text.append(" " * indent)
        text.append(head, style="dim")
        line.rstrip()
        text.append_text(line)
        text.append("\n")
    return text
