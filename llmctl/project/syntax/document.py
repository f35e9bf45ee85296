"""A file that was read: its data, and the way back from any value to the line it stands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

from llmctl.errors import Place, Problem, Severity

__all__ = ["EMPTY", "MAX_EXCERPT", "DataPath", "Document", "Empty", "Locator", "Spot", "decode", "line_at"]

DataPath = Sequence[str | int]
"""From the root to a value: `("cases", 3, "vars", "ticket")`."""

MAX_EXCERPT = 200
"""A longer line is cut in an excerpt; a column beyond it is shown without its line."""


class Empty(Enum):
    """A value that nobody wrote: a key with nothing after its colon. Always comes with a problem."""

    EMPTY = "empty"


EMPTY: Final = Empty.EMPTY


@dataclass(frozen=True, slots=True)
class Spot:
    """A line and a column, both counted from 1, the column in characters."""

    line: int
    column: int


class Locator(Protocol):
    """Finds where values and keys stand; built by the reader of each format."""

    def value(self, path: DataPath) -> Spot | None:
        """Where the value begins; of the deepest part of the path that exists."""

    def key(self, path: DataPath) -> Spot | None:
        """Where the key of the value stands; where the item begins, in a list."""

    def text(self, path: DataPath) -> Spot | None:
        """Where the first character of a text stands: after its quote, or below its `|`."""


class Nowhere:
    """The locator of a file that could not be read."""

    def value(self, path: DataPath) -> Spot | None:  # noqa: ARG002
        """Nothing is known."""
        return None

    key = value
    text = value


NOWHERE: Final = Nowhere()


@dataclass(frozen=True)
class Document:
    """Parsed data, with places found only when somebody asks for them."""

    file: Path
    """As problems show it: relative to the project's root."""
    content: str
    """The text, line ends LF, without a byte order mark."""
    data: object = EMPTY
    problems: tuple[Problem, ...] = ()
    """What is wrong with the file as YAML or TOML, whatever it means."""
    locator: Locator = NOWHERE
    readable: bool = True
    """False where there is no data because the syntax is broken."""

    def place(self, path: DataPath = (), *, key: bool = False) -> Place:
        """Where the value at `path` stands, or its key."""
        return self._at(self.locator.key(path) if key else self.locator.value(path))

    def text_place(self, path: DataPath) -> Place:
        """Where the first line of the text at `path` begins."""
        return self._at(self.locator.text(path))

    def problem(
        self,
        path: DataPath,
        message: str,
        hint: str | None = None,
        *,
        key: bool = False,
        severity: Severity = Severity.ERROR,
        secret: bool = False,
    ) -> Problem:
        """A problem at the value (or key) at `path`, with its line; a `secret` line is not shown."""
        place = self.place(path, key=key)
        excerpt = None if secret else self.excerpt(place)
        return Problem(message, place, hint, excerpt, severity)

    def excerpt(self, place: Place) -> str | None:
        """The line of a place in this file."""
        return line_at(self._lines, place)

    @cached_property
    def _lines(self) -> list[str]:
        return self.content.split("\n")

    def _at(self, spot: Spot | None) -> Place:
        return Place(self.file, spot.line, spot.column) if spot else Place(self.file)


def line_at(lines: Sequence[str], place: Place) -> str | None:
    """The line of a place; a tab counts as one space, so that a caret under the column stands right."""
    if place.line is None or place.line > len(lines) or (place.column or 0) > MAX_EXCERPT:
        return None
    line = lines[place.line - 1].replace("\t", " ")
    return line if len(line) <= MAX_EXCERPT else line[:MAX_EXCERPT] + "…"


def decode(data: bytes, file: Path) -> str | Problem:
    """UTF-8 with or without a byte order mark to text with LF line ends, or the problem at the first bad byte."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem("The file is UTF-16.", Place(file), "Save it as UTF-8.")
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        excerpt = data.split(b"\n")[line - 1].decode("utf-8", "replace")
        place = Place(file, line, column)
        message = f"The byte 0x{data[error.start]:02X} is not UTF-8."
        return Problem(message, place, "Save the file as UTF-8.", line_at([excerpt], Place(file, 1, column)))
