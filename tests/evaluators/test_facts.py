"""What other tools say of an output, llmctl's evaluators say too: `facts/*.json`, and `facts/differences.yaml`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmctl.evaluators.base import Models
from llmctl.evaluators.registry import build
from llmctl.evaluators.verdict import Subject, judge
from llmctl.outcome import Outcome

from .entries import SETTINGS, case_of, embed_words, spec_of

FACTS = Path(__file__).parent / "facts"
FIELDS = {"id", "with", "output", "expected", "vars", "call", "pass", "score", "tolerance", "source"}
ROUNDING = 1e-9


def _facts() -> Iterator[dict[str, Any]]:
    for file in sorted(FACTS.glob("*.json")):
        yield from json.loads(file.read_text(encoding="utf-8"))


def _differences() -> list[dict[str, str]]:
    file = FACTS / "differences.yaml"
    return (yaml.safe_load(file.read_text(encoding="utf-8")) or []) if file.exists() else []


@pytest.mark.parametrize("fact", [pytest.param(fact, id=fact["id"]) for fact in _facts()])
async def test_fact(fact: dict[str, Any]) -> None:
    assert set(fact) <= FIELDS
    assert {"pass", "score"} & set(fact)
    spec = spec_of(fact["with"])
    case = case_of(fact, (spec,))
    built = build(spec, case, SETTINGS)
    call = {**fact.get("call", {})}
    call["outcome"] = Outcome(call.get("outcome", "answered"))
    subject = Subject(fact["output"], expected=case.expected, has_expected=case.has_expected, vars=case.vars, **call)
    verdict = await judge([built], subject, Models(embed_words))
    [score] = verdict.scores
    assert not score.error, score.explanation
    if "pass" in fact:
        assert score.passed is fact["pass"], score.explanation
    if "score" in fact:
        tolerance = fact.get("tolerance", ROUNDING)
        assert score.score == pytest.approx(fact["score"], abs=tolerance), score.explanation


def test_ids_are_unique_and_no_fact_is_also_a_difference() -> None:
    ids = [fact["id"] for fact in _facts()] + [difference["id"] for difference in _differences()]
    assert len(ids) == len(set(ids))


def test_every_difference_has_its_reason() -> None:
    assert all(set(difference) == {"id", "why"} and difference["why"] for difference in _differences())
