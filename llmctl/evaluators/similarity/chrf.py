"""chrF: runs of one to six characters that output and reference share; recall counts more than precision."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from llmctl.evaluators.similarity.ngrams import Overlap, matches, ngram_total, ngrams
from llmctl.evaluators.similarity.similarity import Likeness, Similarity, needs_threshold

__all__ = ["Chrf"]

_PUNCTUATION = frozenset(string.punctuation)


@dataclass(frozen=True, slots=True)
class Parts:
    """A text's characters without white space, and its words."""

    characters: str
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference, and how often each run occurs in it: a table for each length, of characters and then of words."""

    parts: Parts
    counts: Sequence[Mapping[Hashable, int]]


@dataclass(frozen=True, slots=True)
class Chrf(Similarity[Parts, Reference]):
    """The output shares runs of characters with the reference (chrF); works for languages without spaces too."""

    name: ClassVar = "chrf"

    characters: int = 6
    """The longest run of characters."""
    words: int = 0
    """The longest run of words; 2 makes it chrF++."""
    beta: float = 2.0
    """How many times as much recall counts as precision."""
    ignore_case: bool = False

    def __post_init__(self) -> None:
        needs_threshold(self.threshold)
        if not 1 <= self.characters <= 10 or not 0 <= self.words <= 4:
            raise ValueError("takes `characters` from 1 to 10 and `words` from 0 to 4")
        if not 0 < self.beta <= 100:
            raise ValueError("needs a `beta` above 0 and at most 100")
        self.prepare_value()

    @property
    def measure_name(self) -> str:
        """`chrF`, `chrF+` or `chrF++`."""
        return "chrF" + "+" * min(self.words, 2)

    def split(self, text: str) -> Parts:
        """White space is left out; of words, punctuation at an end is a word of its own."""
        pieces = (text.lower() if self.ignore_case else text).split()
        return Parts("".join(pieces), [part for piece in pieces for part in _parts(piece)] if self.words else [])

    def prepare(self, text: str) -> Reference:
        """Its parts and their runs."""
        parts = self.split(text)
        return Reference(parts, [Counter(runs) for runs in self._runs(parts)])

    def compare(self, output: Parts, reference: Reference) -> Likeness:
        """F-beta of the mean precision and the mean recall over all lengths that both have (Popović, 2015 and 2017)."""
        pairs = zip(
            self._runs(output), reference.counts, self._totals(output), self._totals(reference.parts), strict=True
        )
        overlaps = [Overlap(matches(runs, counts), *both) for runs, counts, *both in pairs if all(both)]
        if not overlaps:
            return Likeness(0.0, "no common length of runs")
        precision = sum(overlap.precision for overlap in overlaps) / len(overlaps)
        recall = sum(overlap.recall for overlap in overlaps) / len(overlaps)
        weight = self.beta**2
        total = weight * precision + recall
        score = (1 + weight) * precision * recall / total if total else 0.0
        return Likeness(score, f"precision {precision:.2f}, recall {recall:.2f}")

    def _runs(self, parts: Parts) -> Iterator[Iterator[Hashable]]:
        for length in range(1, self.characters + 1):
            yield _character_runs(parts.characters, length)
        for length in range(1, self.words + 1):
            yield ngrams(parts.words, length)

    def _totals(self, parts: Parts) -> Iterator[int]:
        for length in range(1, self.characters + 1):
            yield ngram_total(len(parts.characters), length)
        for length in range(1, self.words + 1):
            yield ngram_total(len(parts.words), length)


def _character_runs(text: str, length: int) -> Iterator[str]:
    return (text[start : start + length] for start in range(ngram_total(len(text), length)))


def _parts(word: str) -> Sequence[str]:
    """One mark of punctuation split off, at the end if there is one, as the first chrF++ program did."""
    if len(word) > 1 and word[-1] in _PUNCTUATION:
        return word[:-1], word[-1]
    if len(word) > 1 and word[0] in _PUNCTUATION:
        return word[0], word[1:]
    return (word,)
