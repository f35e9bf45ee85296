"""From a call and its verdict to the row that is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmctl.canonical import written
from llmctl.evaluators.verdict import Subject, Verdict
from llmctl.project.models import Case
from llmctl.runs.records import ResultEvent, TargetName
from llmctl.runs.reuse import KnownAnswer
from llmctl.runs.spool import SpooledUnit

__all__ = ["Scored", "make_result", "subject_of"]


@dataclass(frozen=True, slots=True)
class Scored:
    """A verdict, and whether its answer was there already."""

    verdict: Verdict
    cached: bool


def subject_of(
    case: Case, answer: KnownAnswer, tools: Sequence[Mapping[str, object]] = (), *, cached: bool = False
) -> Subject:
    """What evaluators may look at; `tools`: what the target offers; `cached`: the answer is reused."""
    return Subject(
        output=answer.output,
        outcome=answer.outcome,
        expected=case.expected,
        has_expected=case.has_expected,
        vars=case.vars,
        pass_score=case.pass_score,
        finish_reason=answer.finish_reason,
        tool_calls=answer.tool_calls,
        latency_ms=answer.latency_ms,
        ttft_ms=answer.ttft_ms,
        cost_usd=answer.cost_usd,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        cached=cached,
        tools=tools,
    )


def make_result(unit: SpooledUnit, target: TargetName, case: Case, answer: KnownAnswer, scored: Scored) -> ResultEvent:
    """The result of one unit. Latency and cost are the call's own, also where it was not sent for this result."""
    return ResultEvent(
        bank=case.bank,
        case_id=case.id,
        prompt=target.prompt,
        model=target.model,
        repeat=unit.repeat,
        outcome=answer.outcome,
        passed=scored.verdict.passed,
        score=scored.verdict.score,
        reason=_reason(answer, scored.verdict),
        call_id=answer.call_id,
        call_key=unit.call_key,
        cached=scored.cached,
        output=answer.output,
        finish_reason=answer.finish_reason,
        latency_ms=answer.latency_ms,
        ttft_ms=answer.ttft_ms,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        cost_usd=answer.cost_usd,
        scores=scored.verdict.scores,
        tags=case.tags,
        expected=written(case.expected) if case.has_expected else None,
        case_number=unit.case_number,
        group=case.group,
        must_pass=case.must_pass,
    )


def _reason(answer: KnownAnswer, verdict: Verdict) -> str:
    """Why there is no pass: where no answer came, what the provider or the gateway said of it."""
    return answer.error if answer.error and not answer.outcome.evidence else verdict.reason
