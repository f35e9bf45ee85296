"""The output has the words of the accepted answer: F1 over words, as in SQuAD."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Literal

from llmctl.evaluators.similarity.ngrams import Overlap, matches
from llmctl.evaluators.similarity.similarity import Likeness, Similarity
from llmctl.evaluators.similarity.words import inspect_words, squad_words
from llmctl.evaluators.texts import Texts
from llmctl.evaluators.wording import listed

__all__ = ["TokenF1"]


@dataclass(frozen=True, slots=True)
class TokenF1(Similarity[Collection[str], Counter[str]]):
    """The output and the accepted answer share their words, in any order: F1 without case, punctuation and articles."""

    name: ClassVar = "token_f1"

    variant: Literal["squad", "inspect"] = "squad"
    """`squad` counts a word as often as it occurs; `inspect` counts it once, and compares numbers by their value."""
    ignored: Texts = ()
    """Words that do not count, beside the articles."""

    @property
    def measure_name(self) -> str:
        """The measure."""
        return "Token F1"

    def split(self, text: str) -> Collection[str]:
        """Its words."""
        if self.variant == "inspect":
            return inspect_words(text, self.ignored)
        words = squad_words(text)
        if not self.ignored:
            return words
        left_out = {word for ignored in self.ignored for word in squad_words(ignored)}
        return [word for word in words if word not in left_out]

    def prepare(self, text: str) -> Counter[str]:
        """Its words and how often they occur."""
        return Counter(self.split(text))

    def compare(self, output: Collection[str], reference: Counter[str]) -> Likeness:
        """F1 of their words."""
        overlap = Overlap(matches(iter(output), reference), len(output), reference.total())
        f1 = overlap.f1
        if self.variant == "inspect":
            f1 = round(f1, 2)  # as inspect_ai reports it
        elif not output and not reference:
            f1 = 1.0  # SQuAD 2.0: no answer, and rightly so
        missing = reference - Counter(output) if overlap.recall < 1 else None
        return Likeness(f1, f"{overlap}, missing {listed(missing)}" if missing else str(overlap))
