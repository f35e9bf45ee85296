"""The `javascript` assertions that need no JavaScript: one comparison of the output, or of a part of it."""

from __future__ import annotations

import json
import re

from llmctl.importers.promptfoo.assertion import Assertion, Entry, UnconvertibleError
from llmctl.importers.promptfoo.expressions import pointer_of
from llmctl.importers.promptfoo.types import UNCONVERTED

__all__ = ["javascript_entry"]

_TEXT = r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_PART = r"(?P<part>(?:JSON\.parse\(output\)|output)[^=!<>&|?+*/%()]*)"
_FOUND = re.compile(
    rf"(?P<not>!)?output(?P<lower>\.toLowerCase\(\))?\.(?P<how>includes|startsWith|endsWith)\({_TEXT}\)"
)
_EQUAL = re.compile(rf"{_PART}\s*(?P<not>!)?={{2,3}}\s*(?:{_TEXT}|(?P<plain>-?\d+(?:\.\d+)?|true|false))")
_LENGTH = re.compile(r"output(?:\.trim\(\))?\.length\s*(?P<how><=?|>=?|={2,3})\s*(?P<number>\d{1,9})")
_TRIMMED = "White space around the output does not count here; with `output.length` it does."
_EVALUATORS = {"includes": "contains", "startsWith": "starts_with", "endsWith": "ends_with"}


def javascript_entry(assertion: Assertion) -> Entry:
    """The evaluator that says the same as an expression.

    Raises:
        UnconvertibleError: it is more than one comparison.
    """
    if not isinstance(assertion.value, str) or assertion.threshold is not None:
        raise UnconvertibleError(UNCONVERTED["javascript"])
    text = assertion.value.strip().removesuffix(";").strip().removeprefix("return ").strip()
    for pattern, build in ((_FOUND, _found), (_LENGTH, _length), (_EQUAL, _equal)):
        match = pattern.fullmatch(text)
        entry = build(match) if match else None
        if entry is not None:
            return entry
    raise UnconvertibleError(UNCONVERTED["javascript"])


def _found(match: re.Match[str]) -> Entry | None:
    text = _literal(match["text"])
    if text is None or not text.strip() or (match["lower"] and text != text.lower()):
        return None
    arguments: dict[str, object] = {"text": text}
    if match["lower"]:
        arguments["ignore_case"] = True
    if match["how"] != "includes" or text != text.strip():
        arguments["trim"] = False
    entry: dict[str, object] = {_EVALUATORS[match["how"]]: arguments}
    return Entry({"not": entry} if match["not"] else entry)


def _length(match: re.Match[str]) -> Entry | None:
    number, how = int(match["number"]), match["how"]
    bounds: dict[str, object] = {}
    if how.startswith((">", "=")):
        bounds["min"] = number + (how == ">")
    if how.startswith(("<", "=")):
        bounds["max"] = number - (how == "<")
    return None if bounds.get("max") == -1 else Entry({"length": bounds}, (_TRIMMED,))


def _equal(match: re.Match[str]) -> Entry | None:
    """A part of a JSON output, or all of the output, and a text, a number or a truth value."""
    part = match["part"].strip()
    pointer = None if part == "output" else pointer_of(part)
    if part != "output" and pointer is None:
        return None
    if match["plain"] is not None:
        entry: dict[str, object] = {"json": {"value": json.loads(match["plain"])}}
    else:
        text = _literal(match["text"])
        if text is None:
            return None
        entry = {"exact": {"value": text, "trim": False}}
    if match["plain"] is not None and pointer is None:
        return None  # a text is never `===` a number
    if pointer is not None:
        entry["extract"] = pointer
    return Entry({"not": entry} if match["not"] else entry)


def _literal(quoted: str) -> str | None:
    """The text of a JavaScript literal; None for one with an escape that JSON does not have."""
    inner = quoted[1:-1]
    if quoted.startswith("'"):
        inner = inner.replace("\\'", "'").replace('"', '\\"')
    try:
        text = json.loads(f'"{inner}"')
    except ValueError:
        return None
    return text if isinstance(text, str) else None
