"""Finds what an output holds beside prose: fenced blocks, and JSON values wherever they stand. Linear in its length."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["MAX_FENCES", "Fence", "Span", "TangledError", "candidates", "fences", "json_spans"]

MAX_FENCES = 100

_FENCE = re.compile(
    r"[ \t]*+(?:(?:[-+*]|\d{1,9}[.)])[ \t]++)?(?P<mark>`{3,}+(?=[^`]*$)|~{3,}+)(?P<info>.*)$", re.DOTALL
)
_CLOSING_INDENT = 3  # CommonMark: a closing fence stands at most so much deeper than what it closes

_VALUE = re.compile(r"""\{\s*+["}]|\[\s*+["\[\]{tfn\d-]""")
_DECODER = json.JSONDecoder()
_WINDOW = 32_768
_TRY, _DEEP = 200, 50_000
_STEPS, _LEAST = 10, 1_000_000


@dataclass(frozen=True, slots=True)
class Fence:
    """A block between two lines of backticks or tildes."""

    language: str
    """The first word after the opening marks, in small letters; empty where there is none."""
    text: str
    start: int
    """Where the opening line begins."""
    end: int
    """Where the closing line ends; the end of the text where it never closes."""
    closed: bool


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text, `text[start:end]`."""

    start: int
    end: int


class TangledError(ValueError):
    """The text holds so many brackets that begin nothing that looking through all of them would take too long."""


@dataclass(slots=True)
class _Open:
    """A fence whose end is not found yet."""

    start: int
    column: int
    mark: str
    info: str
    lines: list[str]

    def closes(self, line: str) -> bool:
        marks = line.strip()
        return (
            marks.startswith(self.mark)
            and not marks.strip(self.mark[0])
            and _indent(line) <= self.column + _CLOSING_INDENT
        )

    def fence(self, end: int, *, closed: bool) -> Fence:
        text = "\n".join(_dedented(line, self.column) for line in self.lines)
        return Fence((self.info.split() or [""])[0].lower(), text, self.start, end, closed)


def fences(text: str) -> list[Fence]:
    """The fenced blocks of a Markdown text, also of those inside lists."""
    found: list[Fence] = []
    inside: _Open | None = None
    at = 0
    for full in text.split("\n"):
        line = full.rstrip("\r")
        if inside is None:
            opening = _FENCE.match(line)
            if opening:
                inside = _Open(at, opening.start("mark"), opening["mark"], opening["info"], [])
        elif inside.closes(line):
            found.append(inside.fence(at + len(line), closed=True))
            inside = None
        else:
            inside.lines.append(line)
        at += len(full) + 1
    if inside is not None:
        found.append(inside.fence(len(text), closed=False))
    return found


def candidates(text: str, languages: frozenset[str]) -> list[str]:
    """What to read of an output that may hold a fence: the closed blocks in one of the languages, else all of it.

    Of many blocks only the first `MAX_FENCES`.
    """
    found = [fence.text for fence in fences(text) if fence.closed and fence.language in languages]
    return found[:MAX_FENCES] or [text]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _dedented(line: str, column: int) -> str:
    return line[min(column, _indent(line)) :]


def json_spans(text: str) -> Iterator[Span]:
    """Where JSON objects and lists stand in a text, the outermost ones, in order.

    Raises:
        TangledError: too many brackets begin what is no JSON.
    """
    budget = _STEPS * len(text) + _LEAST
    base, view, at = 0, text, 0
    while begin := _VALUE.search(view, at - base):
        start = base + begin.start()
        if start - base > _WINDOW:  # a JSONDecodeError counts the lines before it, from the beginning of its text
            base, view = start, text[start:]
        try:
            _, end = _DECODER.raw_decode(view, start - base)
        except json.JSONDecodeError as error:
            budget -= error.pos - (start - base) + _TRY
            at = start + 1
        except RecursionError:
            budget -= _DEEP
            at = start + 1
        except ValueError:  # a number of more digits than Python converts
            budget -= _DEEP
            at = start + 1
        else:
            yield Span(start, base + end)
            at = base + end
        if budget < 0:
            raise TangledError
