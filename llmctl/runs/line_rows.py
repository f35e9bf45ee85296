"""The rows that a journal's line adds to the store's tables, straight from its JSON: nothing is built in between.

An import reads three lines a case. The frequent ones (cases, calls, results) are checked here, column by column; the
few others are checked by making the event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from functools import lru_cache
from operator import itemgetter
from types import NoneType
from typing import Any

import orjson

from llmctl.evaluators.base import MetricScore
from llmctl.outcome import Outcome
from llmctl.providers.records import Attempt, Call, Usage
from llmctl.runs.codec import CodecError, Line, check
from llmctl.runs.records import (
    BankEvent,
    CaseEvent,
    EndEvent,
    PlanEvent,
    PromptEvent,
    ResultEvent,
    RunEvent,
    TargetEvent,
)
from llmctl.runs.rows import CALL_NAMES, Row, names_of

__all__ = ["rows_of"]

_SCALARS: dict[str, frozenset[type]] = {
    "str": frozenset({str}),
    "str | None": frozenset({str, NoneType}),
    "int": frozenset({int}),
    "int | None": frozenset({int, NoneType}),
    "float": frozenset({float, int}),
    "float | None": frozenset({float, int, NoneType}),
    "bool": frozenset({bool}),
    "bool | None": frozenset({bool, NoneType}),
    "Outcome": frozenset({str}),
    "RunStatus": frozenset({str}),
}
_OUTCOMES = frozenset(outcome.value for outcome in Outcome)


class _Table:
    """A table whose columns, after `run_id` and `position`, are fields of records."""

    def __init__(self, name: str, names: tuple[str, ...], *kinds: type) -> None:
        known: dict[str, Field[Any]] = {field.name: field for kind in kinds for field in fields(kind)}
        types = [str(known[name].type) for name in names]
        self.name = name
        self._names = names
        self._pick = itemgetter(*names)
        self._defaults = {name: _default(known[name]) for name in names if not _required(known[name])}
        self._allowed = [_allowed(kind) for kind in types]
        self._whole = _places(types, "int", "int | None")
        self._outcomes = _places(types, "Outcome")
        self._texts = _places(types, "tuple[str, ...]")
        self._json = [place for place, kind in enumerate(types) if kind not in _SCALARS and place not in self._texts]
        self._misfit = lru_cache(maxsize=1024)(self._find_misfit)

    def row(self, values: Mapping[str, Any]) -> list[Any]:
        """The columns' values.

        Raises:
            CodecError: a value is missing, or is not of its column's kind.
        """
        try:
            row = list(self._pick(values))
        except KeyError:
            row = list(self._pick(self._filled(values)))
        # Rows come in few shapes, so that nearly every check of a dozen types is one look-up.
        if misfit := self._misfit(tuple(map(type, row))):
            raise CodecError(f"its {misfit} is of another kind")
        for place in self._whole:
            if row[place] is not None and not -(2**63) <= row[place] < 2**63:
                row[place] = None  # a number that a provider gave; the column cannot hold it
        for place in self._outcomes:
            if row[place] not in _OUTCOMES:
                raise CodecError(f"there is no outcome {row[place]!r:.40}")
        for place in self._texts:
            if not all(type(item) is str for item in row[place]):
                raise CodecError(f"its {self._names[place]} are no texts")
        for place in self._json:
            row[place] = orjson.dumps(row[place]).decode()
        return row

    def _filled(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        filled = {**self._defaults, **values}
        missing = [name for name in self._names if name not in filled]
        if missing:
            raise CodecError(f"its {missing[0]} is missing")
        return filled

    def _find_misfit(self, shape: tuple[type, ...]) -> str | None:
        for name, kind, allowed in zip(self._names, shape, self._allowed, strict=True):
            if allowed and kind not in allowed:
                return name
        return None


def _required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _default(field: Field[Any]) -> object:
    """The default as JSON has it."""
    value = field.default if field.default_factory is MISSING else field.default_factory()
    return list(value) if isinstance(value, tuple) else value


def _allowed(kind: str) -> frozenset[type]:
    """The JSON types of a field; empty: any."""
    if kind.startswith("tuple["):
        return frozenset({list})
    if kind.startswith("Mapping["):
        return frozenset({dict})
    return _SCALARS.get(kind, frozenset())


def _places(types: list[str], *wanted: str) -> tuple[int, ...]:
    return tuple(place for place, kind in enumerate(types) if kind in wanted)


def _of(name: str, kind: type, *, without: tuple[str, ...] = ()) -> _Table:
    return _Table(name, tuple(column for column in names_of(kind) if column not in without), kind)


_CASES = _of("case_rows", CaseEvent)
_CALLS = _Table("call_rows", CALL_NAMES, Call, Usage)
_ATTEMPTS = _of("attempt_rows", Attempt)
_RESULTS = _of("result_rows", ResultEvent, without=("scores",))
_SCORES = _of("score_rows", MetricScore)
_RARE = {
    "run": _of("run_heads", RunEvent, without=("run_id",)),
    "end": _of("run_ends", EndEvent),
    "prompt": _of("prompt_rows", PromptEvent),
    "target": _of("target_rows", TargetEvent),
    "bank": _of("bank_rows", BankEvent),
    "plan": _of("plan_rows", PlanEvent),
}


def rows_of(line: Line, run_id: str, position: int) -> list[tuple[str, Row]]:
    """The tables that a line adds to, each with the row; none for a type that only a newer llmctl knows.

    Raises:
        CodecError: the fields are not those of the event.
    """
    try:
        match line.type:
            case "case":
                return [(_CASES.name, (run_id, position, *_CASES.row(line.fields)))]
            case "call":
                return _call(line.fields, run_id, position)
            case "result":
                return _result(line.fields, run_id, position)
            case name if name in _RARE:
                check(line)
                return [(_RARE[name].name, (run_id, position, *_RARE[name].row(line.fields)))]
            case _:
                return []
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, CodecError):
            raise
        raise CodecError(f"it cannot be read: {(str(error).splitlines() or [''])[0]}") from None


def _call(values: Mapping[str, Any], run_id: str, position: int) -> list[tuple[str, Row]]:
    call, key = values["call"], (run_id, position, values["call_id"])
    if type(key[2]) is not str:
        raise CodecError("its call_id is of another kind")
    rows: list[tuple[str, Row]] = [(_CALLS.name, (*key, *_CALLS.row({**call, **call.get("usage", {})})))]
    rows += [(_ATTEMPTS.name, (*key, *_ATTEMPTS.row(attempt))) for attempt in call.get("attempts", ())]
    return rows


def _result(values: Mapping[str, Any], run_id: str, position: int) -> list[tuple[str, Row]]:
    key = (run_id, position)
    rows: list[tuple[str, Row]] = [(_RESULTS.name, (*key, *_RESULTS.row(values)))]
    for number, score in enumerate(values.get("scores", ())):
        rows.append((_SCORES.name, (*key, number, *_SCORES.row(score))))
    return rows
