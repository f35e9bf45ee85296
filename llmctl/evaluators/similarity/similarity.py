"""What the graded measures of texts share: references, the best of several, a threshold, an explanation."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.texts import Texts, expected_texts, texts_problem
from llmctl.evaluators.wording import quote

__all__ = ["Likeness", "Similarity", "needs_threshold"]

Words = TypeVar("Words")
Reference = TypeVar("Reference")
_ROUNDING = 1e-12  # 0.1 + 0.2 must reach 0.3


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two texts are, from 0 to 1, and how that came about."""

    score: float
    detail: str = ""
    """The parts of the score, as an explanation shows them."""


@dataclass(frozen=True, slots=True)
class Similarity(Evaluator, Generic[Words, Reference]):
    """Scores how alike the output and the nearest reference are, and passes from a threshold on."""

    value_field: ClassVar = "value"
    reads: ClassVar = ("expected",)

    value: Texts | None = None
    """References; default: the case's `expected`."""
    threshold: float = 0.5
    """The smallest score that passes."""
    prepared: tuple[Reference, ...] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        needs_threshold(self.threshold)
        self.prepare_value()

    def prepare_value(self) -> None:
        """Prepare the evaluator's own references once, for all outputs."""
        if self.value is not None:
            object.__setattr__(self, "prepared", tuple(self.prepare(text) for text in self.value))

    @property
    @abstractmethod
    def measure_name(self) -> str:
        """What explanations call the score: `ROUGE-L F1`."""

    @abstractmethod
    def split(self, text: str) -> Words:
        """What is compared of an output: its words, say."""

    @abstractmethod
    def prepare(self, text: str) -> Reference:
        """What is compared of a reference: its words, and how often they occur, say."""

    @abstractmethod
    def compare(self, output: Words, reference: Reference) -> Likeness:
        """How alike an output and one reference are."""

    def score(self, context: Context) -> Score:
        """Compare the output with each reference; the best counts."""
        references = expected_texts(self.value, context)
        output = self.split(context.output)
        wanted = self.prepared or [self.prepare(text) for text in references]
        found = [self.compare(output, reference) for reference in wanted]
        best = max(found, key=lambda likeness: likeness.score)
        nearest = quote(references[found.index(best)].strip())
        count = len(references)
        whom = f"the reference, {nearest}" if count == 1 else f"the nearest of {count} references, {nearest}"
        return self.judged(best, context.output, whom)

    def judged(self, likeness: Likeness, output: str, whom: str) -> Score:
        """The score with its explanation.

        `ROUGE-L F1 0.6667 < 0.75 (precision 0.50, recall 1.00): "the cat" against the reference, "cat".`
        """
        value = min(1.0, max(0.0, likeness.score))
        passed = value >= self.threshold - _ROUNDING
        detail = f" ({likeness.detail})" if likeness.detail else ""
        return Score(
            value,
            passed,
            f"{self.measure_name} {value:.4f} {'≥' if passed else '<'} {self.threshold:g}{detail}: "
            f"{quote(output.strip())} against {whom}.",
        )

    def needs_expected(self) -> bool:
        """Without references of its own."""
        return self.value is None

    def expected_problem(self, expected: object) -> str | None:
        """Only text is compared with text."""
        return None if self.value is not None else texts_problem(expected)


def needs_threshold(threshold: float) -> None:
    """See that a threshold is a share above 0.

    Raises:
        ValueError: it is not.
    """
    if not 0 < threshold <= 1:
        raise ValueError("needs a `threshold` above 0 and at most 1; to measure without judging, give it `weight: 0`")
