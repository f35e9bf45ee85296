"""Porter's stemmer (1980), with the departures of NLTK: the stems that the package rouge-score compares.

M. F. Porter, "An algorithm for suffix stripping", Program 14 (1980), 130-137. The departures, each marked below, are
those of NLTK's default mode; without them scores would differ from rouge-score's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

__all__ = ["stem"]

_VOWELS = frozenset("aeiou")
_IRREGULAR = {
    "skies": "sky",
    "sky": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "news": "news",
    "innings": "inning",
    "inning": "inning",
    "outings": "outing",
    "outing": "outing",
    "cannings": "canning",
    "canning": "canning",
    "howe": "howe",
    "proceed": "proceed",
    "exceed": "exceed",
    "succeed": "succeed",
}
_LONGEST = 100  # no word is longer, and a run of letters may be a megabyte

_Rules = tuple[tuple[str, str], ...]

_STEP_2: _Rules = (
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),  # NLTK, after Porter's own revision: BLI, not ABLI
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"),  # NLTK
)
_STEP_3: _Rules = (
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
)
_STEP_4 = (
    *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent"),
    *("ion", "ou", "ism", "ate", "iti", "ous", "ive", "ize"),
)


@lru_cache(maxsize=10_000)
def stem(word: str) -> str:
    """The stem of a lower-cased word; a word of one or two letters is its own."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 2 or len(word) > _LONGEST:
        return word
    for step in _STEPS:
        word = step(word)
    return word


def _consonants(word: str) -> list[bool]:
    """For each letter whether it is a consonant; y is one at the start and behind a vowel."""
    flags: list[bool] = []
    for char in word:
        flags.append(char not in _VOWELS and not (char == "y" and flags and flags[-1]))
    return flags


def _measure(word: str) -> int:
    """How often a vowel is followed by a consonant: Porter's m."""
    flags = _consonants(word)
    return sum(after and not before for before, after in pairwise(flags))


def _has_vowel(word: str) -> bool:
    return not all(_consonants(word))


def _ends_cvc(word: str) -> bool:
    """Porter's *o: consonant, vowel, consonant other than w, x, y. NLTK: also a word that is vowel and consonant."""
    flags = _consonants(word)
    if len(word) == 2:
        return flags == [False, True]
    return flags[-3:] == [True, False, True] and word[-1] not in "wxy"


def _replaced(word: str, rules: _Rules) -> str:
    """The first rule whose suffix fits decides: it applies where the measure of what is left is above 0."""
    for suffix, replacement in rules:
        if word.endswith(suffix):
            left = word[: -len(suffix)]
            return left + replacement if _measure(left) > 0 else word
    return word


def _plural(word: str) -> str:
    """Step 1a."""
    if word.endswith("ies"):
        return word[:-1] if len(word) == 4 else word[:-2]  # NLTK: dies -> die, flies -> fli
    if word.endswith("sses"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past(word: str) -> str:
    """Step 1b."""
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]  # NLTK: died -> die, spied -> spi
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for suffix in ("ed", "ing"):
        left = word[: -len(suffix)]
        if word.endswith(suffix) and _has_vowel(left):
            return _mended(left)
    return word


def _mended(word: str) -> str:
    if word.endswith(("at", "bl", "iz")):
        return word + "e"
    if len(word) >= 2 and word[-1] == word[-2] and _consonants(word)[-1]:
        return word if word[-1] in "lsz" else word[:-1]
    return word + "e" if _measure(word) == 1 and _ends_cvc(word) else word


def _final_y(word: str) -> str:
    """Step 1c. NLTK: behind a consonant, but not where that is all that is left: happy -> happi, by -> by."""
    left = word[:-1]
    return left + "i" if word.endswith("y") and len(left) > 1 and _consonants(left)[-1] else word


def _double_suffix(word: str) -> str:
    """Step 2."""
    if word.endswith("alli") and _measure(word[:-4]) > 0:  # NLTK: first, and then again
        return _double_suffix(word[:-2])
    found = _replaced(word, _STEP_2)
    if found == word and word.endswith("logi") and _measure(word[:-3]) > 0:  # NLTK: the l counts, so that geo- does
        return word[:-1]
    return found


def _suffix(word: str) -> str:
    """Step 3."""
    return _replaced(word, _STEP_3)


def _last_suffix(word: str) -> str:
    """Step 4."""
    for suffix in _STEP_4:
        if word.endswith(suffix):
            left = word[: -len(suffix)]
            removed = _measure(left) > 1 and (suffix != "ion" or left[-1] in "st")
            return left if removed else word
    return word


def _final_e(word: str) -> str:
    """Step 5a."""
    left = word[:-1]
    if not word.endswith("e"):
        return word
    measure = _measure(left)
    return left if measure > 1 or (measure == 1 and not _ends_cvc(left)) else word


def _double_l(word: str) -> str:
    """Step 5b."""
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word


_STEPS: tuple[Callable[[str], str], ...] = (
    _plural,
    _past,
    _final_y,
    _double_suffix,
    _suffix,
    _last_suffix,
    _final_e,
    _double_l,
)
