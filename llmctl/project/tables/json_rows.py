"""JSONL and JSON tables: each object is a row; a bad one is a problem on its line, and the others are still read."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from llmctl.errors import Place
from llmctl.project.syntax.document import line_at
from llmctl.project.syntax.json_text import JsonReader, JsonValue, plain_complaint
from llmctl.project.tables.records import Table, TableBuilder

__all__ = ["add_object", "read_json", "read_jsonl"]

_SPACE = re.compile(r"[ \t\r\n]*")
_ONE_LIST = "Write a list of objects, or an object with one list in it."


def read_jsonl(data: bytes, path: PurePosixPath) -> Table:
    """Read one object a line. A line ends at a newline only: U+2028 may stand inside a text."""
    builder = TableBuilder(path)
    reader = JsonReader()
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if not line.strip():
            continue
        if builder.full:
            builder.refuse_more_rows()
            break
        _read_line(builder, reader, line.strip(b"\r"), number)
    return builder.table()


def read_json(data: bytes, path: PurePosixPath) -> Table:
    """Read a list of objects, or an object that holds one list."""
    builder = TableBuilder(path)
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        place = Place(builder.file, data.count(b"\n", 0, error.start) + 1)
        builder.refuse("The file is not UTF-8.", place, "Save it as UTF-8.")
        return builder.table()
    try:
        items = _Document(text).rows()
    except json.JSONDecodeError as error:
        _refuse_syntax(builder, error, text.split("\n")[error.lineno - 1], Place(builder.file, error.lineno))
    except _ShapeError as error:
        builder.refuse(str(error), Place(builder.file, error.line), _ONE_LIST)
    else:
        _add_items(builder, text, items)
    return builder.table()


def add_object(builder: TableBuilder, value: object, number: int, line: int | None) -> None:
    """Keep a row that should be a mapping with text keys."""
    if not isinstance(value, dict):
        return builder.refuse("The row is no object: it has no column names.", builder.at(number, line))
    if not value:
        return builder.refuse("The row is empty.", builder.at(number, line), "Delete it.")
    known = set(builder.columns) if len(value) > 8 else builder.columns
    builder.columns.extend(key for key in value if key not in known)
    return builder.add(value, number, line)


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

    def rows(self) -> list[_Item]:
        if self._next() == "[":
            items = self._list()
        elif self._next() == "{":
            items = self._only_list(self._object())
        else:
            self._value()  # says what is wrong with a text that is no JSON at all
            raise _ShapeError("The file holds one value, not a list of rows.", 1)
        if self._next():  # `_next` has skipped the space before it
            raise json.JSONDecodeError("Extra data", self._text, self._position)
        return items

    def _only_list(self, lists: dict[str, list[_Item]]) -> list[_Item]:
        if len(lists) != 1:
            names = ", ".join(f"`{name}`" for name in lists) or "none"
            raise _ShapeError(f"The file's object must hold one list of rows; it holds {names}.", 1)
        return next(iter(lists.values()))

    def _list(self) -> list[_Item]:
        items: list[_Item] = []
        for _ in self._members("]"):
            items.append(self._value())
        return items

    def _object(self) -> dict[str, list[_Item]]:
        lists: dict[str, list[_Item]] = {}
        seen: set[str] = set()
        for _ in self._members("}"):
            key = self._key(seen)
            if self._next() == "[":
                lists[key] = self._list()
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


def _add_items(builder: TableBuilder, text: str, items: list[_Item]) -> None:
    line, counted = 1, 0
    for number, item in enumerate(items, start=1):
        if builder.full:
            return builder.refuse_more_rows()
        line += text.count("\n", counted, item.start)
        counted = item.start
        _add_read(builder, item.read, number, line)
    return None


def _read_line(builder: TableBuilder, reader: JsonReader, line: bytes, number: int) -> None:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        place = Place(builder.file, number, error.start + 1)
        return builder.refuse(f"The byte 0x{line[error.start]:02X} is not UTF-8.", place, "Save the file as UTF-8.")
    start = len(text) - len(text.lstrip(" \t\r"))
    try:
        read = reader.read(text, start)
        if rest := text[read.end :].lstrip(" \t\r"):
            raise json.JSONDecodeError("Extra data", text, len(text) - len(rest))
    except json.JSONDecodeError as error:
        return _refuse_syntax(builder, error, text, Place(builder.file, number))
    return _add_read(builder, read, number, number)


def _add_read(builder: TableBuilder, read: JsonValue, number: int, line: int) -> None:
    for fault in read.faults:
        builder.refuse(fault, builder.at(number, line))
    if not read.faults:
        add_object(builder, read.value, number, line)


def _refuse_syntax(builder: TableBuilder, error: json.JSONDecodeError, line: str, place: Place) -> None:
    place = Place(place.file, place.line, error.colno)
    builder.refuse(plain_complaint(error), place, excerpt=line_at([line], Place(place.file, 1, error.colno)))
