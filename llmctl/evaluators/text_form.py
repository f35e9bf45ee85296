"""The form in which two texts are compared: what of their case, space, punctuation and articles does not count.

The rules are those of SQuAD's `normalize_answer` (Rajpurkar et al., 2016), each to be switched on by itself, without
three of its traps: a number keeps its sign and its point (`3.14` is not `314`), punctuation is Unicode's as well as
ASCII's, and a text of which nothing would be left stays as it is (the answer `A` is an article).
"""

# ruff: noqa: RUF001 - punctuation and spaces as models write them
from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

from llmctl.evaluators.texts import normalise

__all__ = ["TextForm", "form_hint", "form_of"]

_OUTER = ".,;:!?…。、，！？；：\"'“”‘’„«»‹›()[]{}*_`"
"""What stands around an answer and is no part of it. Not `%`, `$`, `+`, `#` and dashes: `C#`, `60%` and `-5` stay."""
_SPACE = " \t\n\r\f\v\u00a0\u2007\u2009\u200b\u202f\u3000"
_LEADING = _SPACE + "".join(char for char in _OUTER if char not in ".,")  # .5 is a number
_TRAILING = _SPACE + _OUTER
_ARTICLE = re.compile(r"(?<!\S)(?:an?|the)(?!\S)\s*", re.IGNORECASE)
_DIGIT, _WORD = re.compile(r"\d"), re.compile(r"\S+")
_NUMBER = re.compile(r"[+-]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")
_EDGES = string.punctuation.replace("-", "").replace("+", "").replace(".", "") + "“”‘’«»…"


@dataclass(frozen=True, slots=True)
class TextForm:
    """What does not count when texts are compared; callable on a text."""

    ignore_case: bool = False
    """`STRASSE` is `straße` (Unicode case folding)."""
    collapse_space: bool = False
    """Runs of inner white space are one space."""
    ignore_punctuation: bool = False
    """Unicode punctuation and ASCII's punctuation and symbols go; a number keeps its sign and its point."""
    ignore_articles: bool = False
    """The English words a, an and the go."""
    nfkc: bool = False
    """Compatibility forms are plain ones (Unicode NFKC): `ﬁ` is `fi`, `１２` is `12`, a no-break space a space."""
    trim: bool = True
    """Outer white space goes."""
    trim_punctuation: bool = False
    """Quotes, brackets, markdown and sentence marks around the text go: `**Paris.**` is `Paris`."""

    def __post_init__(self) -> None:
        if self.trim_punctuation and not self.trim:
            raise ValueError("cannot have `trim: false` and `trim_punctuation: true`: one keeps what the other removes")

    def __call__(self, text: str, outer: str | None = None) -> str:
        """The text in this form; `outer` are the characters that `trim` takes off both ends (None: all white space)."""
        if self.nfkc:
            text = _compatible(text, self.ignore_case)
        text = normalise(text, ignore_case=self.ignore_case, outer=outer if self.trim else "")
        if text.isalnum():  # one word, of which the rest would take nothing
            return text
        if self.ignore_punctuation:
            text = _something(text, _without_punctuation(text), self.trim)
        if self.ignore_articles:
            text = _something(text, _ARTICLE.sub("", text), self.trim)
        if self.trim_punctuation:
            text = _something(text, text.lstrip(_LEADING).rstrip(_TRAILING), self.trim)
        return " ".join(text.split()) if self.collapse_space else text


def form_of(evaluator: Any) -> TextForm:
    """The form that an evaluator's arguments ask for; those that it lacks are as by default.

    Raises:
        ValueError: they contradict each other.
    """
    return _form(*(getattr(evaluator, field.name, field.default) for field in fields(TextForm)))


@lru_cache(maxsize=128)
def _form(*values: bool) -> TextForm:
    return TextForm(*values)


_LOOSER = {
    "ignore_case": "Only the case differs",
    "collapse_space": "Only white space differs",
    "trim_punctuation": "Only the marks around it differ",
    "ignore_punctuation": "Only punctuation differs",
    "ignore_articles": "Only articles differ",
    "nfkc": "Only the forms of its characters differ",
}
_HINT_CHARACTERS = 20_000
_SHORT_CHARACTERS = 200
_CHEAP = ("ignore_case", "collapse_space")
"""The switches that are tried on an output that is not short: the others take a quarter of a millisecond there."""


def form_hint(form: TextForm, size: int, accepts: Callable[[TextForm], bool]) -> str:
    """Which one switch would accept the output, as a sentence with a space before it; empty where none would.

    `accepts` judges under a looser form; `size` is the length of the output, too long ones are not tried again.
    """
    if size > _HINT_CHARACTERS:
        return ""
    names = _off(form, tuple(_LOOSER) if size <= _SHORT_CHARACTERS else _CHEAP)
    loosest, *looser = _looser_forms(form, names)
    if not accepts(loosest):
        return ""
    name = next((name for name, one in zip(names, looser, strict=True) if accepts(one)), None)
    return "" if name is None else f" {_LOOSER[name]}: `{name}: true` accepts it."


def _off(form: TextForm, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the switches that are off and may be switched on."""
    return tuple(name for name in names if not getattr(form, name) and (form.trim or name != "trim_punctuation"))


@lru_cache(maxsize=128)
def _looser_forms(form: TextForm, names: tuple[str, ...]) -> tuple[TextForm, ...]:
    """The form with all of the switches on, and with each alone."""
    return replace(form, **dict.fromkeys(names, True)), *(replace(form, **{name: True}) for name in names)


def _compatible(text: str, ignore_case: bool) -> str:
    """NFKC; with case folding between (Unicode 15, D146), since either may undo the other."""
    text = unicodedata.normalize("NFKC", text)
    return unicodedata.normalize("NFKC", text.casefold()) if ignore_case and not text.isascii() else text


def _something(before: str, after: str, trim: bool) -> str:
    """What is left, or, where nothing is, what was there before."""
    after = after.strip() if trim else after
    return after if after and not after.isspace() else before


class _Marks(dict[int, int | None]):
    """For `str.translate`: punctuation goes. Filled as characters are met, never with more than the basic plane."""

    def __missing__(self, code: int) -> int | None:
        char = chr(code)
        kept = None if char in string.punctuation or unicodedata.category(char).startswith("P") else code
        if code < 0x3000:
            self[code] = kept
        return kept


_MARKS = _Marks()


def _without_punctuation(text: str) -> str:
    return _WORD.sub(_plain_word, text) if _DIGIT.search(text) else text.translate(_MARKS)


def _plain_word(match: re.Match[str]) -> str:
    """A word without punctuation; of a number only what is no part of it goes: `($1,234.50)` is `1234.50`."""
    word = match.group()
    core = word.strip(_EDGES).rstrip(".")
    if core and _NUMBER.fullmatch(core):
        return core.replace(",", "").removeprefix("+")
    return word.translate(_MARKS)
