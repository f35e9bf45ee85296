"""Events as rows of the store's tables, and rows as events again; the columns stand in `llmctl.store.schema`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
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
    PromptEvent,
    ResultEvent,
    RunEvent,
    RunStatus,
    TargetEvent,
)

__all__ = [
    "Row",
    "attempt_of",
    "call_of",
    "case_of",
    "columns",
    "end_of",
    "head_of",
    "prompt_of",
    "result_of",
    "rows_of",
    "score_of",
    "target_of",
]

Row = tuple[Any, ...]
"""One row of a table, in the order of its columns."""


def rows_of(event: Event | UnknownEvent, run_id: str, position: int) -> Iterator[tuple[str, Row]]:
    """The tables that an event adds to, each with the row."""
    key = (run_id, position)
    match event:
        case RunEvent():
            yield "run_heads", (*key, *_head(event))
        case EndEvent():
            yield "run_ends", (*key, event.status.value, event.ended_at, event.done, event.error)
        case PromptEvent():
            yield "prompt_rows", (*key, *_plain(event, "source"), _json(event.source))
        case TargetEvent():
            yield "target_rows", (*key, *_target(event))
        case BankEvent():
            yield "bank_rows", (*key, event.name, event.path, event.digest)
        case CaseEvent():
            yield "case_rows", (*key, *_case(event))
        case CallEvent():
            yield "call_rows", (*key, event.call_id, *_call(event.call))
            for attempt in event.call.attempts:
                yield "attempt_rows", (*key, event.call_id, *_attempt(attempt))
        case ResultEvent():
            yield "result_rows", (*key, *_result(event))
            for number, score in enumerate(event.scores):
                yield "score_rows", (*key, number, *astuple(score))


def columns(kind: type, *, without: Sequence[str] = ()) -> str:
    """A list of columns for SELECT: the fields of an event, in their order."""
    return ", ".join(f'"{field.name}"' for field in fields(kind) if field.name not in without)


def head_of(run_id: str, row: Row) -> RunEvent:
    """From `columns(RunEvent, without=["run_id"])`."""
    names = [field.name for field in fields(RunEvent) if field.name != "run_id"]
    values = dict(zip(names, row, strict=True))
    return RunEvent(
        run_id=run_id, **{**values, "versions": from_json(values["versions"]), "options": from_json(values["options"])}
    )


def end_of(row: Row) -> EndEvent:
    """From `columns(EndEvent)`."""
    status, ended_at, done, error = row
    return EndEvent(RunStatus(status), ended_at, done, error)


def prompt_of(row: Row) -> PromptEvent:
    """From `columns(PromptEvent)`."""
    *rest, source = row
    return PromptEvent(*rest, source=from_json(source))


def target_of(row: Row) -> TargetEvent:
    """From `columns(TargetEvent)`."""
    *rest, params, price_input, price_output = row
    return TargetEvent(*rest, params=from_json(params), price_input=price_input, price_output=price_output)


def case_of(row: Row) -> CaseEvent:
    """From `columns(CaseEvent)`."""
    (bank, case_id, variables, expected, has_expected, tags, group, must_pass, weight, pass_score, evaluators, code) = (
        row
    )
    return CaseEvent(
        bank,
        case_id,
        from_json(variables),
        expected=from_json(expected),
        has_expected=has_expected,
        tags=tuple(tags),
        group=group,
        must_pass=must_pass,
        weight=weight,
        pass_score=pass_score,
        evaluators=tuple(from_json(evaluators)),
        digest=code,
    )


CALL_COLUMNS = (
    "key, provider, model, transport, endpoint, outcome, output, tool_calls, finish_reason, served_model, "
    "input_tokens, output_tokens, cached_tokens, reasoning_tokens, cost_usd, started_at, latency_ms, ttft_ms, error"
)


def call_of(row: Row, attempts: Sequence[Attempt]) -> Call:
    """From `CALL_COLUMNS`."""
    return Call(
        *row[:5],
        outcome=Outcome(row[5]),
        output=row[6],
        tool_calls=tuple(from_json(row[7])),
        finish_reason=row[8],
        served_model=row[9],
        usage=Usage(*row[10:14]),
        cost_usd=row[14],
        started_at=row[15],
        latency_ms=row[16],
        ttft_ms=row[17],
        error=row[18],
        attempts=tuple(attempts),
    )


def attempt_of(row: Row) -> Attempt:
    """From `columns(Attempt)`."""
    number, started_at, latency_ms, outcome, *rest, headers = row
    return Attempt(number, started_at, latency_ms, Outcome(outcome), *rest, response_headers=from_json(headers))


def result_of(row: Row, scores: Sequence[MetricScore]) -> ResultEvent:
    """From `columns(ResultEvent, without=["scores"])`."""
    *head, outcome = row[:6]
    *rest, tags, expected = row[6:]
    return ResultEvent(*head, Outcome(outcome), *rest, scores=tuple(scores), tags=tuple(tags), expected=expected)


def score_of(row: Row) -> MetricScore:
    """From `columns(MetricScore)`."""
    return MetricScore(*row)


def _plain(event: PromptEvent | TargetEvent, *without: str) -> Row:
    return tuple(getattr(event, field.name) for field in fields(event) if field.name not in without)


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


def _target(event: TargetEvent) -> Row:
    named = _plain(event, "params", "price_input", "price_output")
    return (*named, _json(event.params), event.price_input, event.price_output)


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
    )
