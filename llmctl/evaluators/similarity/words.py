"""How texts become words, one way for each family of measures; each named after the tool that it follows."""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections.abc import Collection

__all__ = ["inspect_words", "mteval_words", "plain_words", "rouge_words", "squad_words"]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_RUNS = re.compile(r"[^\W_]+")
_ASCII_RUNS = re.compile(r"[a-z0-9]+")
_INSPECT_SPLIT = re.compile("[ -]")
_EDGES = string.whitespace + string.punctuation
_ENTITIES = {"&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">"}
_MTEVAL = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),  # ASCII punctuation but for ' , - .
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),  # . and , unless a digit stands before
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),  # or behind them
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)


class _Punctuation(dict[int, int | None]):
    """For `str.translate`: punctuation goes. Filled as characters are met."""

    def __missing__(self, code: int) -> int | None:
        char = chr(code)
        goes = char in string.punctuation or unicodedata.category(char).startswith("P")
        self[code] = None if goes else code
        return self[code]


_PUNCTUATION = _Punctuation()
_ASCII_PUNCTUATION = dict.fromkeys(map(ord, string.punctuation))


def plain_words(text: str) -> list[str]:
    """Lower-cased, split at white space: promptfoo's words in `bleu`."""
    return text.lower().split()


def squad_words(text: str) -> list[str]:
    """Lower-cased, without punctuation and English articles (Rajpurkar et al., 2016, evaluate-v1.1.py).

    Punctuation is that of all scripts, as in MLQA (Lewis et al., 2020), so that a typographic apostrophe is one too.
    """
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def rouge_words(text: str, *, ascii_only: bool = False) -> list[str]:
    """Lower-cased runs of letters and digits; `ascii_only` as the package rouge-score, which drops other letters."""
    return (_ASCII_RUNS if ascii_only else _RUNS).findall(text.lower())


def mteval_words(text: str) -> list[str]:
    """Words and punctuation as `mteval-v13a.pl` splits them, so that BLEU scores are comparable (sacrebleu's `13a`)."""
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    if "&" in text:
        for entity, char in _ENTITIES.items():
            text = text.replace(entity, char)
    text = f" {text} "
    for pattern, replacement in _MTEVAL:
        text = pattern.sub(replacement, text)
    return text.split()


def inspect_words(text: str, ignored: Collection[str] = ()) -> frozenset[str]:
    """The different words of a text as inspect_ai's `f1` sees them: split at spaces and hyphens, numbers by value."""
    words = {_inspect_word(word) for word in set(_INSPECT_SPLIT.split(text))}
    left_out = {_inspect_word(word) for word in ignored}
    return frozenset(" ".join(word for word in words if word not in left_out).split())


def _inspect_word(word: str) -> str:
    word = word.casefold()
    for candidate in (word, word.strip(_EDGES)):  # "(3.14)" is the number, not the digits 314
        number = _finite(candidate)
        if number is not None:
            return str(number)
    word = word.translate(_ASCII_PUNCTUATION)
    number = _finite(word)
    return str(number) if number is not None else " ".join(_ARTICLES.sub(" ", word).split())


def _finite(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
