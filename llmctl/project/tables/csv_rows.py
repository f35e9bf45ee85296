"""CSV as spreadsheets of any country write it: four separators, five encodings, quoted line breaks."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from llmctl.errors import Place
from llmctl.project.sources import MAX_FILE_BYTES
from llmctl.project.tables.cells import CellRow, column_letters, named_rows
from llmctl.project.tables.records import Row, Table

__all__ = ["csv_rows"]

_SEPARATORS = ",;\t|"
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')
_UTF8 = "Save it as UTF-8 (in a spreadsheet: CSV UTF-8)."
_CHUNK_BYTES = 1 << 20


def csv_rows(stream: BinaryIO, table: Table) -> Iterator[Row]:
    """The rows of a `.csv` or `.tsv` file; every value is text, exactly as it stands in its cell."""
    encoding = _encoding(stream, table)
    if encoding is None:
        return
    file = _TextFile(stream, encoding)
    layout = _layout(file, table)
    # The module's limit is 128 KB a cell: one case may be a whole document.
    csv.field_size_limit(MAX_FILE_BYTES)
    try:
        with file.text(after_line=layout.named_by_line) as text:
            yield from named_rows(table, _rows(text, layout), short_rows=False)
    except _BrokenRowError as broken:
        _refuse_broken(table, broken, file, layout.separator)


@dataclass(frozen=True, slots=True)
class _TextFile:
    """A file of text that can be read from its beginning again."""

    stream: BinaryIO
    encoding: str

    @contextmanager
    def text(self, *, after_line: int = 0) -> Iterator[TextIO]:
        """The text below so many lines, line ends as they are."""
        self.stream.seek(0)
        text = io.TextIOWrapper(self.stream, self.encoding, newline="")
        try:
            for _ in range(after_line):
                text.readline()
            yield text
        finally:
            text.detach()


@dataclass(frozen=True, slots=True)
class _Layout:
    separator: str
    named_by_line: int = 0
    """1 where the first line is no row, but names the separator."""


class _BrokenRowError(Exception):
    def __init__(self, number: int, line: int) -> None:
        super().__init__(number, line)
        self.number = number
        self.line = line


def _rows(text: TextIO, layout: _Layout) -> Iterator[CellRow]:
    reader = csv.reader(text, delimiter=layout.separator, strict=True)
    for number in itertools.count(1):
        line = reader.line_num + layout.named_by_line + 1
        try:
            cells = next(reader, None)
        except csv.Error:
            raise _BrokenRowError(number, line) from None
        if cells is None:
            return
        yield CellRow(cells, number, line)


def _encoding(stream: BinaryIO, table: Table) -> str | None:
    """What the whole file can be decoded as; None with a problem where it is no text."""
    start = stream.read(16)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        if _bad_byte(stream, "utf-16") is None:
            return "utf-16"
        table.refuse("The file begins like UTF-16, but it is cut off or damaged.", hint=_UTF8)
        return None
    bad = _bad_byte(stream, "utf-8")
    if bad is not None:
        return _other_encoding(stream, bad, table)
    if "\0" in start.decode("utf-8-sig", "ignore")[:4]:
        table.refuse("The file holds NUL characters; it may be UTF-16 without a byte order mark.", hint=_UTF8)
        return None
    return "utf-8-sig"


def _other_encoding(stream: BinaryIO, bad: _BadByte, table: Table) -> str | None:
    """Windows-1252, for a file that is not UTF-8 and does not say that it is."""
    place = Place(table.file, bad.line)
    stream.seek(0)
    if stream.read(3) == codecs.BOM_UTF8 or _bad_byte(stream, "cp1252") is not None:
        table.refuse(f"The byte 0x{bad.value:02X} is not UTF-8.", place, _UTF8)
        return None
    table.warn("The file is not UTF-8; it was read as Windows-1252.", place, _UTF8)
    return "cp1252"


@dataclass(frozen=True, slots=True)
class _BadByte:
    value: int
    line: int


def _bad_byte(stream: BinaryIO, encoding: str) -> _BadByte | None:
    """The first byte that the encoding does not have."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    while True:
        chunk = stream.read(_CHUNK_BYTES)
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            # The decoder puts the beginning of a character before the chunk, which holds no line end.
            return _BadByte(error.object[error.start], line + error.object.count(b"\n", 0, error.start))
        if not chunk:
            return None
        line += chunk.count(b"\n")


def _layout(file: _TextFile, table: Table) -> _Layout:
    with file.text() as text:
        named = _SEPARATOR_LINE.fullmatch(text.readline(16))
    return _Layout(named[1], named_by_line=1) if named else _Layout(_detect_separator(file, table))


def _detect_separator(file: _TextFile, table: Table) -> str:
    """The separator that the header holds most often outside quotes.

    One that cuts the row below into as many cells is preferred: a column may be called `reply, as sent`.
    """
    if table.path.suffix.lower() == ".tsv" and _holds(file.stream, b"\t"):
        return "\t"

    def rank(separator: str) -> tuple[bool, int]:
        counts = _first_lengths(file, separator)
        return counts[0] > 1 and counts[0] == counts[-1], counts[0]

    return max(_SEPARATORS, key=rank)


def _holds(stream: BinaryIO, byte: bytes) -> bool:
    stream.seek(0)
    return any(byte in chunk for chunk in iter(lambda: stream.read(_CHUNK_BYTES), b""))


def _first_lengths(file: _TextFile, separator: str) -> list[int]:
    """How many cells the header has, and the row below it; 0 for a row with broken quotes."""
    lengths: list[int] = []
    with file.text() as text:
        try:
            lengths.extend(len(row.cells) for row in itertools.islice(_rows(text, _Layout(separator)), 2))
        except _BrokenRowError as broken:
            if broken.number > 1:
                return [*lengths, 0]
    if lengths:
        return lengths
    with file.text() as text:  # empty, or broken in the header
        line = text.readline()
        return [line.count(separator) + 1 if line else 0, 0]


def _refuse_broken(table: Table, broken: _BrokenRowError, file: _TextFile, separator: str) -> None:
    with file.text(after_line=broken.line - 1) as text:
        rest = text.read()
    index, closed = _broken_quote(rest, separator)
    column = table.columns[index] if index < len(table.columns) else column_letters(index)
    place = table.at(broken.number, broken.line, column)
    if closed:
        message = "There is text after the closing quote of the cell"
        hint = 'Write a quote inside a quoted cell twice: "".'
    else:
        message = "The quote that opens the cell is never closed"
        hint = 'Close it, or write a quote inside a quoted cell twice: "".'
    table.refuse(f"{message}; nothing from row {broken.number} on was read.", place, hint)


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
