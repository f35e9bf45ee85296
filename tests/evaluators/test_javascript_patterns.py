r"""JavaScript's patterns: what each finds, as measured with `new RegExp(pattern).test(text)` in Node 20 (V8 11.3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmctl.evaluators.javascript_patterns import javascript_pattern
from llmctl.evaluators.patterns import compile_either

FOUND = [
    (r"\d{3}-\d{2}-\d{4}", "it is 123-45-6789"),
    (r"^Hello\sWorld$", "Hello\u00a0World"),
    (r"[^\S\n]", "a\u202fb"),
    (r"(?<y>\d{4})-\k<y>", "2024-2024"),
    (r"(a|b)?c", "c"),
    (r"(\d)\1", "122"),
    (r"a{,5}", "a{,5}"),
    (r"^\{.*\}$", "{a}"),
    (r"[^]x", "\nx"),
    (r"\/a\-b\_c", "/a-b_c"),
    (r"\u00e9\x41\cJ\0", "éA\n\0"),
    (r"[[:alpha:]]", "h]"),
    (r"[a-\d]", "-"),
    (r"[\b]", "\b"),
    (r"[\]&&~~]", "~"),
    (r"\p{L}", "p{L}"),
    (r"\a\e", "ae"),
    (r"(?=.*x)a.*b$", "a x b"),
    (r"(?<!\$)\b\d+", "a 5"),
    (r"\Bb", "ab"),
    (r"\bé", "aé"),
    (r"x{1001}", "x" * 1001),
    (r"[\u4e00-\u9fff]", "三"),
    (r"]}{", "]}{"),
    ("😀", "a😀"),
]
MISSED = [
    (r"a$", "a\n"),
    (r"^.$", "\r"),
    (r"\w", "é"),
    (r"\d", "\uff13"),
    (r"(?!x)[]", "a"),
    (r"[]", "]"),
    (r"[^\s\S]", "a\u00a0"),
    (r"\s", "\u200b"),
    (r"a.b", "a\rb"),
    (r"(?<=\$)\d$", "$5\n"),
    (r"\B", "a"),
]
REFUSED = [
    "(?i)hello",
    "(unclosed",
    "a**",
    "a*+",
    "(?P<x>a)",
    "(?>a)",
    "a)",
    "{2}",
    "x{2}{3}",
    "[z-a]",
    "\\",
    "[a",
    "^*",
]
UNTRANSLATED = [r"(a)?\1", r"(a)|b\1", r"\1(a)", r"\07", r"[\07]", r"[😀]", "\ud83d", r"\ud83d\ude00"]


def finds(source: str, text: str) -> bool:
    translated = javascript_pattern(source)
    assert translated is not None
    return compile_either(translated).search(text) is not None


@pytest.mark.parametrize(("source", "text"), FOUND)
def test_it_finds_what_javascript_finds(source: str, text: str) -> None:
    assert finds(source, text)


@pytest.mark.parametrize(("source", "text"), MISSED)
def test_it_misses_what_javascript_misses(source: str, text: str) -> None:
    assert not finds(source, text)


@pytest.mark.parametrize("source", REFUSED + UNTRANSLATED)
def test_what_javascript_refuses_or_no_engine_can_say_is_none(source: str) -> None:
    assert javascript_pattern(source) is None


def test_what_re2_can_say_is_said_for_re2_and_stays_readable() -> None:
    assert javascript_pattern(r"^https?:\/\/\w+\.com$") == r"^https?://\w+\.com$"
    assert javascript_pattern(r"(?!sorry)\w$") == r"(?a)(?!sorry)\w\Z"


@settings(max_examples=200, deadline=None)
@given(source=st.text() | st.text(r"ab\()[]{}?*+|^$.:<>=!-0123kdsuxn,", max_size=12))
def test_any_text_is_translated_or_not(source: str) -> None:
    translated = javascript_pattern(source)
    if translated is not None:
        compile_either(translated)
