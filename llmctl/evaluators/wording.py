"""The words of explanations: quoted text that hides nothing, and where two texts part."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

__all__ = [
    "QUOTE_CHARACTERS",
    "difference",
    "first_difference",
    "listed",
    "nearest",
    "place_in",
    "quote",
    "quote_pattern",
    "shorten",
    "visible",
]

QUOTE_CHARACTERS = 200
"""A quoted text is shortened to about this length."""

_PATTERN_CHARACTERS = 80
_LEAD, _AFTER = 12, 60
_STEP = 4096
_ODD = re.compile(r"[^ -\[\]-~]")
"""What may have to be shown as an escape."""
_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\"}


def shorten(text: str, limit: int = QUOTE_CHARACTERS) -> str:
    """The text, or its beginning and end with `…` between when it is longer than `limit`."""
    if len(text) <= limit:
        return text
    head = limit * 3 // 4
    return f"{text[:head]}…{text[len(text) - (limit - head) :]}"


def quote(text: str, limit: int = QUOTE_CHARACTERS) -> str:
    """The text in double quotes, shortened; control characters, odd spaces and surrogates become visible escapes."""
    return f'"{visible(text, limit)}"'


def quote_pattern(source: str) -> str:
    """A regular expression in double quotes, as its author wrote it: backslashes are not doubled."""
    return quote(source, _PATTERN_CHARACTERS).replace("\\\\", "\\")


def visible(text: str, limit: int = QUOTE_CHARACTERS) -> str:
    """The same without the quotes."""
    text = shorten(text, limit)
    if text.isprintable() and "\\" not in text:
        return text
    return _ODD.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    char = found[0]
    return _NAMED.get(char) or (char if char.isprintable() else _escape(char))


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def first_difference(one: str, other: str) -> int:
    """The index from which two texts differ; the shorter length where one begins the other."""
    start, end = 0, min(len(one), len(other))
    while start < end:  # blocks first: a character loop over a megabyte takes a tenth of a second
        stop = min(start + _STEP, end)
        if one[start:stop] != other[start:stop]:
            return next(index for index in range(start, stop) if one[index] != other[index])
        start = stop
    return end


def place_in(text: str, index: int) -> str:
    """`character 5`, or `line 2, character 5` in a text of several lines; both count from 1."""
    if "\n" not in text:
        return f"character {index + 1}"
    line = text.count("\n", 0, index) + 1
    column = index - (text.rfind("\n", 0, index) + 1)
    return f"line {line}, character {column + 1}"


def difference(got: str, wanted: str) -> str:
    """Where two texts part and what stands there on each side, as the end of a sentence.

    `they differ from character 4 on: "ing" instead of "ling"`
    """
    index = first_difference(got, wanted)
    place = place_in(got if len(got) > index else wanted, index)
    if index == len(got):
        return f"it ends before {place}, where {_window(wanted, index)} is missing"
    if index == len(wanted):
        return f"it goes on at {place} with {_window(got, index)}"
    return f"they differ from {place} on: {_window(got, index)} instead of {_window(wanted, index)}"


def _window(text: str, index: int) -> str:
    start = index - _LEAD if index > _LEAD else index
    end = index + _AFTER
    lead = "…" if start < index else ""
    tail = "…" if end < len(text) else ""
    return f'"{lead}{visible(text[start:end])}{tail}"'


def listed(texts: Iterable[str], limit: int = 5) -> str:
    """Quoted texts with commas, the first few of them: `"a", "b" and 3 more`."""
    quoted = [quote(text, 60) for text in texts]
    shown = ", ".join(quoted[:limit])
    return shown if len(quoted) <= limit else f"{shown} and {len(quoted) - limit} more"


def nearest(word: str, words: Iterable[str]) -> str | None:
    """A hint with the most similar word, `Did you mean "tolerance"?`, where one is similar."""
    found = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f'Did you mean "{found[0]}"?' if found else None
