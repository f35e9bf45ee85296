"""Word differences: a table of readable cases, laws that hold for any two texts, and texts made to take for ever."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmctl.report.word_diff import DiffBudget, Piece, PieceKind, equal_share, word_diff

EQUAL, REMOVED, ADDED = PieceKind.EQUAL, PieceKind.REMOVED, PieceKind.ADDED


def marked(pieces: list[Piece]) -> str:
    signs = {EQUAL: "{}", REMOVED: "[-{}-]", ADDED: "{{+{}+}}"}
    return "".join(signs[piece.kind].format(piece.text) for piece in pieces)


def sides(pieces: list[Piece]) -> tuple[str, str]:
    before = "".join(piece.text for piece in pieces if piece.kind is not ADDED)
    return before, "".join(piece.text for piece in pieces if piece.kind is not REMOVED)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "", ""),
        ("", "a b", "{+a b+}"),
        ("a b", "", "[-a b-]"),
        ("billing", "billing", "billing"),
        ("billing", "shipping", "[-billing-]{+shipping+}"),
        ("Ask the billing team.", "Ask the shipping team.", "Ask the [-billing-]{+shipping+} team."),
        ("I pay 3.14 EUR", "I pay 3.15 EUR", "I pay [-3.14-]{+3.15+} EUR"),
        ("I don't pay", "I do pay", "I [-don't-]{+do+} pay"),
        ("one two", "one  two", "one[- -]{+  +}two"),
        ("one\ntwo\n", "one\ntwo\nthree\n", "one\ntwo\n{+three\n+}"),
        ("東京は晴れ", "京都は晴れです", "[-東-]京{+都+}は晴れ{+です+}"),
        ("नमस्ते दुनिया", "नमस्ते भारत", "नमस्ते [-दुनिया-]{+भारत+}"),
        ("Zoë\u2019s cat", "Zoë\u2019s dog", "Zoë\u2019s [-cat-]{+dog+}"),
        # A word that two long changes have in common by chance tells nobody anything.
        (
            "big red roses in large vases",
            "six tall pines in old woods",
            "[-big red roses in large vases-]{+six tall pines in old woods+}",
        ),
        # Beside short changes it does.
        ("a x b", "c x d", "[-a-]{+c+} x [-b-]{+d+}"),
    ],
)
def test_what_differs(before: str, after: str, expected: str) -> None:
    assert marked(word_diff(before, after)) == expected


WORDS = st.lists(st.sampled_from(["a", "b", "the", " ", "\n", ".", "字", "\ud800", "1.5", "e\u0301"]), max_size=60)
TEXTS = st.one_of(st.text(st.characters(exclude_categories=()), max_size=40), WORDS.map("".join))


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS, st.integers(0, 200))
def test_both_texts_are_in_the_pieces(before: str, after: str, steps: int) -> None:
    for pieces in (word_diff(before, after), word_diff(before, after, DiffBudget(steps))):
        assert sides(pieces) == (before, after)
        assert all(piece.text for piece in pieces)
        kinds = [piece.kind for piece in pieces]
        assert all(one is not other for one, other in pairwise(kinds))
        assert (ADDED, REMOVED) not in pairwise(kinds)


def test_few_edits_in_a_long_text_are_found_each() -> None:
    chosen = random.Random(1)
    words = [f"w{chosen.randrange(3_000)}" for _ in range(20_000)]
    after = list(words)
    for place in range(500, 20_000, 1_000):
        after[place] = "CHANGED"
    pieces = word_diff(" ".join(words), " ".join(after))
    assert [piece.text for piece in pieces if piece.kind is ADDED] == ["CHANGED"] * 20
    assert equal_share(pieces) > 0.99


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ab " * 300_000, "ba " * 300_000),
        ("a " * 400_000, "a " * 200_000 + "b " + "a " * 199_000),
        ("字文" * 300_000, "文字学" * 200_000),
        ("x" * 1_000_000, "y" * 1_000_000),
        ("'" * 1_000_000, "a'" * 500_000),
        ("1," * 500_000, "1." * 500_000),
    ],
)
def test_the_time_is_bounded(before: str, after: str) -> None:
    started = time.process_time()
    assert sides(word_diff(before, after)) == (before, after)
    assert time.process_time() - started < 20  # about 1.5 s: without a bound it would be hours


def test_a_budget_is_shared() -> None:
    budget = DiffBudget(3_000, each=2_000)
    before, after = "a b c d e f " * 40, "f e d c b a " * 40
    word_diff(before, after, budget)
    assert 900 < budget.left <= 1_000 + 100
    word_diff(before, after, budget)
    assert budget.left <= 0
    assert sides(word_diff(before, after, budget)) == (before, after)


def test_how_much_is_equal() -> None:
    assert equal_share([]) == 1
    assert equal_share([Piece(REMOVED, "ab"), Piece(ADDED, "c")]) == 0
    assert equal_share([Piece(EQUAL, "ab"), Piece(ADDED, "cd")]) == 0.5
