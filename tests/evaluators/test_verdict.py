"""From several scores to one verdict; no answer, no evidence and no broken evaluator is ever a pass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Models, Score, Scored, Vector
from llmctl.evaluators.built import BuiltEvaluator
from llmctl.evaluators.registry import build
from llmctl.evaluators.verdict import Subject, Verdict, judge, judge_now
from llmctl.outcome import Outcome
from llmctl.project.models import EvaluatorSettings, EvaluatorSpec

from .entries import embed_words, spec_of


def _built(*entries: Any) -> list[BuiltEvaluator]:
    return [build(spec_of(entry), None, EvaluatorSettings()) for entry in entries]


def _now(entries: Sequence[Any], subject: Subject) -> Verdict:
    verdict = judge_now(_built(*entries), subject)
    assert isinstance(verdict, Verdict)
    return verdict


@dataclass(frozen=True, slots=True)
class Raises(Evaluator):
    """Raises what it was given."""

    name: ClassVar = "raises"
    error: Any

    def score(self, context: Context) -> Scored:
        raise self.error


@dataclass(frozen=True, slots=True)
class Returns(Evaluator):
    """Returns, at once or later, what it was given."""

    name: ClassVar = "returns"
    result: Any
    later: bool = False

    def score(self, context: Context) -> Scored:
        return self._later() if self.later else self.result

    async def _later(self) -> Score:
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result  # type: ignore[no-any-return]


def _around(evaluator: Evaluator, weight: float = 1.0) -> BuiltEvaluator:
    return BuiltEvaluator(evaluator, EvaluatorSpec(evaluator.name), evaluator.name, weight)


def test_all_weighted_evaluators_must_pass() -> None:
    assert _now([{"contains": "a"}, {"contains": "b"}], Subject("ab")).passed is True
    verdict = _now([{"contains": "a"}, {"contains": "b", "metric": "has-b"}], Subject("a"))
    assert (verdict.passed, verdict.score) == (False, 0.5)
    assert verdict.reason.startswith('has-b: "b" does not stand in the output')
    assert _now([{"contains": "a"}], Subject("a")).reason == ""


def test_weight_0_is_recorded_and_decides_nothing() -> None:
    verdict = _now([{"contains": "a"}, {"contains": "b", "weight": 0}, {"cost": 1, "weight": 0}], Subject("a"))
    assert (verdict.passed, verdict.score, verdict.reason) == (True, 1.0, "")
    assert [score.passed for score in verdict.scores] == [True, False, None]


def test_weights_alone_at_0_give_no_verdict() -> None:
    assert _now([{"contains": "a", "weight": 0}], Subject("a")).passed is None
    assert _now([], Subject("a")).passed is None


@pytest.mark.parametrize(("pass_score", "passed"), [(0.75, True), (0.76, False), (0.0, True)])
def test_pass_score_judges_the_weighted_mean(pass_score: float, passed: bool) -> None:
    verdict = _now([{"contains": "a", "weight": 3}, {"contains": "b"}], Subject("a", pass_score=pass_score))
    assert (verdict.passed, verdict.score) == (passed, 0.75)
    assert verdict.reason == "" if passed else "0.750 is below the pass_score 0.76" in verdict.reason


def test_pass_score_is_reached_in_spite_of_rounding() -> None:
    entries = [{"contains": "a", "weight": 0.1}] * 10 + [{"contains": "b", "weight": 0.1}] * 2
    verdict = _now(entries, Subject("a", pass_score=10 / 12))
    assert verdict.score is not None and verdict.score < 10 / 12
    assert verdict.passed is True


def test_a_broken_evaluator_leaves_no_verdict() -> None:
    verdict = _now([{"contains": "a"}, {"cost": 1}], Subject("a"))
    assert (verdict.passed, verdict.score) == (None, None)
    assert "The evaluator cost could not judge: the cost of this answer is not known" in verdict.reason
    assert [(score.score, score.error) for score in verdict.scores] == [(1.0, False), (None, True)]
    # nor does a failure beside it, nor a pass_score that the others reach
    assert _now([{"contains": "b"}, {"cost": 1}], Subject("a")).passed is None
    assert _now([{"contains": "a", "weight": 9}, {"cost": 1}], Subject("a", pass_score=0.5)).passed is None


@pytest.mark.parametrize("error", [EvaluatorError("x"), RuntimeError("x"), RecursionError("x"), MemoryError("x")])
async def test_whatever_an_evaluator_raises_is_an_error(error: Exception) -> None:
    for evaluator in (Raises(error), Returns(error, later=True)):
        verdict = await judge([_around(evaluator)], Subject("a"))
        assert verdict.passed is None
        named = "" if isinstance(error, EvaluatorError) else f"{type(error).__name__}: "
        assert verdict.scores[0].explanation == f"{named}x"


@pytest.mark.parametrize("result", [None, True, 1.0, "passed"])
@pytest.mark.parametrize("later", [False, True])
async def test_what_is_no_score_is_an_error(result: object, later: bool) -> None:
    verdict = await judge([_around(Returns(result, later=later))], Subject("a"))
    assert (verdict.passed, verdict.scores[0].error) == (None, True)


async def test_a_score_of_nan_is_an_error() -> None:
    @dataclass(frozen=True, slots=True)
    class Nan(Evaluator):
        name: ClassVar = "nan"

        def score(self, context: Context) -> Score:
            return Score(float("nan"), True, "fine")

    verdict = await judge([_around(Nan())], Subject("a"))
    assert verdict.passed is None
    assert "between 0 and 1" in verdict.reason


async def test_cancellation_is_not_an_error() -> None:
    started = asyncio.Event()

    async def embed(texts: Sequence[str]) -> list[Vector]:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    [built] = _built({"semantic": "a"})
    task = asyncio.ensure_future(judge([built, built], Subject("a"), Models(embed)))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("outcome", list(Outcome))
def test_outcomes(outcome: Outcome) -> None:
    verdict = _now([{"contains": "a"}], Subject("a", outcome=outcome))
    if outcome.scored:
        assert verdict.passed is True
        return
    assert verdict.scores == ()
    assert verdict.reason
    assert (verdict.passed, verdict.score) == ((False, 0.0) if outcome.evidence else (None, None))


@pytest.mark.parametrize("output", ["", None])
def test_an_empty_answer_passes_no_not(output: str | None) -> None:
    subject = Subject(output, outcome=Outcome.EMPTY)
    assert _now([{"not": {"contains": "sorry"}}], subject).passed is False
    assert _now([{"exact": ""}], subject).passed is True


async def test_those_that_wait_are_asked_together() -> None:
    asked: list[Sequence[str]] = []
    both = asyncio.Event()

    async def embed(texts: Sequence[str]) -> list[Vector]:
        asked.append(texts)
        if len(asked) == 2:
            both.set()
        await asyncio.wait_for(both.wait(), 5)
        return await embed_words(texts)

    verdict = await judge(
        _built({"semantic": "a b"}, {"contains": "a"}, {"semantic": "c"}), Subject("a b"), Models(embed)
    )
    assert [score.passed for score in verdict.scores] == [True, True, False]
    assert asked == [["a b", "a b"], ["a b", "c"]]


async def test_a_verdict_comes_at_once_unless_a_model_is_asked() -> None:
    assert isinstance(judge_now(_built({"any": [{"contains": "a"}, {"regex": "b"}]}), Subject("a")), Verdict)
    waiting = judge_now(_built({"semantic": "a"}), Subject("a"), Models(embed_words))
    assert isinstance(waiting, Awaitable)
    assert (await waiting).passed is True


def test_extracted_text_is_kept_beside_the_score() -> None:
    verdict = _now([{"exact": "a", "extract": "/q"}, {"exact": "a", "extract": "/z"}], Subject('{"q": "b"}'))
    assert [score.extracted for score in verdict.scores] == ["b", None]
    assert [score.metric for score in verdict.scores] == ["exact", "exact"]


def test_a_long_reason_is_shortened() -> None:
    verdict = _now([{"contains": f"word{number}"} for number in range(100)], Subject("a" * 500))
    assert len(verdict.reason) <= 1001
