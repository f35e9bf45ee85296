"""Counting what two texts share: clipped n-grams, and the longest common subsequence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Overlap", "common_subsequence", "matches", "ngram_total", "ngrams"]

Item = TypeVar("Item", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of an output and of a reference is the same, in items of any kind."""

    common: int
    output: int
    """Items of the output."""
    reference: int
    """Items of the reference."""

    @property
    def precision(self) -> float:
        """The share of the output that is in the reference; 0 for an output without items."""
        return self.common / self.output if self.output else 0.0

    @property
    def recall(self) -> float:
        """The share of the reference that is in the output; 0 for a reference without items."""
        return self.common / self.reference if self.reference else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall (van Rijsbergen, 1979)."""
        total = self.output + self.reference
        return 2 * self.common / total if total else 0.0

    def __str__(self) -> str:
        """`precision 0.50, recall 1.00`."""
        return f"precision {self.precision:.2f}, recall {self.recall:.2f}"


def ngrams(tokens: Sequence[str], order: int) -> Iterator[tuple[str, ...]]:
    """All runs of `order` tokens, from left to right."""
    return zip(*(tokens[start:] for start in range(order)), strict=False)


def ngram_total(length: int, order: int) -> int:
    """How many n-grams so many tokens have."""
    return max(0, length - order + 1)


def matches(items: Iterator[Item], reference: Mapping[Item, int]) -> int:
    """How many items are in the reference, each at most as often as there (clipped; Papineni et al., 2002, 2.1).

    Only what the reference holds is kept, so that memory is bounded by it and not by the output.
    """
    found = Counter(filter(reference.__contains__, items))
    return sum(min(count, reference[item]) for item, count in found.items())


def common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, bit-parallel: a step for each token of `other` (Hyyrö, 2004)."""
    places: dict[str, int] = {}
    for index, token in enumerate(one):
        places[token] = places.get(token, 0) | 1 << index
    full = row = (1 << len(one)) - 1
    for token in other:
        hit = row & places.get(token, 0)
        if hit:
            row = ((row + hit) | (row - hit)) & full
    return len(one) - row.bit_count()
