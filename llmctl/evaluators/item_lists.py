"""The items of a list as models write it: a JSON array, one item a line with or without bullets, or with commas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from llmctl.canonical import written
from llmctl.evaluators.structure.found_text import fences
from llmctl.evaluators.structure.json_text import json_text, read_json

__all__ = ["ListFormat", "ReadList", "read_list", "written_items"]

_BULLET = re.compile(r"\s*(?:[-*+•–‣·]\s+|\(?\d{1,4}[.)]\s+)?(?:\[[ xX]\]\s+)?")  # noqa: RUF001


class ListFormat(StrEnum):
    """How the items stand in a text."""

    AUTO = "auto"
    JSON = "json"
    LINES = "lines"
    COMMAS = "commas"


@dataclass(frozen=True, slots=True)
class ReadList:
    """The items of a text, or the `problem` that it is no such list."""

    items: tuple[str, ...] = ()
    problem: str | None = None


def read_list(text: str, form: ListFormat, separator: str | None = None) -> ReadList:
    """The items of a list; empty ones are left out, those of a JSON array are kept.

    `auto` reads a JSON array where there is one, else lines where there are several, else what stands between commas.
    A ``` fence around all of it is no part of it.
    """
    text = _unfenced(text.strip())
    if separator is not None:
        return _parts(text.split(separator))
    if form is ListFormat.JSON or (form is ListFormat.AUTO and text.startswith("[")):
        read = _json(text)
        if form is ListFormat.JSON or read.problem is None:
            return read
    if form is ListFormat.LINES or (form is ListFormat.AUTO and "\n" in text):
        return _parts([_unbulleted(line) for line in text.splitlines()])
    return _parts(_unbulleted(text).split(","))


def written_items(values: Sequence[object]) -> tuple[str, ...]:
    """The items of a list of values: texts as they are, numbers as written, any other value as its JSON text."""
    return tuple(json_text(value) if isinstance(value, list | dict) else written(value) for value in values)


def _unfenced(text: str) -> str:
    if not text.startswith(("```", "~~~")):
        return text
    found = fences(text)
    return found[0].text.strip() if len(found) == 1 and found[0].closed and found[0].end >= len(text) else text


def _json(text: str) -> ReadList:
    read = read_json(text)
    if read.problem is not None:
        return ReadList(problem=read.problem)
    if not isinstance(read.value, list):
        return ReadList(problem="JSON, and no list")
    return ReadList(written_items(read.value))


def _parts(parts: Sequence[str]) -> ReadList:
    return ReadList(tuple(part for part in map(str.strip, parts) if part))


def _unbulleted(line: str) -> str:
    bullet = _BULLET.match(line)
    return line[bullet.end() :] if bullet else line
