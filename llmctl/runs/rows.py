"""Events as rows of the store's tables, and rows as events again; the columns stand in `llmctl.store.schema`.

Cases, calls and results become rows without ever being events: see `line_rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from typing import Any

from llmctl.canonical import from_json, to_json
from llmctl.evaluators.base import MetricScore
from llmctl.outcome import Outcome
from llmctl.providers.records import Attempt, Call, Usage
from llmctl.runs.records import (
    BankEvent,
    CaseEvent,
    EndEvent,
    Event,
    JudgeEvent,
    PlanEvent,
    PlannedTarget,
    PromptEvent,
    ResultEvent,
    RunEvent,
    RunStatus,
    TargetEvent,
    TargetName,
)

__all__ = [
    "CALL_COLUMNS",
    "CALL_NAMES",
    "Row",
    "attempt_of",
    "bank_of",
    "call_of",
    "case_of",
    "columns",
    "end_of",
    "event_row",
    "head_of",
    "judge_of",
    "names_of",
    "plan_of",
    "prompt_of",
    "result_of",
    "score_of",
    "target_of",
]

Row = tuple[Any, ...]
"""One row of a table, in the order of its columns."""

_TABLES: dict[type, str] = {
    RunEvent: "run_heads",
    EndEvent: "run_ends",
    PromptEvent: "prompt_rows",
    TargetEvent: "target_rows",
    BankEvent: "bank_rows",
    JudgeEvent: "judge_rows",
    PlanEvent: "plan_rows",
}

CALL_NAMES = (
    *("key", "provider", "model", "transport", "endpoint", "outcome", "output", "tool_calls", "finish_reason"),
    *("served_model", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "cost_usd"),
    *("started_at", "latency_ms", "ttft_ms", "error"),
)
"""The fields of a call without its attempts, its usage among them."""
CALL_COLUMNS = ", ".join(CALL_NAMES)
"""What `call_of` reads."""


def columns(kind: type, *, without: Sequence[str] = ()) -> str:
    """A list of columns for SELECT: the fields of a dataclass, in their order."""
    return ", ".join(f'"{name}"' for name in names_of(kind) if name not in without)


def event_row(event: Event) -> tuple[str, Row]:
    """The table of an event that comes once or a few times in a run, and its row after `run_id` and `position`."""
    kind: type = type(event)
    names = _without(RunEvent, "run_id") if kind is RunEvent else names_of(kind)
    return _TABLES[kind], tuple(_cell(getattr(event, name)) for name in names)


def head_of(run_id: str, row: Row) -> RunEvent:
    """From `columns(RunEvent, without=["run_id"])`."""
    values = _named(RunEvent, (run_id, *row))
    _decode(values, "versions", "options")
    return RunEvent(**values)


def end_of(row: Row) -> EndEvent:
    """From `columns(EndEvent)`."""
    values = _named(EndEvent, row)
    values["status"] = RunStatus(values["status"])
    return EndEvent(**values)


def prompt_of(row: Row) -> PromptEvent:
    """From `columns(PromptEvent)`."""
    values = _named(PromptEvent, row)
    _decode(values, "source")
    return PromptEvent(**values)


def target_of(row: Row) -> TargetEvent:
    """From `columns(TargetEvent)`."""
    values = _named(TargetEvent, row)
    _decode(values, "params", "config")
    return TargetEvent(**values)


def bank_of(row: Row) -> BankEvent:
    """From `columns(BankEvent)`."""
    values = _named(BankEvent, row)
    _decode(values, "targets")
    values["targets"] = tuple(TargetName(**target) for target in values["targets"])
    return BankEvent(**values)


def judge_of(row: Row) -> JudgeEvent:
    """From `columns(JudgeEvent)`."""
    values = _named(JudgeEvent, row)
    _decode(values, "config")
    return JudgeEvent(**values)


def plan_of(row: Row) -> PlanEvent:
    """From `columns(PlanEvent)`."""
    values = _named(PlanEvent, row)
    _decode(values, "targets", "tags")
    values["targets"] = tuple(PlannedTarget(**target) for target in values["targets"])
    return PlanEvent(**values)


def case_of(row: Row) -> CaseEvent:
    """From `columns(CaseEvent)`."""
    values = _named(CaseEvent, row)
    _decode(values, "vars", "expected", "evaluators")
    values["evaluators"] = tuple(values["evaluators"])
    values["tags"] = tuple(values["tags"])
    return CaseEvent(**values)


def call_of(row: Row, attempts: Sequence[Attempt]) -> Call:
    """From `CALL_COLUMNS`."""
    values: dict[str, Any] = dict(zip(CALL_NAMES, row, strict=True))
    _decode(values, "tool_calls")
    values["outcome"] = Outcome(values["outcome"])
    values["tool_calls"] = tuple(values["tool_calls"])
    values["usage"] = Usage(**{name: values.pop(name) for name in names_of(Usage)})
    return Call(**values, attempts=tuple(attempts))


def attempt_of(row: Row) -> Attempt:
    """From `columns(Attempt)`."""
    values = _named(Attempt, row)
    _decode(values, "response_headers")
    values["outcome"] = Outcome(values["outcome"])
    return Attempt(**values)


def result_of(row: Row, scores: Sequence[MetricScore]) -> ResultEvent:
    """From `columns(ResultEvent, without=["scores"])`."""
    values: dict[str, Any] = dict(zip(_without(ResultEvent, "scores"), row, strict=True))
    values["outcome"] = Outcome(values["outcome"])
    values["tags"] = tuple(values["tags"])
    return ResultEvent(**values, scores=tuple(scores))


def score_of(row: Row) -> MetricScore:
    """From `columns(MetricScore)`."""
    return MetricScore(*row)


@cache
def names_of(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass, in their order."""
    return tuple(field.name for field in fields(kind))


@cache
def _without(kind: type, left_out: str) -> tuple[str, ...]:
    return tuple(name for name in names_of(kind) if name != left_out)


def _named(kind: type, row: Row) -> dict[str, Any]:
    return dict(zip(names_of(kind), row, strict=True))


def _decode(values: dict[str, Any], *names: str) -> None:
    for name in names:
        values[name] = from_json(values[name])


def _cell(value: object) -> object:
    """A field's value as its column has it: free data is JSON text."""
    match value:
        case str():
            return str(value)
        case int() if not -(2**63) <= value < 2**63:
            return None  # the column cannot hold it
        case None | int() | float():
            return value
        case _:
            return to_json(value).decode()
