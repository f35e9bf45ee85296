"""The statements by which DuckDB reads journal lines and puts them into the store's tables, made from the records.

The frequent lines (cases, calls, results) are never Python objects: DuckDB reads their JSON from a file, in which each
line begins with `$run` and `$at` (the journal, and the byte at which it begins there). A field of a record is a column
of its table under the same name. A line that lacks a field without a default is refused; a value that is not of its
column's kind, and cannot be read as one, is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from llmctl.evaluators.base import MetricScore
from llmctl.outcome import Outcome
from llmctl.providers.records import Attempt, Call, Usage
from llmctl.runs.records import CallEvent, CallPurpose, CaseEvent, ResultEvent

__all__ = ["LINE_KINDS", "LineKind", "LineTable", "file_line"]

_SCALARS = {"str": "VARCHAR", "int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN"}
_ENUMS: dict[str, type[StrEnum]] = {"Outcome": Outcome, "CallPurpose": CallPurpose}
_TEXTS = "tuple[str, ...]"
_OR_NONE = " | None"
_HEADER = {"$run": "VARCHAR", "$at": "BIGINT"}
_MAX_LINE_BYTES = 16 * 2**20
"""DuckDB's own bound for a line, where none is longer."""


def file_line(run_id: bytes, offset: int, line: bytes) -> bytes:
    """A journal's line as it stands in a file that is read here; `run_id` as JSON."""
    return b'{"$run":%b,"$at":%d,%b\n' % (run_id, offset, line[1:])


@dataclass(frozen=True, slots=True)
class LineTable:
    """A table, and what goes into it from each line, or from each item of a list in it."""

    name: str
    reads: Mapping[str, str]
    """The part of a line that is looked at: DuckDB types by key."""
    values: Mapping[str, str]
    """An expression for each column."""
    conditions: tuple[str, ...]
    """What must hold of a line that is taken."""
    items: str = ""
    """The list whose items become rows; empty: the line itself does."""

    def insert(self, path: Path, longest: int, only: str = "") -> str:
        """The statement that puts lines of a file into the table; `only`: one more condition."""
        columns = ", ".join(f'"{name}"' for name in self.values)
        chosen = ", ".join(self.values.values())
        return f"INSERT INTO {self.name} ({columns}) SELECT {chosen} {self._taken(path, longest, only)}"

    def taken(self, path: Path, longest: int) -> str:
        """A query for how many lines of a file are taken, by run."""
        return f'SELECT "$run", count(*) {self._taken(path, longest, "")} GROUP BY "$run"'

    def _taken(self, path: Path, longest: int, only: str) -> str:
        source = f"{_lines(path, self.reads, longest)} AS line"
        if self.items:
            source = (
                f"(SELECT *, unnest({self.items}) AS item, unnest(range(len({self.items}))) AS number FROM {source})"
            )
        return f"FROM {source} WHERE {' AND '.join(part for part in (*self.conditions, only) if part)}"


@dataclass(frozen=True, slots=True)
class LineKind:
    """Lines of one type: their table, and that of the items in them."""

    lines: LineTable
    items: LineTable | None = None


def _lines(path: Path, reads: Mapping[str, str], longest: int) -> str:
    """The lines of a file as a table; `longest`: bytes of the longest one."""
    quoted = str(path).replace("'", "''")
    columns = ", ".join(f"{_quoted(name)}: {_quoted(kind)}" for name, kind in {**_HEADER, **reads}.items())
    # Lines were checked by their checksum; what cannot be read all the same comes as a row of NULLs.
    return (
        f"read_ndjson('{quoted}', columns = {{{columns}}}, ignore_errors = true, compression = 'none', "
        f"maximum_object_size = {max(_MAX_LINE_BYTES, longest + 1)})"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# The records as DuckDB types, columns and conditions.


def _base(field: Field[Any]) -> str:
    return str(field.type).removesuffix(_OR_NONE)


def _is_optional(field: Field[Any]) -> bool:
    return str(field.type).endswith(_OR_NONE)


def _json_type(field: Field[Any]) -> str:
    """As what DuckDB reads a field."""
    base = _base(field)
    if base == _TEXTS:
        return "VARCHAR[]"
    return "VARCHAR" if base in _ENUMS else _SCALARS.get(base, "JSON")


def _reads(kind: type, without: Sequence[str] = ()) -> dict[str, str]:
    return {field.name: _json_type(field) for field in fields(kind) if field.name not in without}


def _struct(reads: Mapping[str, str]) -> str:
    return "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in reads.items()) + ")"


def _value(field: Field[Any], place: str) -> str:
    """A field's value, with its default where it is missing."""
    column = f'{place}."{field.name}"'
    default = _default(field)
    return f"coalesce({column}, {default})" if default is not None else column


def _default(field: Field[Any]) -> str | None:
    """The default as SQL; None: NULL, or none."""
    base = _base(field)
    if base == "object":
        return "'null'"  # JSON's null is read as NULL
    value = field.default if field.default_factory is MISSING else field.default_factory()
    if value is MISSING or value is None:
        return None
    if base == _TEXTS:
        return "[]"
    text = orjson.dumps(value).decode()
    return text if base in ("int", "float", "bool") else _quoted(text.strip('"'))


def _conditions(of: Iterable[Field[Any]], place: str) -> Iterator[str]:
    """What must hold of a record's fields."""
    for field in of:
        kind, value = str(field.type), _value(field, place)
        if kind in _ENUMS:
            yield f"{value} IN ({', '.join(_quoted(member.value) for member in _ENUMS[kind])})"
        elif kind.startswith("Mapping[") and not _is_optional(field):
            yield f"starts_with({value}, '{{')"
        elif kind.startswith("tuple[") and kind != _TEXTS and not _is_optional(field):
            yield f"starts_with({value}, '[')"
        elif not _is_optional(field) and _default(field) is None:
            yield f"{value} IS NOT NULL"


