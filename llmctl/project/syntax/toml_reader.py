"""Strict TOML: the standard library's values, with a place for every key, and only what JSON can carry."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llmctl.errors import Place, Problem
from llmctl.project.syntax.document import DataPath, Document, decode, line_at
from llmctl.project.syntax.toml_places import KeyLocator

__all__ = ["read_toml"]

MAX_DEPTH = 64
_WHERE = re.compile(r"\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_SENTENCES = {
    "Cannot overwrite a value": "This key stands twice.",
    "Cannot declare": "This table stands twice.",
    "Invalid value": "A value is missing here, or its text has no quotes.",
    "Expected '=' after a key": "A `=` is missing after this key.",
    "Expected newline or end of document": "Text between quotes ends before this; one key stands on one line.",
    "Unterminated string": "A quote is opened and never closed.",
    'Expected "\'"': "A quote is opened before this and never closed.",
    "Illegal character '\\n'": "A quote is opened on this line and not closed.",
}


@dataclass(frozen=True, slots=True)
class _Finding:
    """A value that TOML allows and JSON does not."""

    path: DataPath
    message: str
    hint: str | None = None


def read_toml(data: bytes, file: Path) -> Document:
    """Read one TOML file. Never raises: what is wrong stands in the document's problems."""
    text = decode(data, file)
    if isinstance(text, Problem):
        return Document(file, "", problems=(text,), readable=False)
    try:
        values = tomllib.loads(text)
        findings = list(_foreign(values, ()))
    except RecursionError:
        return Document(file, text, problems=(Problem(_TOO_DEEP, Place(file)),), readable=False)
    except ValueError as error:
        return Document(file, text, problems=(_syntax(str(error), text, file),), readable=False)
    document = Document(file, text, values, locator=KeyLocator(text))
    problems = tuple(document.problem(one.path, one.message, one.hint) for one in findings)
    return Document(file, text, values, problems, document.locator)


_TOO_DEEP = f"The file is nested deeper than {MAX_DEPTH} levels."


def _foreign(value: object, path: tuple[str | int, ...]) -> Iterator[_Finding]:
    """Dates, numbers without end and whole numbers beyond 64 bits: nothing that a provider could be sent."""
    if len(path) > MAX_DEPTH:
        raise RecursionError
    match value:
        case dict():
            for key, item in value.items():
                yield from _foreign(item, (*path, key))
        case list():
            for index, item in enumerate(value):
                yield from _foreign(item, (*path, index))
        case float() if not math.isfinite(value):
            yield _Finding(path, f"`{value}` is not a finite number.")
        case int() if not -(2**63) <= value < 2**64:
            yield _Finding(path, "This whole number needs more than 64 bits.", "Put it between quotes.")
        case str() | int() | float():
            return
        case _:
            yield _Finding(path, "Dates and times are not supported here.", "Put it between quotes.")


def _syntax(said: str, text: str, file: Path) -> Problem:
    found = _WHERE.search(said)
    lines = text.split("\n")
    line = int(found["line"]) if found and found["line"] else len(text.rstrip("\n").split("\n"))
    column = int(found["column"]) if found and found["column"] else len(lines[line - 1]) + 1
    reason = said[: found.start()] if found else said
    message = next((ours for theirs, ours in _SENTENCES.items() if theirs in reason), None)
    if message and "twice" in message:  # the parser stops after the value; the mistake begins with the key
        column = len(lines[line - 1]) - len(lines[line - 1].lstrip()) + 1
    place = Place(file, line, column)
    return Problem(message or f"This is not valid TOML: {reason}.", place, excerpt=line_at(lines, place))
