"""`good:` and `bad:` samples are judged as their author says, or it is a problem."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from llmctl.evaluators import registry
from llmctl.evaluators.base import Context, Evaluator, Models, Score
from llmctl.evaluators.built import Judged
from llmctl.evaluators.samples import EvaluatorSamples, samples_of

from .entries import PLACE, SETTINGS, case_of, embed_words, spec_of, wrong_samples


def _said(entry: Any, case: dict[str, Any] | None = None) -> list[str]:
    problems = wrong_samples(spec_of(entry), None if case is None else case_of(case))
    assert all(problem.place == PLACE for problem in problems)
    return [problem.message for problem in problems]


def test_right_samples_are_no_problem() -> None:
    assert _said({"contains": "a", "good": ["ab", "a"], "bad": ["b", ""]}) == []


def test_each_wrong_sample_is_one_problem_with_the_reason() -> None:
    good, bad = _said({"contains": "a", "good": ["ab", "x"], "bad": ["b", "ya"]})
    assert good.startswith('The good sample "x" of `contains` fails. "a" does not stand in the output')
    assert bad.startswith('The bad sample "ya" of `contains` passes. "a" stands at character 2')


def test_samples_are_extracted_from_first() -> None:
    assert _said({"exact": "a", "extract": "/q", "good": ['{"q": "a"}'], "bad": ["a"]}) == []
    assert len(_said({"exact": "a", "extract": "/q", "good": ["a"]})) == 1


def test_a_case_gives_what_the_evaluator_needs() -> None:
    entry = {"exact": {"ignore_case": True}, "good": ["A"], "bad": ["b"]}
    assert _said(entry) == []
    assert _said(entry, {"expected": "a"}) == []
    assert len(_said(entry, {"expected": "b"})) == 2
    reference = {"exact": {"from": "vars.x"}, "good": ["a"]}
    assert _said(reference) == []
    assert len(_said(reference, {"vars": {"x": "b"}})) == 1


def test_a_sample_that_cannot_be_judged_is_a_problem() -> None:
    [message] = _said({"cost": 1, "good": ["a"]})
    assert "cannot judge its good sample" in message


@pytest.mark.parametrize("entry", [{"semantic": "a"}, {"not": {"semantic": "a"}}, {"regex": "("}])
def test_models_are_not_started_and_broken_evaluators_are_reported_elsewhere(entry: Any) -> None:
    assert _said({**entry, "good": ["b"], "bad": ["a"]}) == []


@dataclass(frozen=True, slots=True)
class _Later(Evaluator):
    """Answers later, as a plugin may."""

    name: ClassVar = "later"
    waits: bool

    async def score(self, context: Context) -> Score:
        if self.waits:
            await asyncio.get_running_loop().create_future()
        return Score(0.0, False, "no")


@pytest.mark.parametrize(("waits", "count"), [(False, 1), (True, 0)])
def test_a_plugin_that_answers_later_is_asked_where_it_does_not_wait(
    waits: bool, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "evaluator_class", lambda name: _Later)
    assert len(_said({"later": {"waits": waits}, "good": ["a"]})) == count


def _samples(entry: Any) -> EvaluatorSamples:
    samples = samples_of(spec_of(entry), None, SETTINGS)
    assert samples is not None
    return samples


def test_samples_that_wait_are_judged_in_an_event_loop() -> None:
    samples = _samples({"semantic": {"value": "a b", "threshold": 0.9}, "good": ["b a", "c"], "bad": ["d", "a b"]})
    assert samples.problems_at_once() is None
    assert len(samples) == 4

    async def judged() -> list[str]:
        found = []
        for sample in samples:
            result = samples.judge(sample, Models(embed=embed_words))
            assert not isinstance(result, Judged)
            problem = samples.problem(sample, await result)
            found += [problem.message] if problem else []
        return found

    wrong_good, wrong_bad = asyncio.run(judged())
    assert wrong_good.startswith('The good sample "c" of `semantic` fails.')
    assert wrong_bad.startswith('The bad sample "a b" of `semantic` passes.')


def test_code_is_never_run_at_once() -> None:
    assert _samples({"python": "checks.py:contains", "bad": ["please"]}).problems_at_once() is None