def _named(kind: type, place: str, without: Sequence[str] = ()) -> dict[str, str]:
    return {field.name: _value(field, place) for field in fields(kind) if field.name not in without}


def _sound(kind: type, place: str, without: Sequence[str] = ()) -> tuple[str, ...]:
    return tuple(_conditions((field for field in fields(kind) if field.name not in without), place))


_KEY = {"run_id": '"$run"', "position": '"$at"'}
_KNOWN = ('"$at" IS NOT NULL',)
_CALL_ID = "line.call_id"


def _cases() -> LineKind:
    return LineKind(
        LineTable("case_rows", _reads(CaseEvent), _KEY | _named(CaseEvent, "line"), _KNOWN + _sound(CaseEvent, "line"))
    )


def _calls() -> LineKind:
    inner, parts = "line.call", ("attempts", "usage")
    reads = _reads(CallEvent, ["call"]) | {
        "call": _struct(_reads(Call, parts) | {"usage": _struct(_reads(Usage))}),
    }
    values = _named(CallEvent, "line", ["call"]) | _named(Call, inner, parts) | _named(Usage, f"{inner}.usage")
    sound = _KNOWN + _sound(CallEvent, "line", ["call"]) + _sound(Call, inner, parts)
    attempts = LineTable(
        "attempt_rows",
        {"call_id": "VARCHAR", "call": _struct({"attempts": f"{_struct(_reads(Attempt))}[]"})},
        _KEY | {"call_id": "call_id"} | _named(Attempt, "item"),
        _KNOWN + _sound(Attempt, "item"),
        items=f"{inner}.attempts",
    )
    return LineKind(LineTable("call_rows", reads, _KEY | values, sound), attempts)


def _results() -> LineKind:
    parts = ("scores",)
    scores = LineTable(
        "score_rows",
        {"scores": f"{_struct(_reads(MetricScore))}[]"},
        _KEY | {"number": "number"} | _named(MetricScore, "item"),
        _KNOWN + _sound(MetricScore, "item"),
        items="line.scores",
    )
    lines = LineTable(
        "result_rows",
        _reads(ResultEvent, parts),
        _KEY | _named(ResultEvent, "line", parts),
        _KNOWN + _sound(ResultEvent, "line", parts),
    )
    return LineKind(lines, scores)


# Logged calls are written by a room above this one: their columns stand here, and a test there compares them.

_LOGGED_TEXTS = (
    *("id", "file", "format", "source_id", "trace_id", "parent_id", "session_id", "provider", "model", "served_model"),
    *("endpoint", "outcome", "output", "finish_reason", "error", "prompt_name", "prompt_version", "user"),
    *("environment", "not_replayable"),
)
_LOGGED_COUNTS = (*("line", "raw_at", "status", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"),)
_LOGGED_AMOUNTS = ("started_at", "latency_ms", "ttft_ms", "cost_usd")
_LOGGED_DATA = ("messages", "tools", "tool_choice", "response_format", "params", "tool_calls", "variables", "metadata")
_SAID = {"kind": "VARCHAR", "value": "DOUBLE", "text": "VARCHAR", "name": "VARCHAR", "source": "VARCHAR"} | {
    "target": "VARCHAR",
    "at": "DOUBLE",
}


def _logged_calls() -> LineKind:
    reads = {
        **dict.fromkeys(_LOGGED_TEXTS, "VARCHAR"),
        **dict.fromkeys(_LOGGED_COUNTS, "BIGINT"),
        **dict.fromkeys(_LOGGED_AMOUNTS, "DOUBLE"),
        **dict.fromkeys(_LOGGED_DATA, "JSON"),
        "tags": "VARCHAR[]",
    }
    values = {name: f'line."{name}"' for name in reads}
    said = LineTable(
        "traffic_feedback_rows",
        {"id": "VARCHAR", "feedback": f"{_struct(_SAID)}[]"},
        _KEY | {"id": "NULL", "call_id": "id"} | {name: f'item."{name}"' for name in _SAID},
        (*_KNOWN, "item.kind IS NOT NULL"),
        items="line.feedback",
    )
    return LineKind(LineTable("traffic_rows", reads, _KEY | values, (*_KNOWN, "line.id IS NOT NULL")), said)


def _logged_feedback() -> LineKind:
    reads = {"id": "VARCHAR", **_SAID}
    values = {name: f'line."{name}"' for name in reads}
    sound = (*_KNOWN, "line.id IS NOT NULL", "line.kind IS NOT NULL")
    return LineKind(LineTable("traffic_feedback_rows", reads, _KEY | {"call_id": "NULL"} | values, sound))


def _feedback() -> LineKind:
    texts = ("id", "origin", "by", "draft")
    reads = {**dict.fromkeys(texts, "VARCHAR"), **_SAID, "token_distance": "DOUBLE"}
    values = {name: f'line."{name}"' for name in reads}
    sound = (*_KNOWN, *(f'line."{name}" IS NOT NULL' for name in ("id", "origin", "kind", "target")))
    return LineKind(LineTable("feedback_rows", reads, _KEY | values, sound))


LINE_KINDS = {
    "case": _cases(),
    "call": _calls(),
    "result": _results(),
    "logged_call": _logged_calls(),
    "logged_feedback": _logged_feedback(),
    "feedback": _feedback(),
}
"""The frequent types of lines."""
