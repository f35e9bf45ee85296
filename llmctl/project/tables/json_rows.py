"""JSONL and JSON tables: each object is a row; a bad one is a problem on its line, and the others are still read."""

from __future__ import annotations

import codecs
import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from llmctl.errors import Place
from llmctl.project.syntax.document import line_at
from llmctl.project.syntax.json_text import JsonReader, JsonValue, plain_complaint
from llmctl.project.tables.records import Row, Table

__all__ = ["json_rows", "jsonl_rows", "object_row"]

_SPACE = re.compile(r"[ \t\r\n]*")
_ONE_LIST = "Write a list of objects, or an object with one list in it."


def jsonl_rows(stream: BinaryIO, table: Table) -> Iterator[Row]:
    """One object a line. A line ends at a newline only: U+2028 may stand inside a text."""
    reader = JsonReader()
    skip_mark(stream)
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        if table.full:
            table.refuse_more_rows()
            return
        row = _line_row(table, reader, line.strip(b"\r\n"), number)
        if row is not None:
            yield row


def skip_mark(stream: BinaryIO) -> None:
    """Begin behind the byte order mark, where there is one."""
    stream.seek(len(codecs.BOM_UTF8) if stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0)


def json_rows(stream: BinaryIO, table: Table) -> Iterator[Row]:
    """A list of objects, or an object that holds one list. The text is in memory as a whole, the rows are not."""
    data = stream.read()
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        place = Place(table.file, data.count(b"\n", 0, error.start) + 1)
        table.refuse("The file is not UTF-8.", place, "Save it as UTF-8.")
        return
    del data
    try:
        yield from _item_rows(table, text, _Document(text).rows())
    except json.JSONDecodeError as error:
        _refuse_syntax(table, error, text.split("\n")[error.lineno - 1], Place(table.file, error.lineno))
    except _ShapeError as error:
        table.refuse(str(error), Place(table.file, error.line), _ONE_LIST)


def object_row(table: Table, value: object, number: int, line: int | None) -> Row | None:
    """A row that should be a mapping with text keys."""
    if not isinstance(value, dict):
        table.refuse("The row is no object: it has no column names.", table.at(number, line))
        return None
    if not value:
        table.refuse("The row is empty.", table.at(number, line), "Delete it.")
        return None
    table.name_columns(value)
    return table.row(value, number, line)


@dataclass(frozen=True, slots=True)
class _Item:
    start: int
    read: JsonValue


class _ShapeError(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class _Document:
    """Walks the outer list itself, so that every row keeps its place."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._reader = JsonReader()
        self._position = 0

    def rows(self) -> Iterator[_Item]:
        opening = self._next()
        if opening == "{":
            # Read twice: a row can only be given away when it is sure that the list is the only one.
            start = self._only_list(self._object())
            self._expect_end()
            self._position = start
            yield from self._list()
            return
        if opening != "[":
            self._value()  # says what is wrong with a text that is no JSON at all
            raise _ShapeError("The file holds one value, not a list of rows.", 1)
        yield from self._list()
        self._expect_end()

    def _expect_end(self) -> None:
        if self._next():  # `_next` has skipped the space before it
            raise json.JSONDecodeError("Extra data", self._text, self._position)

    def _only_list(self, lists: dict[str, int]) -> int:
        if len(lists) != 1:
            names = ", ".join(f"`{name}`" for name in lists) or "none"
            raise _ShapeError(f"The file's object must hold one list of rows; it holds {names}.", 1)
        return next(iter(lists.values()))

    def _list(self) -> Iterator[_Item]:
        for _ in self._members("]"):
            yield self._value()

    def _object(self) -> dict[str, int]:
        """Where each of its lists begins."""
        lists: dict[str, int] = {}
        seen: set[str] = set()
        for _ in self._members("}"):
            key = self._key(seen)
            if self._next() == "[":
                lists[key] = self._position
                deque(self._list(), maxlen=0)
            elif faults := self._value().read.faults:
                raise _ShapeError(faults[0], self._line())
        return lists

    def _key(self, seen: set[str]) -> str:
        if self._next() != '"':
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", self._text, self._position)
        key = str(self._value().read.value)
        if key in seen:
            raise _ShapeError(f"The key `{key}` stands twice.", self._line())
        seen.add(key)
        if self._next() != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", self._text, self._position)
        self._position += 1
        return key

    def _members(self, closing: str) -> Iterator[None]:
        """Step over the brackets and commas around each member, which the caller reads."""
        self._position += 1
        if self._next() != closing:
            yield
            while self._next() == ",":
                self._position += 1
                yield
        if self._next() != closing:
            raise json.JSONDecodeError("Expecting ',' delimiter", self._text, self._position)
        self._position += 1

    def _value(self) -> _Item:
        self._next()
        item = _Item(self._position, self._reader.read(self._text, self._position))
        if item.read.faults and item.read.end == len(self._text):  # too deep to find its end
            raise _ShapeError(item.read.faults[0], self._line())
        self._position = item.read.end
        return item

    def _next(self) -> str:
        """Skip white space; the character after it, or nothing at the end."""
        match = _SPACE.match(self._text, self._position)
        self._position = match.end() if match else self._position
        return self._text[self._position : self._position + 1]

    def _line(self) -> int:
        return self._text.count("\n", 0, self._position) + 1


def _item_rows(table: Table, text: str, items: Iterator[_Item]) -> Iterator[Row]:
    line, counted = 1, 0
    for number, item in enumerate(items, start=1):
        if table.full:
            table.refuse_more_rows()
            return
        line += text.count("\n", counted, item.start)
        counted = item.start
        row = _read_row(table, item.read, number, line)
        if row is not None:
            yield row


def _line_row(table: Table, reader: JsonReader, line: bytes, number: int) -> Row | None:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        place = Place(table.file, number, error.start + 1)
        table.refuse(f"The byte 0x{line[error.start]:02X} is not UTF-8.", place, "Save the file as UTF-8.")
        return None
    start = len(text) - len(text.lstrip(" \t\r"))
    try:
        read = reader.read(text, start)
        if rest := text[read.end :].lstrip(" \t\r"):
            raise json.JSONDecodeError("Extra data", text, len(text) - len(rest))
    except json.JSONDecodeError as error:
        _refuse_syntax(table, error, text, Place(table.file, number))
        return None
    return _read_row(table, read, number, number)


def _read_row(table: Table, read: JsonValue, number: int, line: int) -> Row | None:
    for fault in read.faults:
        table.refuse(fault, table.at(number, line))
    return None if read.faults else object_row(table, read.value, number, line)


def _refuse_syntax(table: Table, error: json.JSONDecodeError, line: str, place: Place) -> None:
    place = Place(place.file, place.line, error.colno)
    table.refuse(plain_complaint(error), place, excerpt=line_at([line], Place(place.file, 1, error.colno)))
