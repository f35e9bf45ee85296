"""Text of others, shown: no control ever left, one line in its width, surrogates gone."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from llmctl.safe_text import one_line, replace_surrogates, safe_text

ANYTHING = st.text(st.characters(), max_size=60)
HOSTILE = st.text(
    st.sampled_from("ab\n\t\r\x00\x1b\x7f\x9b\u200b\u200d\ufe0f\u202e\u2066\u2028\ud800\udc00👩日e\u0301"), max_size=40
)
# Visible although their category is Cf: they stand around Arabic, Syriac and Kaithi numbers.
VISIBLE_FORMAT = set("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcödé, 日本\n\tkept", "plain, ünïcödé, 日本\n\tkept"),
        ("\x1b[2J\x07\r", "\\x1b[2J\\x07\\x0d"),
        ("\x7f\x9b31m", "\\x7f\\x9b31m"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("a\u200bb\u200db\ufeff", "a\\u200bb\\u200db\\ufeff"),
        ("line\u2028break\u2029", "line\\u2028break\\u2029"),
        ("half \ud83d", "half \\ud83d"),
        ("\U000e0041\U000e0042", "\\U000e0041\\U000e0042"),
        ("soft\xadhyphen\u3164", "soft\\xadhyphen\\u3164"),
    ],
)
def test_hostile_characters_are_written_out(text: str, shown: str) -> None:
    assert safe_text(text) == shown


@pytest.mark.parametrize("text", ["👨‍👩‍👧", "می‌خواهم", "❤️", "क्‍ष", "नमस्ते", "e\u0301"])
def test_scripts_and_emoji_keep_their_joiners(text: str) -> None:
    assert safe_text(text) == text


@pytest.mark.parametrize(("text", "shown"), [("a\ufe0f\ufe0f", "a\ufe0f\\ufe0f"), ("\ufe0fa", "\\ufe0fa")])
def test_selectors_that_could_hide_data_are_written_out(text: str, shown: str) -> None:
    assert safe_text(text) == shown


@given(ANYTHING | HOSTILE)
def test_no_control_is_ever_left(text: str) -> None:
    shown = safe_text(text)
    left = {c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - VISIBLE_FORMAT
    assert left <= {"\n", "\t", "\u200c", "\u200d"}
    shown.encode()


@example("\ufe0f\u200c\ufe0f")
@given(ANYTHING | HOSTILE)
def test_safe_text_is_safe_twice(text: str) -> None:
    assert safe_text(safe_text(text)) == safe_text(text)


@pytest.mark.parametrize(
    ("text", "width", "line"),
    [
        ("a\nb\tc\r\nd", 20, "a⏎b c⏎d"),
        ("abcdefgh", 8, "abcdefgh"),
        ("abcdefghi", 8, "abcdefg…"),
        ("日本語テキスト", 6, "日本…"),
        ("日本語", 6, "日本語"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("\x1b[2J", 20, "\\x1b[2J"),
    ],
)
def test_one_line(text: str, width: int, line: str) -> None:
    assert one_line(text, width) == line


def test_one_line_in_ascii() -> None:
    assert one_line("a\nü", 20, ascii_only=True) == "a\\n\\xfc"
    assert one_line("abcdefghij", 8, ascii_only=True) == "abcde..."


@given(ANYTHING | HOSTILE, st.integers(0, 30), st.booleans())
def test_one_line_fits(text: str, width: int, ascii_only: bool) -> None:
    line = one_line(text, width, ascii_only=ascii_only)
    assert cell_len(line) <= width
    assert "\n" not in line
    assert "\t" not in line
    assert line.isascii() or not ascii_only


def test_one_line_of_a_huge_text_looks_at_its_head_only() -> None:
    assert one_line("a" + "\u0301" * 10_000_000, 5).startswith("a")
    assert len(one_line("a" + "\u0301" * 10_000_000, 5)) < 100


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("plain ü", "plain ü"),
        ("a\ud800b\udfff", "a\ufffdb\ufffd"),
        ("cut \ud83d\ude00 between", "cut 😀 between"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
    ],
)
def test_replace_surrogates(text: str, stored: str) -> None:
    assert replace_surrogates(text) == stored


@given(ANYTHING | HOSTILE)
def test_what_is_stored_can_be_encoded(text: str) -> None:
    assert replace_surrogates(text).encode().decode() == replace_surrogates(text)
