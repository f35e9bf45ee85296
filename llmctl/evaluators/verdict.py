"""From evaluators and one answer to a verdict: passed, failed, or no evidence."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from llmctl.evaluators.base import Context, MetricScore, Models
from llmctl.evaluators.built import BuiltEvaluator, Judged, judge_all
from llmctl.evaluators.keys import score_key
from llmctl.evaluators.wording import shorten
from llmctl.outcome import Outcome

__all__ = ["NOTHING_KEPT", "NO_MODELS", "Subject", "Verdict", "judge", "judge_now"]

NO_MODELS = Models()
NOTHING_KEPT: Mapping[int, MetricScore] = MappingProxyType({})

_REASON_CHARACTERS = 1000
_ROUNDING = 1e-9  # a weighted mean of 0.1 steps must not miss its pass_score by the last bit


@dataclass(frozen=True, slots=True)
class Subject:
    """One answer and what of its case and call evaluators may look at."""

    output: str | None
    """The text; None counts as empty text."""
    outcome: Outcome = Outcome.ANSWERED
    expected: object = None
    has_expected: bool = False
    vars: Mapping[str, object] = field(default_factory=dict)
    pass_score: float | None = None
    """Weighted mean that passes; None: every evaluator with weight > 0 must pass."""
    finish_reason: str | None = None
    tool_calls: Sequence[Mapping[str, object]] = ()
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_usd: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached: bool = False
    """The answer is one from before: its times and its cost are those of its own call."""
    tools: Sequence[Mapping[str, object]] = ()
    """The tools that the prompt offers, as they are sent."""

    def context(self, models: Models = NO_MODELS) -> Context:
        """What evaluators see."""
        output = self.output or ""
        return Context(
            output=output,
            raw_output=output,
            expected=self.expected,
            has_expected=self.has_expected,
            vars=self.vars,
            outcome=self.outcome,
            finish_reason=self.finish_reason,
            tool_calls=self.tool_calls,
            latency_ms=self.latency_ms,
            ttft_ms=self.ttft_ms,
            cost_usd=self.cost_usd,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cached=self.cached,
            tools=self.tools,
            embed=models.embed,
            ask=models.ask,
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on one result. `passed` None: no evidence."""

    passed: bool | None
    score: float | None
    """Weighted mean of the evaluators with weight > 0; None without a verdict."""
    reason: str
    """Why it failed, or why there is no verdict; empty when passed."""
    scores: tuple[MetricScore, ...] = ()


_FAILED = {
    Outcome.REFUSED: "The provider refused to answer.",
    Outcome.FILTERED: "A content filter held the answer back.",
    Outcome.CONTEXT_EXCEEDED: "The prompt is longer than the model's context.",
}


async def judge(built: Sequence[BuiltEvaluator], subject: Subject, models: Models = NO_MODELS) -> Verdict:
    """Judge one answer by all evaluators of its case.

    An evaluator that breaks leaves the result without a verdict, unless its weight is 0. Only cancellation and a
    question that was kept back leave this function as exceptions.
    """
    verdict = judge_now(built, subject, models)
    return verdict if isinstance(verdict, Verdict) else await verdict


def judge_now(
    built: Sequence[BuiltEvaluator],
    subject: Subject,
    models: Models = NO_MODELS,
    kept: Mapping[int, MetricScore] = NOTHING_KEPT,
) -> Verdict | Awaitable[Verdict]:
    """The same; a verdict at once where no evaluator waits for a model.

    `kept`: scores from before, by the place of their evaluators, which do not judge again.
    """
    if not subject.outcome.evidence:
        return Verdict(None, None, f"There is no answer to judge: {subject.outcome.value}.")
    if not subject.outcome.scored and not _refusal_is_wanted(built, subject):
        return Verdict(False, 0.0, _FAILED[subject.outcome])
    context = subject.context(models)
    judging = [one for number, one in enumerate(built) if number not in kept] if kept else built
    results = judge_all(judging, context)
    if isinstance(results, list):
        return _verdict(subject, _with_kept(_metrics(judging, context, results, models), kept))
    return _later(judging, subject, context, results, models, kept)


def _with_kept(scores: tuple[MetricScore, ...], kept: Mapping[int, MetricScore]) -> tuple[MetricScore, ...]:
    """All scores in the order of their evaluators."""
    if not kept:
        return scores
    following = iter(scores)
    return tuple(kept[number] if number in kept else next(following) for number in range(len(scores) + len(kept)))


def _refusal_is_wanted(built: Sequence[BuiltEvaluator], subject: Subject) -> bool:
    return subject.outcome is Outcome.REFUSED and any(one.weight > 0 and one.wants_refusal for one in built)


async def _later(
    built: Sequence[BuiltEvaluator],
    subject: Subject,
    context: Context,
    results: Awaitable[list[Judged]],
    models: Models,
    kept: Mapping[int, MetricScore],
) -> Verdict:
    return _verdict(subject, _with_kept(_metrics(built, context, await results, models), kept))


def _metrics(
    built: Sequence[BuiltEvaluator], context: Context, results: Sequence[Judged], models: Models
) -> tuple[MetricScore, ...]:
    scores: list[MetricScore] = []
    for one, result in zip(built, results, strict=True):
        score, key = result.score, score_key(one, context, models)
        if score is None:
            judged = MetricScore(
                one.metric, one.spec.name, one.weight, None, None, result.explanation, True, result.extracted, key
            )
        else:
            judged = MetricScore(
                one.metric,
                one.spec.name,
                one.weight,
                score.score,
                score.passed,
                score.explanation,
                False,
                result.extracted,
                key,
            )
        scores.append(judged)
    return tuple(scores)


def _verdict(subject: Subject, scores: tuple[MetricScore, ...]) -> Verdict:
    judging: list[MetricScore] = []
    broken: list[MetricScore] = []
    failed: list[MetricScore] = []
    for score in scores:
        if score.weight > 0:
            judging.append(score)
            if score.score is None:
                broken.append(score)
            elif not score.passed:
                failed.append(score)
    if not judging:
        return Verdict(None, None, "No evaluator with a weight above 0 judges this case.", scores)
    if broken:
        return Verdict(None, None, _told("The evaluator {} could not judge: {}", broken), scores)
    mean = _mean(judging)
    if not failed and subject.pass_score is None:
        return Verdict(True, mean, "", scores)
    if subject.pass_score is None:
        return Verdict(False, mean, _told("{}: {}", failed), scores)
    if mean >= subject.pass_score - _ROUNDING:
        return Verdict(True, mean, "", scores)
    low = f"The weighted mean {mean:.3f} is below the pass_score {subject.pass_score:g}."
    return Verdict(False, mean, f"{low}\n{_told('{}: {}', failed)}".strip(), scores)


def _mean(scores: Sequence[MetricScore]) -> float:
    total = weights = 0.0
    for score in scores:
        total += (score.score or 0.0) * score.weight
        weights += score.weight
    return min(1.0, max(0.0, total / weights))


def _told(sentence: str, scores: Sequence[MetricScore]) -> str:
    told = "\n".join(sentence.format(score.metric, score.explanation) for score in scores)
    return shorten(told, _REASON_CHARACTERS)
