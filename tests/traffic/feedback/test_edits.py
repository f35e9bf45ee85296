"""Edit distances: a table, and the laws of a distance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from llmctl.evaluators.similarity.levenshtein import Levenshtein
from llmctl.traffic.feedback import edits
from llmctl.traffic.feedback.edits import Distance, TooLongError, edit_distance


@pytest.mark.parametrize(
    ("draft", "final", "characters", "tokens"),
    [
        ("Yes.", "Yes.", 0, 0),
        ("  Yes,\r\n\r\n sir. ", "Yes, sir.\n", 0, 0),
        ("a b c d", "a b c d e", 2 / 9, 1 / 5),
        ("kitten", "sitting", 3 / 7, 1),
        ("Yes", "yes", 1 / 3, 1),
        ("", "new", 1, 1),
        ("old", "", 1, 1),
        ("", "", 0, 0),
        ("日本語です", "日本語でした", 2 / 6, 1),
    ],
)
def test_distances(draft: str, final: str, characters: float, tokens: float) -> None:
    found = edit_distance(draft, final)
    assert (found.characters, found.tokens) == pytest.approx((characters, tokens))


@given(some.text(max_size=40), some.text(max_size=40))
def test_laws(draft: str, final: str) -> None:
    found = edit_distance(draft, final)
    assert found == edit_distance(final, draft)
    assert 0 <= found.characters <= 1
    assert 0 <= found.tokens <= 1
    assert edit_distance(draft, f" {draft}\n") == Distance(0, 0)
    assert (found.characters == 0) == (edits._FORM(draft) == edits._FORM(final))


@given(some.text("ab c", max_size=30), some.text("ab c", max_size=30))
def test_it_is_the_distance_of_the_evaluator(draft: str, final: str) -> None:
    near = Levenshtein((final,), collapse_space=True)
    mine = edit_distance(draft, final).characters
    assert mine == pytest.approx(1 - near._near(near.form(draft), final).similarity)


def test_texts_that_would_take_too_long_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edits, "_MOST_PAIRS", 100)
    with pytest.raises(TooLongError, match="too long"):
        edit_distance("a" * 20, "b" * 20)
    assert edit_distance("a" * 20, "a" * 20).characters == 0
