"""BLEU: runs of one to four words of the output that stand in the references, and a penalty for being too short."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from llmctl.evaluators.base import Context, Score
from llmctl.evaluators.similarity.ngrams import matches, ngram_total, ngrams
from llmctl.evaluators.similarity.similarity import Likeness, Similarity, needs_threshold
from llmctl.evaluators.similarity.words import mteval_words, plain_words
from llmctl.evaluators.texts import expected_texts
from llmctl.evaluators.wording import listed

__all__ = ["Bleu"]

_ORDERS = (1, 2, 3, 4)
_NEARLY_ZERO = 1e-7  # promptfoo's precision where no run of a length is common


@dataclass(frozen=True, slots=True)
class Reference:
    """How many words a reference has, and how often each run of one to four of them occurs."""

    length: int
    counts: Mapping[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class Matched:
    """Of the output's runs of one length: how many stand in the references, and how many there are."""

    common: int
    total: int


@dataclass(frozen=True, slots=True)
class Bleu(Similarity[Sequence[str], Reference]):
    """The output shares runs of one to four words with the references and is not too short (BLEU)."""

    name: ClassVar = "bleu"

    variant: Literal["sacrebleu", "promptfoo"] = "sacrebleu"
    """Whose formula: that of sacrebleu, by which scores are comparable, or promptfoo's own."""
    ignore_case: bool = False
    """`promptfoo` always ignores it."""
    tokenize: Literal["13a", "whitespace", "characters"] = "13a"
    """Words as in WMT's `mteval-v13a.pl`, words between white space, or characters."""
    smooth: Literal["exp", "floor", "none"] = "exp"
    """What counts where no run of a length is common (Chen and Cherry, 2014: method 3, method 1 with 0.1, none)."""
    effective_order: bool = True
    """Leave out lengths that the output is too short for; false: such an output scores 0, as in corpus BLEU."""

    def __post_init__(self) -> None:
        needs_threshold(self.threshold)
        if self.variant == "promptfoo" and (self.tokenize, self.smooth, self.effective_order) != ("13a", "exp", True):
            raise ValueError("has its own `tokenize`, `smooth` and `effective_order` with `variant: promptfoo`")
        self.prepare_value()

    @property
    def measure_name(self) -> str:
        """The measure."""
        return "BLEU"

    def split(self, text: str) -> Sequence[str]:
        """Its words."""
        if self.variant == "promptfoo":
            return plain_words(text)
        text = text.lower() if self.ignore_case else text
        if self.tokenize == "13a":
            return mteval_words(text)
        return text.split() if self.tokenize == "whitespace" else "".join(text.split())

    def prepare(self, text: str) -> Reference:
        """Its words and runs of words."""
        words = self.split(text)
        return Reference(len(words), Counter(run for order in _ORDERS for run in ngrams(words, order)))

    def compare(self, output: Sequence[str], reference: Reference) -> Likeness:
        """BLEU with one reference."""
        return self._joint(output, [reference])

    def score(self, context: Context) -> Score:
        """Compare the output with all references together."""
        texts = expected_texts(self.value, context)
        references = self.prepared or [self.prepare(text) for text in texts]
        whom = f"the {'reference' if len(texts) == 1 else f'{len(texts)} references'}, {listed(texts)}"
        return self.judged(self._joint(self.split(context.output), references), context.output, whom)

    def _joint(self, output: Sequence[str], references: Sequence[Reference]) -> Likeness:
        if self.variant == "promptfoo":
            matched = [_best_reference(output, references, order) for order in _ORDERS]
        else:
            matched = list(_any_reference(output, references))
        usable = [one for one in matched if one.total]
        if not usable or (self.variant == "sacrebleu" and not any(one.common for one in usable)):
            return Likeness(0.0, "no word in common")
        penalty = _brevity_penalty(len(output), [reference.length for reference in references])
        precisions = self._precisions(usable)
        missing = len(_ORDERS) - len(usable)
        if (missing and not self.effective_order) or 0.0 in precisions:
            score = 0.0
        else:
            score = penalty * math.exp(sum(map(math.log, precisions)) / len(precisions))
        shown = "/".join(f"{precision:.2f}" for precision in precisions)
        return Likeness(score, f"precisions {shown}, brevity penalty {penalty:.2f}")

    def _precisions(self, usable: Sequence[Matched]) -> list[float]:
        """The share of runs of each length that is common, smoothed."""
        if self.variant == "promptfoo":
            return [one.common / one.total or _NEARLY_ZERO for one in usable]
        found, halved = [], 1.0
        for one in usable:
            if one.common:
                found.append(one.common / one.total)
            elif self.smooth == "exp":
                halved /= 2
                found.append(halved / one.total)
            else:
                found.append(0.1 / one.total if self.smooth == "floor" else 0.0)
        return found


def _any_reference(output: Sequence[str], references: Sequence[Reference]) -> Iterator[Matched]:
    """A run is common as often as in the reference that has it most often (Papineni et al., 2002, section 2.1)."""
    merged: dict[tuple[str, ...], int] = dict(references[0].counts)
    for reference in references[1:]:
        for run, count in reference.counts.items():
            merged[run] = max(count, merged.get(run, 0))
    for order in _ORDERS:
        yield Matched(matches(ngrams(output, order), merged), ngram_total(len(output), order))


def _best_reference(output: Sequence[str], references: Sequence[Reference], order: int) -> Matched:
    """The runs are those common with one reference, with which there are most."""
    common = max(matches(ngrams(output, order), reference.counts) for reference in references)
    return Matched(common, ngram_total(len(output), order))


def _brevity_penalty(length: int, references: Sequence[int]) -> float:
    """1, or less where the output is shorter than the reference of the nearest length (of two, the shorter)."""
    nearest = min(references, key=lambda reference: (abs(reference - length), reference))
    return 1.0 if length >= nearest else math.exp(1 - nearest / length) if length else 0.0
