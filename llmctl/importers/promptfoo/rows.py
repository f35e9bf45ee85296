"""Rows of a promptfoo table: its magic columns, and the small language of `__expected`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from llmctl.importers.conversion import Notes
from llmctl.importers.promptfoo.config import At, code_file, javascript_text
from llmctl.importers.promptfoo.types import ASSERTION_TYPES

__all__ = ["UnreadableTextsError", "assertion_of", "separated_texts", "test_of_row"]

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_LISTS = frozenset({"contains-all", "contains-any", "icontains-all", "icontains-any"})
_WITH_THRESHOLD = frozenset(
    [
        *("answer-relevance", "classifier", "context-faithfulness", "context-recall", "context-relevance", "cost"),
        *("latency", "levenshtein", "perplexity-score", "perplexity", "rouge-n", "similar", "starts-with"),
    ]
)
_CONFIG = re.compile(r"__config:__expected(\d*):(\w+)")
_TYPE = re.compile(
    rf"(not-)?({'|'.join(map(re.escape, sorted(ASSERTION_TYPES)))})(?:\((\d+(?:\.\d+)?)\))?(?::([\s\S]*))?"
)


class UnreadableTextsError(ValueError):
    """A list of texts between commas that promptfoo refuses."""


def separated_texts(value: str) -> list[str]:
    """Texts between commas as `contains-any` reads them: quoted ones may hold commas, empty ones do not count.

    Raises:
        UnreadableTextsError: a quote is not closed, or something follows it that is no comma.
    """
    texts, at = [], 0
    while (at := _after(value, at, ",")) < len(value):
        if value[at] == '"':
            text, at = _quoted(value, at)
            at = _after(value, at, "")
            if at < len(value) and value[at] != ",":
                raise UnreadableTextsError("something follows a closing quote that is no comma")
        else:
            end = value.find(",", at)
            end = len(value) if end < 0 else end
            text, at = value[at:end].strip(), end
        texts.append(text)
    return texts


def _after(value: str, at: int, also: str) -> int:
    """The next place that is neither white space nor `also`."""
    while at < len(value) and (value[at].isspace() or (also and value[at] == also)):
        at += 1
    return at


def _quoted(value: str, at: int) -> tuple[str, int]:
    """The text between quotes that open at `at`, and the place behind it; a doubled or escaped quote is one of it."""
    text, at = "", at + 1
    while at < len(value):
        pair = value[at : at + 2]
        if pair in ('\\"', "\\\\", '""'):
            text, at = text + pair[1], at + 2
        elif value[at] == '"':
            return text, at + 1
        else:
            text, at = text + value[at], at + 1
    raise UnreadableTextsError("a quote is not closed")


def assertion_of(cell: str) -> dict[str, object]:
    """The assertion that a cell of `__expected` stands for: `contains:Paris`, `similar(0.8):hello`, or a plain text."""
    for prefix in ("javascript:", "fn:", "eval:"):
        if cell.startswith(prefix):
            return {"type": "javascript", "value": cell.removeprefix(prefix).strip()}
    for prefix in ("grade:", "llm-rubric:"):
        if cell.startswith(prefix):
            return {"type": "llm-rubric", "value": cell.removeprefix(prefix)}
    if cell.startswith("python:"):
        return {"type": "python", "value": cell.removeprefix("python:").strip()}
    if cell.startswith("file://") and code_file(cell):
        return {"type": "python" if ".py" in cell else "javascript", "value": cell}
    match = _TYPE.fullmatch(cell)
    if match is None:
        return {"type": "equals", "value": cell}
    negated, base, threshold, value = match.groups()
    return _typed(f"{negated or ''}{base}", base, _number(threshold), value)


def _typed(full: str, base: str, threshold: float | None, value: str | None) -> dict[str, object]:
    if base in _LISTS:
        return {"type": full, "value": separated_texts(value) if value else value}
    if base in ("contains-json", "is-json"):
        return {"type": full, "value": value}
    assertion: dict[str, object] = {"type": full, "value": None if value is None else value.strip()}
    if base in _WITH_THRESHOLD:
        # In a table promptfoo's own defaults are others: 0.8 for `similar`, 0.75 also where 5 edits are meant.
        assertion["threshold"] = threshold if threshold is not None else (0.8 if base == "similar" else 0.75)
    return assertion


@dataclass(slots=True)
class _Row:
    """A row while its columns are read."""

    notes: Notes
    at: At
    vars: dict[str, object]
    asserts: list[dict[str, object]]
    metadata: dict[str, object]
    options: dict[str, object]
    rest: dict[str, object]
    thresholds: dict[int, float]


def test_of_row(values: Mapping[str, object], at: At, notes: Notes) -> dict[str, object]:
    """A row of a table as a test of a config."""
    row = _Row(notes, at, {}, [], {}, {}, {}, {})
    metric = None
    for name, value in values.items():
        key, text = name.strip(), javascript_text(value)
        if key == "__metric":
            metric = text
        else:
            _column(row, key, text)
    for index, assertion in enumerate(row.asserts):
        if metric:
            assertion["metric"] = metric
        if index in row.thresholds:
            assertion["threshold"] = row.thresholds[index]
    test: dict[str, object] = {"vars": row.vars, "assert": row.asserts, **row.rest}
    if row.metadata:
        test["metadata"] = row.metadata
    if row.options:
        test["options"] = row.options
    return test


def _column(row: _Row, key: str, text: str) -> None:
    match key:
        case "__prefix" | "__suffix" | "__description" | "__providerOutput" | "__threshold":
            _setting(row, key.removeprefix("__"), text)
        case _ if key.startswith("__expected"):
            _expected(row, text)
        case _ if key.startswith("__metadata:"):
            _metadata(row, key.removeprefix("__metadata:"), text)
        case _ if key.startswith("__config:"):
            _threshold(row, key, text)
        case "__metadata":
            row.notes.left_out("column __metadata", "It needs a key: `__metadata:category`.", row.at.place)
        case _:
            row.vars[key] = text


def _setting(row: _Row, key: str, text: str) -> None:
    if key == "threshold":
        threshold = _number(text)
        if threshold is not None:
            row.rest[key] = threshold
    elif text:
        settings = row.options if key in ("prefix", "suffix") else row.rest
        settings[key] = text


def _expected(row: _Row, text: str) -> None:
    if not text.strip():
        return
    try:
        row.asserts.append(assertion_of(text.strip()))
    except UnreadableTextsError as error:
        row.notes.left_out("__expected", f"Its texts cannot be told apart: {error}.", row.at.place)


def _metadata(row: _Row, key: str, text: str) -> None:
    if not text.strip():
        return
    if key.endswith("[]"):
        parts = re.split(r"(?<!\\),", text)
        row.metadata[key.removesuffix("[]")] = [part.strip().replace("\\,", ",") for part in parts]
    else:
        row.metadata[key] = text


def _threshold(row: _Row, key: str, text: str) -> None:
    found, threshold = _CONFIG.fullmatch(key), _number(text)
    if not text.strip():
        return
    if found is None or found[2] != "threshold" or threshold is None or found[1] == "0":
        row.notes.left_out(
            f"column {key}", "Only `__config:__expectedN:threshold` with a number is known.", row.at.place
        )
    else:
        row.thresholds[int(found[1] or 1) - 1] = threshold


def _number(text: str | None) -> float | None:
    stripped = (text or "").strip()
    return float(stripped) if _NUMBER.fullmatch(stripped) else None
