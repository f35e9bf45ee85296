"""How far the text that somebody used is from the one that was drafted, by characters and by words."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from llmctl.errors import UsageError
from llmctl.evaluators.text_form import TextForm

__all__ = ["Distance", "TooLongError", "edit_distance", "need_distance"]

_FORM = TextForm(collapse_space=True)
_MOST_PAIRS = 2_000_000_000
"""Characters of one text times characters of the other: about 0.3 s."""


class TooLongError(ValueError):
    """Two texts are too long to be compared; the message is the reason, as one phrase."""


@dataclass(frozen=True, slots=True)
class Distance:
    """Edits over the length of the longer text: 0 is the same, 1 has nothing in common."""

    characters: float
    tokens: float
    """By words: what white space stands between."""


def need_distance() -> None:
    """See that distances can be measured.

    Raises:
        UsageError: the package is not installed.
    """
    if find_spec("rapidfuzz") is None:
        raise UsageError(
            "Edit distances need the package rapidfuzz, which is not installed.",
            hint="Run `pip install 'llmctl-toolkit[text]'`.",
        )


def edit_distance(draft: str, final: str) -> Distance:
    """Levenshtein's distance, normalised; outer white space and how much stands between words do not count.

    Texts that are equal then have the distance 0, and others never.

    Raises:
        TooLongError: it would take too long.
    """
    before, after = _FORM(draft), _FORM(final)
    if before == after:
        return Distance(0.0, 0.0)
    if len(before) * len(after) > _MOST_PAIRS:
        raise TooLongError("draft and final text are too long to be compared")
    from rapidfuzz.distance.Levenshtein import normalized_distance

    return Distance(normalized_distance(before, after), normalized_distance(before.split(), after.split()))
