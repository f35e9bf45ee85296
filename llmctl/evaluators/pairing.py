"""How similar two lists of texts are when each item is paired with the one that suits it best.

Similarity of two texts: 1 - Levenshtein distance / length of the longer one. The best pairing is the one with the
largest sum (linear sum assignment), as in autoevals' ListContains.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["best_pairing", "fits"]

_MAX_PAIRS = 40_000
_MAX_WORK = 200_000_000
"""Characters of the one list times characters of the other: about half a second of comparing."""


def fits(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the lists are small enough to be paired in about a second."""
    work = sum(map(len, one)) * sum(map(len, other))
    return len(one) * len(other) <= _MAX_PAIRS and work <= _MAX_WORK


def best_pairing(one: Sequence[str], other: Sequence[str], *, strict: bool) -> float:
    """The sum of the similarities of the best pairs; with `strict` of the items at the same place."""
    from rapidfuzz.distance.Levenshtein import normalized_similarity

    if strict:
        return sum(normalized_similarity(*pair) for pair in zip(one, other, strict=False))
    if not one or not other:
        return 0.0
    from scipy.optimize import linear_sum_assignment

    similar = [[normalized_similarity(item, mate) for mate in other] for item in one]
    rows, columns = linear_sum_assignment(similar, maximize=True)
    return float(sum(similar[row][column] for row, column in zip(rows, columns, strict=True)))
