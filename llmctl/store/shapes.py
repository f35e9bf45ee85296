r"""Rows as text that DuckDB makes of them: cells for a table, lines of CSV, lines of JSON.

The text of CSV is what `llmctl.report.csv_file` writes: nothing in it can become a formula or steer a terminal. It is
made in SQL because a hundred thousand results have millions of cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CELL_CHARACTERS", "ROWS", "Column", "Shape", "csv_header", "expression", "quoted"]

ROWS = "llmctl_rows"
"""What the rows are called inside of an expression."""
CELL_CHARACTERS = 400
"""More than any column of a terminal shows."""

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_NUMBERS = (*_INTEGERS, *(f"U{name}" for name in _INTEGERS), "FLOAT", "DOUBLE", "DECIMAL")
_SPACE = r"\x09-\x0d\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
_FORMULA = rf"^[{_SPACE}]*[-=+@\x{{ff1d}}\x{{ff0b}}\x{{ff0d}}\x{{ff20}}]|^[\t\r\n]"
"""Spreadsheets take a cell that begins so for a formula; also after white space, and in full width."""
_UNSAFE = (
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\x{ad}\x{34f}\x{61c}\x{115f}\x{1160}\x{17b4}\x{17b5}\x{180b}-\x{180f}"
    r"\x{200b}\x{200e}\x{200f}\x{2028}-\x{202e}\x{2060}-\x{206f}\x{3164}\x{fe00}-\x{fe0d}\x{feff}\x{ffa0}"
    r"\x{fff0}-\x{fffb}\x{fffe}\x{ffff}\x{13430}-\x{1343f}\x{1bca0}-\x{1bca3}\x{1d173}-\x{1d17a}\x{e0000}-\x{e0fff}]"
)
"""What `llmctl.safe_text` writes out, but for joiners and emoji selectors, which some scripts need."""


class Shape(StrEnum):
    """What a row becomes."""

    CELLS = "cells"
    """A text, or None, for each column; the first characters of long ones."""
    CSV = "csv"
    """One line without its end."""
    JSON = "json"
    """One object on one line, as DuckDB writes it: it may hold NaN and Infinity."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer."""

    name: str
    kind: str
    """DuckDB's type: `VARCHAR`, `BIGINT`, `VARCHAR[]`."""

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers."""
        return self.kind.split("(")[0] in _NUMBERS and not self.kind.endswith("]")


def quoted(name: str) -> str:
    """A column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def expression(shape: Shape, columns: Sequence[Column]) -> str:
    """What to SELECT from `ROWS`."""
    match shape:
        case Shape.CELLS:
            return ", ".join(f"left(CAST({_of(column)} AS VARCHAR), {CELL_CHARACTERS})" for column in columns)
        case Shape.CSV:
            return " || ',' || ".join(map(_csv_cell, columns))
        case Shape.JSON:
            packed = ", ".join(f"{quoted(column.name)} := {_of(column)}" for column in columns)
            return f"CAST(to_json(struct_pack({packed})) AS VARCHAR)"


def csv_header(columns: Sequence[Column]) -> str:
    """The first line of CSV, as an expression."""
    return " || ',' || ".join(_csv_text(_literal(column.name)) for column in columns)


def _of(column: Column) -> str:
    return f"{ROWS}.{quoted(column.name)}"


def _csv_cell(column: Column) -> str:
    text = f"CAST({_of(column)} AS VARCHAR)"
    plain = column.is_number or column.kind in ("BOOLEAN", "DATE", "TIMESTAMP", "UUID")
    return f"coalesce({text if plain else _csv_text(text)}, '')"


def _csv_text(text: str) -> str:
    """Without formulas and control characters, in quotation marks where a comma or a line's end stands in it."""
    lines = rf"replace({text}, e'\r\n', e'\n')"
    safe = f"CASE WHEN regexp_matches({lines}, '{_UNSAFE}') THEN {_written_out(lines)} ELSE {lines} END"
    guarded = f"CASE WHEN regexp_matches({text}, '{_FORMULA}') THEN '''' || {safe} ELSE {safe} END"
    return (
        f"list_transform([{guarded}], lambda cell: CASE WHEN cell = '' OR regexp_matches(cell, '[\",\\n\\r]') "
        "THEN '\"' || replace(cell, '\"', '\"\"') || '\"' ELSE cell END)[1]"
    )


def _written_out(text: str) -> str:
    """Each unsafe character as its escape."""
    escape = (
        r"CASE WHEN unicode(one) < 256 THEN printf('\x%02x', unicode(one)) "
        r"WHEN unicode(one) < 65536 THEN printf('\u%04x', unicode(one)) ELSE printf('\U%08x', unicode(one)) END"
    )
    each = f"lambda one: CASE WHEN regexp_matches(one, '{_UNSAFE}') THEN {escape} ELSE one END"
    return f"array_to_string(list_transform(string_split({text}, ''), {each}), '')"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
