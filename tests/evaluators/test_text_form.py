"""The form in which texts are compared: its laws, whatever the switches."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmctl.evaluators.text_form import TextForm, form_hint

SWITCHES = ("ignore_case", "collapse_space", "ignore_punctuation", "ignore_articles", "nfkc", "trim_punctuation")
FORMS = [TextForm(**dict(zip(SWITCHES, switches, strict=True))) for switches in product((False, True), repeat=6)]
PLAIN = TextForm()
SQUAD = TextForm(ignore_case=True, collapse_space=True, ignore_punctuation=True, ignore_articles=True)
TEXT = st.text(st.characters()) | st.text("aAnth e.,-+5'\"()$ \t\n½ﬁ’*", max_size=20)  # noqa: RUF001
FAST = settings(max_examples=150, deadline=None)


@FAST
@given(form=st.sampled_from(FORMS), text=TEXT)
def test_a_text_with_something_in_it_keeps_something(form: TextForm, text: str) -> None:
    assert bool(form(text).strip()) == bool(form(text).strip() or text.strip())


@FAST
@given(form=st.sampled_from(FORMS), text=TEXT)
def test_outer_white_space_never_counts_unless_asked(form: TextForm, text: str) -> None:
    assert form(f" \n{text}\t") == form(text)


@FAST
@given(text=TEXT)
def test_without_switches_and_trim_only_spellings_change(text: str) -> None:
    form = TextForm(trim=False)
    assert form(form(text)) == form(text)
    assert form(f" {text}") == f" {form(text)}" or not text.isascii()


@FAST
@given(number=st.decimals(allow_nan=False, allow_infinity=False, places=3))
def test_a_number_keeps_its_sign_and_its_point(number: object) -> None:
    text = f"{number:f}"
    for written in (text, f"({text})", f"{text}.", f'"{text}",', f"**{text}**", f"${text}"):
        assert SQUAD(written) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Cat, sat!", "cat sat"),
        ("don’t", "DONT"),  # noqa: RUF001
        ("an apple a day that the", "apple day that"),
        ("U.S.", "us"),
        ("$1,234.50", "1234.50"),
        ("«Ça va»", "ça va"),
        ("a\u00a0b", "b"),
    ],
)
def test_squad_makes_them_equal(one: str, other: str) -> None:
    assert SQUAD(one) == SQUAD(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("3.14", "314"), ("-5", "5"), ("A", "the"), ("?", "!"), ("a", ""), ("C", "D"), ("theory", "ory")],
)
def test_squad_keeps_them_apart(one: str, other: str) -> None:
    assert SQUAD(one) != SQUAD(other)


def test_the_hint_names_the_one_switch_that_would_do() -> None:
    def hint(got: str, wanted: str, form: TextForm = PLAIN) -> str:
        return form_hint(form, len(got), lambda looser: looser(got) == looser(wanted))

    assert "`ignore_case: true`" in hint("A", "a")
    assert "`ignore_punctuation: true`" in hint("a-b", "ab")
    assert "`trim_punctuation: true`" in hint("a.", "a")
    assert hint("A.", "a") == ""  # it would take two
    assert hint("a", "b") == ""
    assert hint(" a", "a", TextForm(trim=False)) == " Only white space differs: `collapse_space: true` accepts it."
