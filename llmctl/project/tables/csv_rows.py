"""CSV as spreadsheets of any country write it: four separators, five encodings, quoted line breaks."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from llmctl.errors import Place
from llmctl.project.sources import MAX_FILE_BYTES
from llmctl.project.tables.cells import CellRow, add_cell_rows, column_letters
from llmctl.project.tables.records import Table, TableBuilder

__all__ = ["read_csv"]

_SEPARATORS = ",;\t|"
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')
_UTF8 = "Save it as UTF-8 (in a spreadsheet: CSV UTF-8)."


def read_csv(data: bytes, path: PurePosixPath) -> Table:
    """Read a `.csv` or `.tsv` file; every value is text, exactly as it stands in its cell."""
    builder = TableBuilder(path, text_rows=True)
    text = _decode(data, builder)
    if text is None:
        return builder.table()
    first_line = 1
    if named := _SEPARATOR_LINE.match(text):
        separator, first_line, text = named[1], 2, text[named.end() :]
    else:
        separator = _detect_separator(text, builder)
    # The module's limit is 128 KB a cell: one case may be a whole document.
    csv.field_size_limit(MAX_FILE_BYTES)
    try:
        add_cell_rows(builder, _rows(text, separator, first_line), short_rows=False)
    except _BrokenRowError as broken:
        _refuse_broken(builder, broken, text, separator, first_line)
    return builder.table()


class _BrokenRowError(Exception):
    def __init__(self, number: int, line: int) -> None:
        super().__init__(number, line)
        self.number = number
        self.line = line


def _rows(text: str, separator: str, first_line: int) -> Iterator[CellRow]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    for number in itertools.count(1):
        line = reader.line_num + first_line
        try:
            cells = next(reader, None)
        except csv.Error:
            raise _BrokenRowError(number, line) from None
        if cells is None:
            return
        yield CellRow(cells, number, line)


def _decode(data: bytes, builder: TableBuilder) -> str | None:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _decode_utf16(data, builder)
    marked = data.startswith(codecs.BOM_UTF8)
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _decode_windows(data, error, builder, marked=marked)
    if "\0" in text[:4]:
        builder.refuse("The file holds NUL characters; it may be UTF-16 without a byte order mark.", hint=_UTF8)
        return None
    return text


def _decode_utf16(data: bytes, builder: TableBuilder) -> str | None:
    try:
        return data.decode("utf-16")
    except UnicodeDecodeError:
        builder.refuse("The file begins like UTF-16, but it is cut off or damaged.", hint=_UTF8)
        return None


def _decode_windows(data: bytes, error: UnicodeDecodeError, builder: TableBuilder, *, marked: bool) -> str | None:
    place = Place(builder.file, data.count(b"\n", 0, error.start) + 1)
    try:
        text = None if marked else data.decode("cp1252")
    except UnicodeDecodeError:
        text = None
    if text is None:
        builder.refuse(f"The byte 0x{data[error.start]:02X} is not UTF-8.", place, _UTF8)
    else:
        builder.warn("The file is not UTF-8; it was read as Windows-1252.", place, _UTF8)
    return text


def _detect_separator(text: str, builder: TableBuilder) -> str:
    """The separator that the header holds most often outside quotes.

    One that cuts the row below into as many cells is preferred: a column may be called `reply, as sent`.
    """
    if builder.path.suffix.lower() == ".tsv" and "\t" in text:
        return "\t"

    def rank(separator: str) -> tuple[bool, int]:
        counts = _first_lengths(text, separator)
        return counts[0] > 1 and counts[0] == counts[-1], counts[0]

    return max(_SEPARATORS, key=rank)


def _first_lengths(text: str, separator: str) -> list[int]:
    """How many cells the header has, and the row below it; 0 for a row with broken quotes."""
    try:
        return [len(row.cells) for row in itertools.islice(_rows(text, separator, 1), 2)] or [0]
    except _BrokenRowError as broken:
        if broken.number > 1:
            return [len(next(_rows(text, separator, 1)).cells), 0]
        return [text.partition("\n")[0].count(separator) + 1, 0]


def _refuse_broken(builder: TableBuilder, broken: _BrokenRowError, text: str, separator: str, first_line: int) -> None:
    lines = io.StringIO(text, newline="")
    rest = "".join(itertools.islice(lines, broken.line - first_line, None))
    index, closed = _broken_quote(rest, separator)
    column = builder.columns[index] if index < len(builder.columns) else column_letters(index)
    place = builder.at(broken.number, broken.line, column)
    if closed:
        message = "There is text after the closing quote of the cell"
        hint = 'Write a quote inside a quoted cell twice: "".'
    else:
        message = "The quote that opens the cell is never closed"
        hint = 'Close it, or write a quote inside a quoted cell twice: "".'
    builder.refuse(f"{message}; nothing from row {broken.number} on was read.", place, hint)


def _broken_quote(text: str, separator: str) -> tuple[int, bool]:
    """The index of the first cell whose quotes are wrong, and whether they are closed at all."""
    plain = re.compile(f"[^{re.escape(separator)}\r\n]*")
    index = position = 0
    while position < len(text):
        if text[position] == '"':
            quoted = _QUOTED.match(text, position)
            if quoted is None:
                return index, False
            position = quoted.end()
            if text[position : position + 1] not in (separator, "\r", "\n", ""):
                return index, True
        elif match := plain.match(text, position):
            position = match.end()
        if text[position : position + 1] != separator:
            break
        position += 1
        index += 1
    return index, True
