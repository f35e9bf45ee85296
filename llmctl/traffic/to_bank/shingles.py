"""How alike two texts are, by the pieces of four characters that they share: small letters, white space as one blank.

Jaccard's coefficient (1901) of the sets of pieces: 1 for texts that differ in nothing else, 0 where no piece is shared.
Needs no words, so that it works for every language.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from llmctl.canonical import written

__all__ = ["NEAR", "Shingles", "case_text", "jaccard", "nearest", "shingles"]

Shingles = NDArray[np.uint32]
"""Sorted, each once."""

NEAR = 0.9
"""From this likeness on two inputs count as the same."""
_LONGEST = 200_000
"""Of a longer text the beginning counts."""
_PRIME = np.uint32(2_654_435_761)
"""Knuth's multiplicative hash (The Art of Computer Programming 3, 6.4)."""


def shingles(text: str) -> Shingles:
    """The hashes of its pieces of four characters; a shorter text is one piece."""
    with np.errstate(over="ignore"):
        return np.unique(pieces(text))


def pieces(text: str) -> Shingles:
    """The same in the order of the text, with repetitions."""
    codes = np.frombuffer(_plain(text).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    if codes.size < 4:
        codes = np.concatenate([codes, np.zeros(4 - codes.size, dtype=np.uint32)])
    hashed = codes[:-3].copy()
    for offset in (1, 2, 3):
        hashed *= _PRIME
        hashed ^= codes[offset : codes.size - 3 + offset]
    hashed *= _PRIME
    return hashed ^ (hashed >> np.uint32(15))


def jaccard(one: Shingles, other: Shingles) -> float:
    """The share of all their pieces that both have."""
    if not one.size or not other.size:
        return float(one.size == other.size)
    if min(one.size, other.size) / max(one.size, other.size) < NEAR / 2:
        return 0.0  # far below `NEAR`, whatever they share
    both = np.intersect1d(one, other, assume_unique=True).size
    return both / (one.size + other.size - both)


def nearest(text: Shingles, others: Mapping[str, Shingles]) -> tuple[str, float] | None:
    """The one of the others that is most like it, with the likeness; None where there is none."""
    found = [(jaccard(text, other), name) for name, other in others.items()]
    if not found:
        return None
    likeness, name = max(found)
    return name, likeness


def case_text(variables: Mapping[str, object], shared: Mapping[str, object]) -> str:
    """What is asked in a case: its variables, without those that all cases of the bank have."""
    own = {name: value for name, value in variables.items() if name not in shared or shared[name] != value}
    return "\n".join(written(own[name]) for name in sorted(own))


def _plain(text: str) -> str:
    return " ".join(text[:_LONGEST].casefold().split())
