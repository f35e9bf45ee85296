"""From a call and its verdict to the row that is kept."""

from __future__ import annotations

from llmctl.canonical import written
from llmctl.evaluators.verdict import Subject, Verdict
from llmctl.project.models import Case
from llmctl.providers.records import Call
from llmctl.runs.plan import Unit
from llmctl.runs.records import ResultEvent

__all__ = ["make_result", "subject_of"]


def subject_of(case: Case, call: Call) -> Subject:
    """What evaluators may look at."""
    return Subject(
        output=call.output,
        outcome=call.outcome,
        expected=case.expected,
        has_expected=case.has_expected,
        vars=case.vars,
        pass_score=case.pass_score,
        finish_reason=call.finish_reason,
        tool_calls=call.tool_calls,
        latency_ms=call.latency_ms,
        ttft_ms=call.ttft_ms,
        cost_usd=call.cost_usd,
        input_tokens=call.usage.input_tokens,
        output_tokens=call.usage.output_tokens,
    )


def make_result(unit: Unit, call: Call, call_id: str, verdict: Verdict, *, cached: bool) -> ResultEvent:
    """The result of one unit. Latency and cost are the call's own, also where it was not sent for this result."""
    case = unit.planned.case
    return ResultEvent(
        bank=case.bank,
        case_id=case.id,
        prompt=unit.target.prompt.label,
        model=unit.target.model.name,
        repeat=unit.repeat,
        outcome=call.outcome,
        passed=verdict.passed,
        score=verdict.score,
        reason=_reason(call, verdict),
        call_id=call_id,
        call_key=unit.call_key,
        cached=cached,
        output=call.output,
        finish_reason=call.finish_reason,
        latency_ms=call.latency_ms,
        ttft_ms=call.ttft_ms,
        input_tokens=call.usage.input_tokens,
        output_tokens=call.usage.output_tokens,
        cost_usd=call.cost_usd,
        scores=verdict.scores,
        tags=case.tags,
        expected=written(case.expected) if case.has_expected else None,
    )


def _reason(call: Call, verdict: Verdict) -> str:
    """Why there is no pass: where no answer came, what the provider or the gateway said of it."""
    return call.error if call.error and not call.outcome.evidence else verdict.reason
