"""Laws that hold for any text: every evaluator gives a score or an error of its own, and never anything else."""

# ruff: noqa: RUF001
from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmctl.evaluators.base import Context, Score
from llmctl.evaluators.extract import compile_extract
from llmctl.evaluators.json_text import json_difference, json_text, read_json
from llmctl.evaluators.numbers import exact_number, find_numbers
from llmctl.evaluators.registry import build, names
from llmctl.evaluators.texts import normalise
from llmctl.evaluators.wording import difference, first_difference, quote
from llmctl.project.models import SemanticSettings

from .entries import embed_words, spec_of

ENTRIES: list[Any] = [
    {"exact": {}, "against": "b"},
    {"exact": {"ignore_case": True, "collapse_space": True}, "against": ["ß", "\ud800"]},
    {"one_of": ["a", "b"]},
    {"contains": {"text": "É", "ignore_case": True}},
    {"starts_with": "a"},
    {"ends_with": {"text": "ı", "ignore_case": True}},
    {"regex": r"\b(a|b)+$"},
    {"regex": {"pattern": r"^(?!x).*$", "full": True, "engine": "python"}},
    {"number": 5},
    {"number": {"value": "1,5", "decimal": ",", "find": "last", "relative": 0.1}},
    {"number": {"value": 3, "find": "first", "tolerance": 2}},
    {"json": {"value": {"a": [1, {"b": None}]}}},
    {"json_schema": {"schema": {"type": "object", "properties": {"a": {"format": "date-time"}}, "minProperties": 2}}},
    {"json_schema": {"schema": {"uniqueItems": True, "items": {"pattern": "^a", "maxLength": 3}}}},
    {"semantic": "a b"},
    {"length": {"max": 3, "min": 1, "unit": "lines"}},
    {"latency": 5},
    {"cost": 5},
    {"not": {"exact": "a", "extract": "/a"}},
    {"any": [{"regex": "a", "extract": "(b)|c"}, {"semantic": "a"}]},
    {"all": [{"number": 1}, {"not": {"contains": "a"}}]},
]
BUILT = [build(spec_of(entry), None, SemanticSettings()) for entry in ENTRIES]

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
TEXT = st.text(st.characters()) | st.text("0123456789.,-+eE%^/: x×⁸$'_", max_size=30) | JSON.map(json_text)
FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_every_evaluator_is_here() -> None:
    assert {built.spec.name for built in BUILT} == names()


@pytest.mark.parametrize("built", BUILT, ids=lambda built: built.spec.name)
@FAST
@given(output=TEXT)
def test_every_evaluator_is_total(built: Any, output: str) -> None:
    result = built.judge(Context(output=output, raw_output=output, embed=embed_words))
    judged = result if not asyncio.iscoroutine(result) else asyncio.run(result)
    if judged.score is None:
        assert built.spec.name in ("latency", "cost")  # the only ones that lack something here
    else:
        assert isinstance(judged.score, Score)
        assert 0 <= judged.score.score <= 1
        assert judged.explanation


@FAST
@given(text=TEXT)
def test_an_output_is_exactly_itself(text: str) -> None:
    built = build(spec_of({"exact": {}, "against": text}), None, SemanticSettings())
    judged = built.judge(Context(output=text))
    assert getattr(judged, "passed") is True  # noqa: B009


@FAST
@given(text=st.text(st.characters()))
def test_normalising_twice_changes_nothing(text: str) -> None:
    for ignore_case in (False, True):
        once = normalise(text, ignore_case=ignore_case, collapse_space=True)
        assert normalise(once, ignore_case=ignore_case, collapse_space=True) == once


@FAST
@given(one=TEXT, other=TEXT)
def test_the_first_difference_is_the_first(one: str, other: str) -> None:
    index = first_difference(one, other)
    assert one[:index] == other[:index]
    assert one[index : index + 1] != other[index : index + 1] or one == other
    assert one == other or difference(one, other).isprintable()


@FAST
@given(text=st.text(st.characters()))
def test_quoted_text_is_one_printable_line(text: str) -> None:
    assert quote(text).isprintable()


@FAST
@given(value=JSON)
def test_json_written_is_read_back_and_equals_itself(value: Any) -> None:
    read = read_json(json_text(value))
    assert read.problem is None
    assert json_difference(read.value, value) is None


@FAST
@given(one=JSON, other=JSON)
def test_json_differs_both_ways_or_not_at_all(one: Any, other: Any) -> None:
    assert (json_difference(one, other) is None) == (json_difference(other, one) is None)


@FAST
@given(number=st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_a_number_is_found_as_it_was_written(number: Any) -> None:
    text = f"{number:f}"
    assert exact_number(text) == number
    assert [found.value for found in find_numbers(f"It is {number:,}.")] == [number]


@FAST
@given(value=st.dictionaries(st.text(), st.text(), min_size=1))
def test_a_pointer_finds_every_key(value: dict[str, str]) -> None:
    for key, text in value.items():
        pointer = "/" + key.replace("~", "~0").replace("/", "~1")
        assert compile_extract(pointer).find(json_text(value)).text == text
