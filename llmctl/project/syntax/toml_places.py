"""Where the keys and values of a TOML file stand: a scanner over text that `tomllib` has already accepted."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from llmctl.project.syntax.document import DataPath, Spot

__all__ = ["KeyLocator"]

Path = tuple[str | int, ...]
_SPACE = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_KEY = re.compile(r'[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|\'[^\']*\'')
_BARE = re.compile(r"[^,\]}#\n]*")
_STRINGS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}',
        r"'''(?:[^']|'(?!''))*'{3,5}",
        r'"(?:[^"\\]|\\.)*"',
        r"'[^']*'",
    )
)


@dataclass(frozen=True, slots=True)
class _Found:
    """Offsets of a key and of its value."""

    key: int
    value: int


class KeyLocator:
    """Scans the whole file the first time a place is asked for."""

    def __init__(self, text: str) -> None:
        self._text = text

    def value(self, path: DataPath) -> Spot:
        """Where the value at the path begins."""
        return self._spot(self._deepest(path).value)

    def key(self, path: DataPath) -> Spot:
        """Where the last part of the value's key stands."""
        return self._spot(self._deepest(path).key)

    def text(self, path: DataPath) -> Spot:
        """Where the value begins: TOML holds no templates."""
        return self.value(path)

    def _deepest(self, path: DataPath) -> _Found:
        steps = tuple(path)
        while steps not in self._found and steps:
            steps = steps[:-1]
        return self._found.get(steps, _Found(0, 0))

    def _spot(self, offset: int) -> Spot:
        line = bisect_right(self._starts, offset)
        return Spot(line, offset - self._starts[line - 1] + 1)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self._text))]

    @cached_property
    def _found(self) -> dict[Path, _Found]:
        return _Scanner(self._text).found


class _Scanner:
    """One pass over tables, dotted keys, arrays and inline tables."""

    def __init__(self, text: str) -> None:
        self.found: dict[Path, _Found] = {}
        self._text = text
        self._at = 0
        self._last: dict[Path, int] = {}
        self._table: Path = ()
        self._skip(_SPACE)
        while self._at < len(text):
            if text[self._at] == "[":
                self._header()
            else:
                self._pair(self._table)
            self._skip(_SPACE)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"no TOML at offset {self._at}")  # tomllib has accepted the text before
        self._at = match.end()
        return match.group()

    def _header(self) -> None:
        start = self._at
        many = self._text.startswith("[[", start)
        self._at += 2 if many else 1
        path: Path = ()
        parts = self._keys()
        for number, part in enumerate(parts):
            path = (*path, part.name)
            self._note(path, _Found(part.at, start))
            if many and number == len(parts) - 1:
                self._last[path] = self._last.get(path, -1) + 1
            if path in self._last:
                path = (*path, self._last[path])
                self._note(path, _Found(part.at, start))
        self._table = path
        self._skip(_BLANK)
        self._at += 2 if many else 1

    def _keys(self) -> list[_Part]:
        parts = []
        while True:
            self._skip(_BLANK)
            at = self._at
            parts.append(_Part(_name(self._skip(_KEY)), at))
            self._skip(_BLANK)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _pair(self, table: Path) -> None:
        path = table
        parts = self._keys()
        self._at += 1
        self._skip(_BLANK)
        for part in parts:
            path = (*path, part.name)
            self._note(path, _Found(part.at, self._at))
        self._value(path)

    def _value(self, path: Path) -> None:
        match self._text[self._at]:
            case "[":
                self._items(path, "]")
            case "{":
                self._items(path, "}")
            case '"' | "'":
                self._string()
            case _:
                self._skip(_BARE)

    def _items(self, path: Path, end: str) -> None:
        self._at += 1
        index = 0
        self._skip(_SPACE)
        while self._text[self._at] != end:
            if end == "}":
                self._pair(path)
            else:
                self._note((*path, index), _Found(self._at, self._at))
                self._value((*path, index))
            index += 1
            self._skip(_SPACE)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_SPACE)
        self._at += 1

    def _string(self) -> None:
        for pattern in _STRINGS:
            match = pattern.match(self._text, self._at)
            if match:
                self._at = match.end()
                return

    def _note(self, path: Path, found: _Found) -> None:
        self.found.setdefault(path, found)


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a dotted key."""

    name: str
    at: int


def _name(key: str) -> str:
    if not key.startswith(('"', "'")):
        return key
    import tomllib

    return next(iter(tomllib.loads(f"{key} = 0")))
