"""GLEU: runs of one to four words that output and reference share, by the weaker of precision and recall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from llmctl.evaluators.similarity.ngrams import Overlap, matches, ngram_total, ngrams
from llmctl.evaluators.similarity.similarity import Likeness, Similarity

__all__ = ["Gleu"]

_ORDERS = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Phrases:
    """How many words a reference has, and how often each run of one to four of them occurs."""

    length: int
    counts: Mapping[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class Gleu(Similarity[Sequence[str], Phrases]):
    """The output shares runs of one to four words with the reference (GLEU); made for single sentences."""

    name: ClassVar = "gleu"

    ignore_case: bool = True

    @property
    def measure_name(self) -> str:
        """The measure."""
        return "GLEU"

    def split(self, text: str) -> Sequence[str]:
        """Words stand between white space; the full stops at their ends are dropped."""
        words = [word.rstrip(".") for word in (text.lower() if self.ignore_case else text).split()]
        return words if any(words) else []

    def prepare(self, text: str) -> Phrases:
        """Its words and runs of words."""
        words = self.split(text)
        return Phrases(len(words), Counter(_runs(words)))

    def compare(self, output: Sequence[str], reference: Phrases) -> Likeness:
        """The smaller of precision and recall (Wu et al., 2016, section 6)."""
        common = matches(_runs(output), reference.counts)
        overlap = Overlap(common, _total(len(output)), _total(reference.length))
        return Likeness(min(overlap.precision, overlap.recall), str(overlap))


def _runs(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return (run for order in _ORDERS for run in ngrams(words, order))


def _total(length: int) -> int:
    return sum(ngram_total(length, order) for order in _ORDERS)
