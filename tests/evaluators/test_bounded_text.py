"""Evaluators of text on outputs that are long and ugly: the time grows with the length, and no faster."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest

from llmctl.evaluators.base import Context, Score
from llmctl.evaluators.registry import build

from .entries import SETTINGS, spec_of

SQUAD = {"ignore_case": True, "collapse_space": True, "ignore_punctuation": True, "ignore_articles": True}
ALL = {**SQUAD, "nfkc": True, "trim_punctuation": True}
ENTRIES: list[Any] = [
    {"exact": {"value": "a b", **ALL, "either_contains": True}},
    {"contains_all": {"texts": ["a b", "x"], **ALL}},
    {"starts_with": {"text": "x", "trim_punctuation": True}},
    {"number": {"value": 3, "find": "any", "percent": "share"}},
    {"number": {"value": 3, "find": "whole"}},
    {"number": 3},
    {"choice": {"value": "B", "choices": ["rome", "a, b"]}},
    {"list": {"value": ["a", "1"], **ALL}},
    {"list": {"value": ["a", "1"], "compare": "levenshtein"}},
    {"exact": "a", "extract": "/a"},
]
BUILT = [build(spec_of(entry), None, SETTINGS) for entry in ENTRIES]
SIZE = 200_000
NASTY = {
    "one word": "a",
    "spaces": " ",
    "words": "a ",
    "articles": "the ",
    "numbers": "1 ",
    "a long list": "1,",
    "thousands": "1,000,",
    "percentages": "5 %",
    "no numbers": "1.2.3-4/5:",
    "Chinese": "一",
    "fractions": "½",
    "brackets": "( ",
    "marks": "*.\"'` ",
    "bullets": "- [x] a\n",
    "fences": "```\n",
    "accents": "e\u0301",
    "answers": "ANSWER: ",
    "objects": '{"a":',
}


@pytest.mark.parametrize("kind", NASTY)
def test_an_ugly_output_is_judged_in_time(kind: str) -> None:
    output = NASTY[kind] * (SIZE // len(NASTY[kind]))
    for built in BUILT:
        begun = process_time()
        judged = built.judge(Context(output=output, raw_output=output))
        assert process_time() - begun < 3, built.spec
        assert isinstance(getattr(judged, "score"), Score)  # noqa: B009
        assert len(getattr(judged, "explanation")) < 3000  # noqa: B009
