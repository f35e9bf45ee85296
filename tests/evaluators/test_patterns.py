"""Patterns under both engines: the same matches, the same places, and never without end."""

from __future__ import annotations

import re
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmctl.errors import EvaluatorError
from llmctl.evaluators.patterns import Engine, compile_either, compile_pattern
from llmctl.evaluators.wording import quote_pattern

PATTERNS = ["a", "a*", "(a)|(b)", "é+", "(?P<x>.)b?", r"\b", "^", "$", "b|", "[^a]+"]
TEXT = st.text("abé\n😀 ", max_size=8)


@pytest.mark.parametrize("engine", list(Engine))
@pytest.mark.parametrize("source", PATTERNS)
@settings(max_examples=40, deadline=None)
@given(text=TEXT)
def test_all_matches_are_those_of_re(source: str, engine: Engine, text: str) -> None:
    pattern = compile_pattern(source, engine=engine)
    groups = tuple(range(pattern.groups + 1))
    found = [(match.start, match.captured) for match in pattern.matches(text, groups)]
    wanted = [(match.start(), (match.group(), *match.groups())) for match in re.finditer(source, text, re.ASCII)]
    if engine is Engine.RE2:  # it gives no empty match where the one before it ended, and `$` is the end only
        wanted = [one for one in wanted if one in found]
        assert set(wanted) == set(found)
    elif source not in {r"\b", "$"}:
        assert found == wanted


@settings(max_examples=60, deadline=None)
@given(text=TEXT, engine=st.sampled_from(list(Engine)))
def test_what_is_removed_is_what_matches(text: str, engine: Engine) -> None:
    assert compile_pattern("[aé]+", engine=engine).remove(text) == re.sub("[aé]+", "", text)
    assert compile_pattern("", engine=engine).remove(text) == text


def test_groups_have_numbers_and_names() -> None:
    for engine in Engine:
        pattern = compile_pattern(r"(?P<year>\d{4})-(\d\d)?", engine=engine)
        assert pattern.names == {"year": 1}
        found = pattern.search("é 2024-", groups=(1, 2))
        assert found is not None
        assert (found.text, found.start, found.captured) == ("2024-", 2, ("2024", None))


@pytest.mark.parametrize("engine", list(Engine))
def test_going_through_all_matches_ends(engine: Engine) -> None:
    begun = process_time()
    with pytest.raises(EvaluatorError, match="took longer than 1 s"):
        for _ in compile_pattern("(?:x.*y|x)", engine=engine).matches("x" * 1_000_000):
            pass
    assert process_time() - begun < 5


def test_what_re2_cannot_take_goes_to_python() -> None:
    assert compile_either("a").engine is Engine.RE2
    assert compile_either("(?=a)").engine is Engine.PYTHON


def test_a_pattern_is_shown_as_it_was_written() -> None:
    assert quote_pattern(r"order \d+") == r'"order \d+"'
    assert quote_pattern(r"C:\\x") == r'"C:\\x"'
    assert quote_pattern("a\x1b[2J") == r'"a\u001b[2J"'
