"""Why a result is what it is, in words."""

from __future__ import annotations

from dataclasses import dataclass

from llmctl.report.model import has_evidence
from llmctl.runs.records import MetricScore, ResultEvent

__all__ = ["Why", "error_kind", "verdict", "why"]


@dataclass(frozen=True, slots=True)
class Why:
    """One reason; `metric` is empty where no evaluator gave it."""

    metric: str
    text: str

    def __str__(self) -> str:
        return f"{self.metric}: {self.text}" if self.metric else self.text


def why(result: ResultEvent) -> tuple[Why, ...]:
    """The explanations of the metrics that decided against the result (or that broke), or else its reason."""
    deciding = _failed if has_evidence(result) else _broke
    found = tuple(Why(score.metric, score.explanation) for score in result.scores if deciding(score))
    return found or ((Why("", result.reason),) if result.reason else ())


def _failed(score: MetricScore) -> bool:
    """Metrics with weight 0 are only observed."""
    return score.weight > 0 and score.passed is False


def _broke(score: MetricScore) -> bool:
    return score.error or score.passed is None


def verdict(result: ResultEvent) -> str:
    """`passed`, `failed`, or `no evidence`."""
    if not has_evidence(result):
        return "no evidence"
    return "passed" if result.passed else "failed"


def error_kind(result: ResultEvent) -> str:
    """For a result without evidence: its outcome, or `evaluator` where an answer came and could not be judged."""
    return "evaluator" if result.outcome.evidence else result.outcome.value
