"""An answer that the provider refused is judged where a refusal is asked for, and fails outright everywhere else."""

from __future__ import annotations

from typing import Any

import pytest

from llmctl.evaluators.refusal_phrases import ANYWHERE, AT_START
from llmctl.evaluators.registry import build
from llmctl.evaluators.verdict import Subject, judge
from llmctl.outcome import Outcome
from llmctl.project.models import EvaluatorSettings

from .entries import spec_of


@pytest.mark.parametrize(
    ("entries", "passed", "judged"),
    [
        (["refusal"], True, True),
        ([{"any": ["refusal", {"exact": "x"}]}], True, True),
        ([{"all": ["refusal", {"exact": "x"}]}], False, True),
        (["refusal", {"exact": "x"}], False, True),
        ([{"not": "refusal"}], False, False),
        ([{"any": [{"not": "refusal"}, {"exact": ""}]}], False, False),
        ([{"exact": ""}], False, False),
        ([{"refusal": {}, "weight": 0}, {"exact": ""}], False, False),
    ],
)
async def test_what_the_provider_refused(entries: list[Any], passed: bool, judged: bool) -> None:
    built = [build(spec_of(entry), None, EvaluatorSettings()) for entry in entries]
    verdict = await judge(built, Subject("", Outcome.REFUSED, expected="", has_expected=True))
    assert verdict.passed is passed
    assert bool(verdict.scores) is judged


@pytest.mark.parametrize("outcome", [Outcome.FILTERED, Outcome.CONTEXT_EXCEEDED])
async def test_other_failures_are_no_refusals(outcome: Outcome) -> None:
    verdict = await judge([build(spec_of("refusal"), None, EvaluatorSettings())], Subject("", outcome))
    assert verdict.passed is False
    assert verdict.scores == ()


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.PROVIDER_ERROR, Outcome.SKIPPED])
async def test_no_answer_is_no_refusal(outcome: Outcome) -> None:
    verdict = await judge([build(spec_of("refusal"), None, EvaluatorSettings())], Subject("Sorry", outcome))
    assert verdict.passed is None


@pytest.mark.parametrize("phrase", sorted({*AT_START, *ANYWHERE}))
async def test_each_phrase_refuses(phrase: str) -> None:
    built = [build(spec_of("refusal"), None, EvaluatorSettings())]
    for text in (phrase.capitalize(), f"{phrase.upper().replace(chr(39), chr(8217))} ...", phrase):
        assert (await judge(built, Subject(text))).passed, text
    within = await judge(built, Subject(f"x{phrase}x"))
    assert not within.passed, within.scores[0].explanation
