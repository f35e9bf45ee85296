"""Laws that hold for any text: every evaluator gives a score or an error of its own, and never anything else."""

# ruff: noqa: RUF001
from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmctl.evaluators.base import Context, Question, Reply, Score
from llmctl.evaluators.extract import compile_extract
from llmctl.evaluators.numbers import exact_number, find_numbers
from llmctl.evaluators.registry import build, names
from llmctl.evaluators.structure.json_text import json_difference, json_text, read_json
from llmctl.evaluators.texts import normalise
from llmctl.evaluators.wording import difference, first_difference, quote
from llmctl.outcome import Outcome

from .entries import SETTINGS, embed_words, spec_of

SQUAD = {"ignore_case": True, "collapse_space": True, "ignore_punctuation": True, "ignore_articles": True}
TEXT_RULES = {"ignore_case": True, "collapse_space": True}
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
    {"number": {"value": 3, "find": "any", "percent": "share", "graded": True}},
    {"number": {"value": 3, "find": "whole", "percent": "number"}},
    {"exact": {"value": "a", "ignore": r"\d+|\b", "either_contains": True, "trim": False}},
    {"exact": {"value": ["A b", "the"], **SQUAD, "nfkc": True, "trim_punctuation": True}},
    {"contains_any": {"texts": ["É", "a b"], **SQUAD}},
    {"contains_all": {"texts": ["a", "1"], "trim": False}},
    {"regex": {"pattern": "(a*)|(?P<n>[0-9])", "equals": ["", "1"], "all": True}},
    {"regex": {"pattern": "(?=(.))", "engine": "python", "group": 1, "equals": "a", "find": "last"}},
    {"choice": {"value": "B", "choices": ["rome", "a, b"]}},
    {"choice": {"value": "A,C", "pattern": "(.)$"}},
    {"list": ["a", "1"]},
    {"list": {"value": "b\na", "order": "strict", "compare": "levenshtein", "measure": "share", **SQUAD}},
    {"json": {"value": {"a": [1, {"b": None}]}}},
    {"json_schema": {"schema": {"type": "object", "properties": {"a": {"format": "date-time"}}, "minProperties": 2}}},
    {"json_schema": {"schema": {"uniqueItems": True, "items": {"pattern": "^a", "maxLength": 3}}}},
    {"json": {"find": True, "trailing_commas": True}, "against": {"a": [1]}},
    {"json_schema": {"schema": {"type": "object", "required": ["a"]}, "find": True}},
    {"json_match": {"value": {"a": [1, "b", None, {}]}, "mode": "partial", "order": "free", "find": True}},
    {"json_match": {"value": [1, {"a": 2.5}], "tolerance": 0.5, "relative": 0.1, "ignore": ["/*/b"], **TEXT_RULES}},
    {"json_match": {"paths": {"/a": 1, "/0/b": "x"}, "order": "free"}},
    {"json_match": {"value": {"a": [1, "b", None]}, "measure": "similarity"}},
    {"xml": {"elements": ["a/b[2]/@c"]}},
    {"xml": {"elements": ["a", "b/c"], "find": True}},
    {"html": {"elements": ["p"]}},
    {"html": {"find": True}},
    {"yaml": {"schema": {"type": "object"}, "find": True}},
    {"yaml": {}},
    {"sql": {"dialect": "mysql", "tables": ["t"], "columns": ["a", "select::t::b"], "bare_aliases": False}},
    {"sql": {"find": True, "statements": ["select"], "single": True}},
    {"python_syntax": {"imports": ["json"], "find": True}},
    {"tool_calls": {"value": ["f", {"name": "g", "arguments": {"a": 1}}], "measure": "f1"}},
    {"tool_calls": {"value": ["f"], "measure": "accuracy", "order": "strict", "duplicates": False}},
    {"tool_calls": {"schema": True, "compare": False}},
    {"semantic": "a b"},
    {"semantic": {"value": "not 5 days", "measure": "euclidean", "threshold": 0.1}},
    {"levenshtein": {"value": ["a b", ""], "threshold": 0.5}},
    {"levenshtein": {"value": "a b", "max_distance": 3, "measure": "damerau", "trim": False}},
    {"levenshtein": {"value": "é", "measure": "jaro_winkler", "ignore_case": True}},
    {"token_f1": ["the 3.14 a-b", ""]},
    {"token_f1": {"value": "the 3.14 a-b", "variant": "inspect", "ignored": ["x"]}},
    {"rouge": {"value": "a 'tis 1 cannot.", "tokenize": "treebank", "kind": "1"}},
    {"rouge": {"value": ["a b c 1 2", ""], "stemmer": True, "measure": "recall"}},
    {"bleu": ["a b, 1.5 (c)", ""]},
    {"bleu": {"value": ["a b", "b a 1"], "variant": "promptfoo"}},
    {"bleu": {"value": "a", "tokenize": "characters", "smooth": "none", "effective_order": False}},
    {"gleu": ["a. b.", "..."]},
    {"chrf": {"value": ["a b, 1", ""], "words": 2}},
    {"refusal": ["it's 5"]},
    {"length": {"max": 3, "min": 1, "unit": "lines"}},
    {"latency": 5},
    {"cost": 5},
    {"time_to_first_token": 5},
    {"tokens": 5},
    {"finish_reason": "stop"},
    {"python": "checks.py:contains"},
    {"command": ["./check.sh", "find", "a"]},
    {"judge": {"rubric": "good", "model": "m"}},
    {"judge": {"rubric": "good", "model": "m", "pairwise": True, "votes": 2}, "against": "b"},
    {"not": {"exact": "a", "extract": "/a"}},
    {"any": [{"regex": "a", "extract": "(b)|c"}, {"semantic": "a"}]},
    {"all": [{"number": 1}, {"not": {"contains": "a"}}]},
]
RUN_FACTS = {"latency", "cost", "time_to_first_token", "tokens", "finish_reason"}
BUILT = [build(spec_of(entry), None, SETTINGS) for entry in ENTRIES]

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
TEXT = st.text(st.characters()) | st.text("0123456789.,-+eE%^/: x×⁸$'_", max_size=30) | JSON.map(json_text)
FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


async def says_what_it_reads(question: Question) -> Reply:
    """A judge that answers with the output itself, or what of it looks like an answer."""
    text = question.messages[-1]["content"]
    return Reply(Outcome.ANSWERED, text.partition(">>>\n")[2].partition("\n<<<END")[0])


def test_every_evaluator_is_here() -> None:
    assert {built.spec.name for built in BUILT} == names()


@pytest.mark.parametrize("built", BUILT, ids=lambda built: built.spec.name)
@FAST
@given(output=TEXT)
def test_every_evaluator_is_total(built: Any, output: str) -> None:
    result = built.judge(Context(output=output, raw_output=output, embed=embed_words, ask=says_what_it_reads))
    judged = result if not asyncio.iscoroutine(result) else asyncio.run(result)
    if judged.score is None:
        # the only ones that lack something here; a judge that says what it reads seldom says what it should
        assert built.spec.name in RUN_FACTS | {"judge"}
    else:
        assert isinstance(judged.score, Score)
        assert 0 <= judged.score.score <= 1
        assert judged.explanation


@FAST
@given(text=TEXT)
def test_an_output_is_exactly_itself(text: str) -> None:
    built = build(spec_of({"exact": {}, "against": text}), None, SETTINGS)
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
