"""Pieces against texts: as many solutions as trying everything finds, and never too much work."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmctl.traffic.replay.variables.forms import Path, Piece, Slot
from llmctl.traffic.replay.variables.matching import Equation, TooMuchWork, Values, Work, solutions

A, B, C = (Slot((name,)) for name in "abc")
PIECES = st.lists(st.sampled_from(["x", "y", "xy", A, B, C]), max_size=6).map(tuple)
ENOUGH = 10_000_000


def found(*equations: tuple[tuple[Piece, ...], str], known: Values | None = None) -> list[dict[str, str]]:
    solved = solutions([Equation(*one) for one in equations], known or {}, Work(ENOUGH))
    return [{path[0]: text for path, text in one.items()} for one in solved]


def every(pieces: tuple[Piece, ...], text: str, values: dict[Path, str]) -> Iterator[dict[Path, str]]:
    """All solutions, by trying everything."""
    if not pieces:
        if not text:
            yield values
        return
    first, rest = pieces[0], pieces[1:]
    if isinstance(first, str):
        if text.startswith(first):
            yield from every(rest, text[len(first) :], values)
    elif first.path in values:
        if text.startswith(values[first.path]):
            yield from every(rest, text[len(values[first.path]) :], values)
    else:
        for end in range(len(text) + 1):
            yield from every(rest, text[end:], {**values, first.path: text[:end]})


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(PIECES, st.text("xy", max_size=8)), min_size=1, max_size=3))
def test_it_finds_what_trying_everything_finds(equations: list[tuple[tuple[Piece, ...], str]]) -> None:
    truth: list[dict[Path, str]] = [{}]
    for pieces, text in equations:
        truth = [one for values in truth for one in every(pieces, text, values)]
    different = {tuple(sorted(one.items())) for one in truth}
    solved = solutions([Equation(*one) for one in equations], {}, Work(ENOUGH))
    assert len(solved) == min(2, len(different))
    assert {tuple(sorted(one.items())) for one in solved} <= different


@pytest.mark.parametrize(
    ("pieces", "text", "expected"),
    [
        (("Ticket: ", A), "Ticket: lost", [{"a": "lost"}]),
        (("Ticket: ", A), "Question: lost", []),
        (("Ticket: ", A, "\n"), "Ticket: lost", []),
        ((A,), "", [{"a": ""}]),
        ((A, B), "", [{"a": "", "b": ""}]),
        ((A, " from ", B), "Ann from Rome", [{"a": "Ann", "b": "Rome"}]),
        ((A, "-", A), "x-x", [{"a": "x"}]),
        ((A, "-", A), "x-y", []),
        ((A, "-", A), "x-x-x-x", [{"a": "x-x"}]),
        ((A, "-", A), "x-y-x-y", [{"a": "x-y"}]),
        ((A, A), "abab", [{"a": "ab"}]),
        ((A, B, "|", A), "lost|lo", [{"a": "lo", "b": "st"}]),
    ],
)
def test_one_text(pieces: tuple[Piece, ...], text: str, expected: list[dict[str, str]]) -> None:
    assert found((pieces, text)) == expected


def test_a_value_that_holds_the_text_between_is_ambiguous() -> None:
    assert len(found(((A, " from ", B), "a letter from Ann from Rome"))) == 2


def test_adjacent_variables_are_ambiguous() -> None:
    assert len(found(((A, B), "x"))) == 2


def test_another_text_decides() -> None:
    both = ((A, " from ", B), "a letter from Ann from Rome")
    assert found(both, (("City: ", B), "City: Rome")) == [{"a": "a letter from Ann", "b": "Rome"}]
    assert found(both, (("City: ", B), "City: Paris")) == []


def test_known_values_decide() -> None:
    assert found(((A, B), "xy"), known={("a",): "x"}) == [{"a": "x", "b": "y"}]
    assert found(((A, B), "xy"), known={("a",): "y"}) == []


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ((A, "a", B, "a", C), "a" * 100_000),
        ((A, "ab", B, "ab", C), "ab" * 50_000),
        ((A, B, C), "a" * 100_000),
        (("a" * 5_000 + "b", A), "a" * 100_000),
    ],
)
def test_hostile_texts_take_linear_work(pieces: tuple[Piece, ...], text: str) -> None:
    started = time.process_time()
    assert len(solutions([Equation(pieces, text)], {}, Work(ENOUGH))) != 1
    assert time.process_time() - started < 1


def test_what_cannot_be_told_within_the_work_allowed_is_said() -> None:
    # Patterns with repeated variables are hard (Angluin 1980). This one has no solution: the number of letters is odd.
    pieces = (A, A, B, B, "x", C)
    started = time.process_time()
    with pytest.raises(TooMuchWork):
        solutions([Equation(pieces, "a" * 3_001 + "x")], {}, Work(2_000_000))
    assert time.process_time() - started < 2
