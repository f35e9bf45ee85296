"""The score key changes with everything that can change a score, and with nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from llmctl.evaluators.base import Context, Models
from llmctl.evaluators.keys import score_key
from llmctl.evaluators.registry import build
from llmctl.outcome import Outcome
from llmctl.project.models import EvaluatorSettings

from .entries import case_of, spec_of


def _key(entry: Any, case: dict[str, Any] | None = None, embedding: str = "", **call: Any) -> str:
    data = {"expected": "a", **(case or {})}
    built = build(spec_of(entry), case_of(data), EvaluatorSettings())
    context = Context(output=call.pop("output", "a"), expected=data["expected"], has_expected=True, **call)
    return score_key(built, context, Models(embedding=embedding))


@pytest.mark.parametrize(
    ("entry", "other"),
    [
        ("exact", "contains"),
        ("exact", {"exact": {"ignore_case": True}}),
        ("exact", {"exact": "a"}),
        ("exact", {"exact": {}, "extract": ""}),
        ({"exact": {}, "extract": "/a"}, {"exact": {}, "extract": "/b"}),
        ({"exact": {}, "against": "a"}, {"exact": {}, "against": "b"}),
        ({"not": "exact"}, {"any": ["exact"]}),
        ({"not": "exact"}, {"not": {"exact": {"ignore_case": True}}}),
        ({"any": ["exact", "contains"]}, {"any": ["contains", "exact"]}),
        ({"not": {"exact": {}, "extract": "/a"}}, {"not": "exact"}),
        ({"json": {"value": None, "compare": False}}, {"json": {"compare": False}}),
    ],
)
def test_another_evaluator_another_key(entry: Any, other: Any) -> None:
    assert _key(entry) == _key(entry)
    assert _key(entry) != _key(other)


def test_metric_and_weight_are_no_part_of_it() -> None:
    assert _key("exact") == _key({"exact": {}, "metric": "m", "weight": 3, "good": ["x"]})


def test_it_reads_what_the_evaluator_reads() -> None:
    assert _key("exact") != _key("exact", {"expected": "b"})
    assert _key("exact") != _key("exact", output="b")
    assert _key("exact") == _key("exact", latency_ms=5.0)
    assert _key({"exact": "a"}, {"expected": "b"}) != _key({"exact": "b"}, {"expected": "b"})
    assert _key({"regex": "a"}) == _key({"regex": "a"}, {"expected": "b"})
    assert _key({"exact": {}, "against": "x"}) == _key({"exact": {}, "against": "x"}, {"expected": "b"})
    assert _key({"latency": 5}, latency_ms=1.0) != _key({"latency": 5}, latency_ms=2.0)
    assert _key({"not": {"latency": 5}}, latency_ms=1.0) != _key({"not": {"latency": 5}}, latency_ms=2.0)
    assert _key({"not": "exact"}) != _key({"not": "exact"}, {"expected": "b"})
    assert _key({"not": "exact"}) != _key({"not": "exact"}, outcome=Outcome.EMPTY)
    assert _key({"exact": {"from": "vars.x"}}, {"vars": {"x": "p"}}) != _key(
        {"exact": {"from": "vars.x"}}, {"vars": {"x": "q"}}
    )


def test_the_embedding_model_counts_where_it_is_asked() -> None:
    assert _key({"semantic": "a"}, embedding="one") != _key({"semantic": "a"}, embedding="two")
    assert _key({"not": {"semantic": "a"}}, embedding="one") != _key({"not": {"semantic": "a"}}, embedding="two")
    assert _key("exact", embedding="one") == _key("exact", embedding="two")


@pytest.mark.parametrize("expected", ["\ud800", {"n": 10**30}, {"\udfff": [None, True, 1.5]}])
def test_a_key_exists_for_any_value(expected: Any) -> None:
    assert _key({"json": {"compare": False}}, {"expected": expected}, output="\ud800") != _key(
        {"json": {"compare": False}}, {"expected": expected}, output="\ud801"
    )
