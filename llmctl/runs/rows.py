"""Events as rows of the store's tables, and rows as events again; the columns stand in `llmctl.store.schema`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from functools import cache
from typing import Any

from llmctl.canonical import from_json, to_json
from llmctl.evaluators.base import MetricScore
from llmctl.outcome import Outcome
from llmctl.providers.records import Attempt, Call, Usage
from llmctl.runs.codec import UnknownEvent
from llmctl.runs.records import (
    BankEvent,
    CallEvent,
    CaseEvent,
    EndEvent,
    Event,
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
    "Row",
    "attempt_of",
    "bank_of",
    "call_of",
    "case_of",
    "columns",
    "end_of",
    "head_of",
    "plan_of",
    "prompt_of",
    "result_of",
    "rows_of",
    "score_of",
    "target_of",
]

Row = tuple[Any, ...]
"""One row of a table, in the order of its columns."""

_CALL_NAMES = (
    *("key", "provider", "model", "transport", "endpoint", "outcome", "output", "tool_calls", "finish_reason"),
    *("served_model", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "cost_usd"),
    *("started_at", "latency_ms", "ttft_ms", "error"),
)
CALL_COLUMNS = ", ".join(_CALL_NAMES)
"""What `call_of` reads: the fields of a call without its attempts, its usage among them."""


def columns(kind: type, *, without: Sequence[str] = ()) -> str:
    """A list of columns for SELECT: the fields of a dataclass, in their order."""
    return ", ".join(f'"{name}"' for name in _names(kind) if name not in without)


def rows_of(event: Event | UnknownEvent, run_id: str, position: int) -> Iterator[tuple[str, Row]]:
    """The tables that an event adds to, each with the row."""
    key = (run_id, position)
    match event:
        case UnknownEvent():
            return
        case CallEvent():
            yield "call_rows", (*key, event.call_id, *_call(event.call))
            for attempt in event.call.attempts:
                yield "attempt_rows", (*key, event.call_id, *_attempt(attempt))
        case ResultEvent():
            yield "result_rows", (*key, *_result(event))
            for number, score in enumerate(event.scores):
                yield "score_rows", (*key, number, *_score(score))
        case _:
            table, values = _SINGLE[type(event)]
            yield table, (*key, *values(event))


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
    values: dict[str, Any] = dict(zip(_CALL_NAMES, row, strict=True))
    _decode(values, "tool_calls")
    values["outcome"] = Outcome(values["outcome"])
    values["tool_calls"] = tuple(values["tool_calls"])
    values["usage"] = Usage(**{name: values.pop(name) for name in _names(Usage)})
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
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _without(kind: type, left_out: str) -> tuple[str, ...]:
    return tuple(name for name in _names(kind) if name != left_out)


def _named(kind: type, row: Row) -> dict[str, Any]:
    return dict(zip(_names(kind), row, strict=True))


def _decode(values: dict[str, Any], *names: str) -> None:
    for name in names:
        values[name] = from_json(values[name])


def _json(value: object) -> str:
    return to_json(value).decode()


def _whole(value: int | None) -> int | None:
    """A number that a provider gave; one that the column cannot hold is unknown."""
    return value if value is not None and -(2**63) <= value < 2**63 else None


def _head(event: RunEvent) -> Row:
    return (
        event.started_at,
        event.command,
        event.planned,
        event.label,
        event.commit,
        event.branch,
        event.dirty,
        event.llmctl_version,
        event.python_version,
        _json(event.versions),
        _json(event.options),
        event.pid,
        event.format,
    )


def _end(event: EndEvent) -> Row:
    return (event.status.value, event.ended_at, event.done, event.error)


def _prompt(event: PromptEvent) -> Row:
    return (event.name, event.label, event.digest, event.rev, event.commit, _json(event.source))


def _target(event: TargetEvent) -> Row:
    return (
        event.prompt,
        event.prompt_name,
        event.model,
        event.resolved_model,
        event.transport,
        event.endpoint,
        _json(event.params),
        event.price_input,
        event.price_output,
        _json(event.config),
    )


def _bank(event: BankEvent) -> Row:
    return (event.name, event.path, event.digest, _json(event.targets))


def _plan(event: PlanEvent) -> Row:
    return (event.planned, event.cases, event.repeat, _json(event.targets), _json(event.tags))


def _case(event: CaseEvent) -> Row:
    return (
        event.bank,
        event.case_id,
        _json(event.vars),
        _json(event.expected),
        event.has_expected,
        event.tags,
        event.group,
        event.must_pass,
        event.weight,
        event.pass_score,
        _json(event.evaluators),
        event.digest,
    )


_SINGLE: dict[type, tuple[str, Callable[[Any], Row]]] = {
    RunEvent: ("run_heads", _head),
    EndEvent: ("run_ends", _end),
    PromptEvent: ("prompt_rows", _prompt),
    TargetEvent: ("target_rows", _target),
    BankEvent: ("bank_rows", _bank),
    CaseEvent: ("case_rows", _case),
    PlanEvent: ("plan_rows", _plan),
}


def _call(call: Call) -> Row:
    usage = call.usage
    return (
        call.key,
        call.provider,
        call.model,
        call.transport,
        call.endpoint,
        call.outcome.value,
        call.output,
        _json(call.tool_calls),
        call.finish_reason,
        call.served_model,
        _whole(usage.input_tokens),
        _whole(usage.output_tokens),
        _whole(usage.cached_tokens),
        _whole(usage.reasoning_tokens),
        call.cost_usd,
        call.started_at,
        call.latency_ms,
        call.ttft_ms,
        call.error,
    )


def _attempt(attempt: Attempt) -> Row:
    return (
        attempt.number,
        attempt.started_at,
        attempt.latency_ms,
        attempt.outcome.value,
        _whole(attempt.status),
        attempt.error,
        attempt.ttft_ms,
        attempt.request_id,
        attempt.retry_after_s,
        attempt.request_body,
        attempt.response_body,
        _json(attempt.response_headers),
    )


def _score(score: MetricScore) -> Row:
    return (
        score.metric,
        score.evaluator,
        score.weight,
        score.score,
        score.passed,
        score.explanation,
        score.error,
        score.extracted,
        score.score_key,
    )


def _result(event: ResultEvent) -> Row:
    return (
        event.bank,
        event.case_id,
        event.prompt,
        event.model,
        event.repeat,
        event.outcome.value,
        event.passed,
        event.score,
        event.reason,
        event.call_id,
        event.call_key,
        event.cached,
        event.output,
        event.finish_reason,
        event.latency_ms,
        event.ttft_ms,
        _whole(event.input_tokens),
        _whole(event.output_tokens),
        event.cost_usd,
        event.tags,
        event.expected,
        event.case_number,
        event.group,
        event.must_pass,
    )
