"""ROUGE: how many words, word pairs or words in order output and reference share (Lin, 2004)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from llmctl.canonical import written
from llmctl.evaluators.similarity.ngrams import Overlap, common_subsequence, matches, ngram_total, ngrams
from llmctl.evaluators.similarity.porter import stem
from llmctl.evaluators.similarity.similarity import Likeness, Similarity
from llmctl.evaluators.similarity.treebank import treebank_words
from llmctl.evaluators.similarity.words import rouge_words

__all__ = ["Rouge"]


_KINDS = ("1", "2", "3", "4", "L")


def _kind(value: object) -> str:
    kind = written(value).upper() if isinstance(value, str | int) else ""
    if kind not in _KINDS:
        raise PydanticCustomError("kind", "must be 1, 2, 3, 4 or L")
    return kind


Kind = Annotated[str, BeforeValidator(_kind), WithJsonSchema({"enum": [1, 2, 3, 4, *_KINDS, "l"]})]


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference's words and, for ROUGE-N, how often each n-gram occurs."""

    words: Sequence[str]
    counts: Mapping[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class Rouge(Similarity[Sequence[str], Reference]):
    """The output shares words, runs of words or its longest common subsequence of words with the reference (ROUGE)."""

    name: ClassVar = "rouge"

    threshold: float = 0.75
    """The smallest score that passes."""
    kind: Kind = "L"
    """`1` words, `2` word pairs, `3`, `4`, or `L`: the longest common subsequence."""
    measure: Literal["f1", "precision", "recall"] = "f1"
    stemmer: bool = False
    """Compare the stems of English words of more than three letters (Porter, 1980)."""
    tokenize: Literal["words", "ascii", "treebank"] = "words"
    """`words`: runs of letters and digits; `ascii`: of a-z and 0-9 only, as rouge-score; `treebank`: as promptfoo."""

    @property
    def measure_name(self) -> str:
        """`ROUGE-L F1`."""
        return f"ROUGE-{self.kind} {'F1' if self.measure == 'f1' else self.measure}"

    def split(self, text: str) -> Sequence[str]:
        """Its words, or their stems."""
        if self.tokenize == "treebank":
            words = treebank_words(text.lower())
        else:
            words = rouge_words(text, ascii_only=self.tokenize == "ascii")
        return [stem(word) if len(word) > 3 else word for word in words] if self.stemmer else words

    def prepare(self, text: str) -> Reference:
        """Its words and n-grams."""
        words = self.split(text)
        return Reference(words, Counter(ngrams(words, int(self.kind))) if self.kind != "L" else {})

    def compare(self, output: Sequence[str], reference: Reference) -> Likeness:
        """Precision, recall or F1 of what they share."""
        order = 1 if self.kind == "L" else int(self.kind)
        if self.kind == "L":
            common = common_subsequence(reference.words, output)
        else:
            common = matches(ngrams(output, order), reference.counts)
        overlap = Overlap(common, ngram_total(len(output), order), ngram_total(len(reference.words), order))
        score = {"f1": overlap.f1, "precision": overlap.precision, "recall": overlap.recall}[self.measure]
        return Likeness(score, str(overlap))
