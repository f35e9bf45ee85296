"""The output means the same as the accepted answer, by the nearness of their embeddings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import ClassVar, Literal

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score, Scored, Vector
from llmctl.evaluators.similarity.blind_spots import unseen_difference
from llmctl.evaluators.texts import Texts, expected_texts, texts_problem
from llmctl.evaluators.wording import quote
from llmctl.project.models import EvaluatorSettings

__all__ = ["Semantic"]

_UNIT = 1.01  # a cosine beyond it comes from vectors that are not of unit length


@dataclass(frozen=True, slots=True)
class Semantic(Evaluator):
    """The output is close in meaning to the accepted answer, or to the closest of several."""

    name: ClassVar = "semantic"
    value_field: ClassVar = "value"
    reads: ClassVar = ("expected",)

    value: Texts | None = None
    """References; default: the case's `expected`."""
    threshold: float = 0.8
    """The smallest similarity that passes; default: `[semantic] threshold` of `llmctl.toml`."""
    measure: Literal["cosine", "dot", "euclidean"] = "cosine"
    """`euclidean` is 1 / (1 + distance); `dot` is the cosine, since the vectors have length 1."""

    @classmethod
    def defaults(cls, settings: EvaluatorSettings) -> Mapping[str, object]:
        """Arguments that the project's settings stand in for."""
        return {"threshold": settings.semantic.threshold}

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError("needs a `threshold` above 0 and at most 1 (a similarity, not a distance)")

    def score(self, context: Context) -> Scored:
        """Embed the output and the references, and take the best cosine."""
        references = expected_texts(self.value, context)
        if not context.output.strip():
            return Score(0.0, False, "The output is empty.")
        return self._score(context, references)

    async def _score(self, context: Context, references: Sequence[str]) -> Score:
        if context.embed is None:
            raise EvaluatorError("there is no embedding model here")
        vectors = await context.embed([context.output, *references])
        if len(vectors) != len(references) + 1:
            raise EvaluatorError(f"the embedding model gave {len(vectors)} vectors for {len(references) + 1} texts")
        similarities = [self._similarity(vectors[0], vector) for vector in vectors[1:]]
        best = max(similarities)
        reference = references[similarities.index(best)]
        passed = best >= self.threshold
        sign = "≥" if passed else "<"
        nearest = "the reference" if len(references) == 1 else f"the nearest of {len(references)} references"
        said = (
            f"Similarity {best:.4f} {sign} {self.threshold:g} of {quote(context.output.strip())} "
            f"to {nearest}, {quote(reference)}."
        )
        warning = unseen_difference(context.output, reference) if passed else None
        return Score(best, passed, f"{said} {warning}" if warning else said)

    def _similarity(self, one: Vector, other: Vector) -> float:
        cosine = _cosine(one, other)
        return 1 / (1 + math.dist(one, other)) if self.measure == "euclidean" else cosine

    def needs_expected(self) -> bool:
        """Without a value of its own."""
        return self.value is None

    def embeds(self) -> bool:
        """Always."""
        return True

    def expected_problem(self, expected: object) -> str | None:
        """Only text has an embedding."""
        return None if self.value is not None else texts_problem(expected)


def _cosine(one: Vector, other: Vector) -> float:
    """The cosine of two unit vectors, with what lies below 0 as 0."""
    if len(one) != len(other):
        raise EvaluatorError("the embedding model gave vectors of different lengths")
    cosine = math.fsum(map(mul, one, other))
    if not cosine <= _UNIT:  # also NaN
        raise EvaluatorError(f"the embedding model gave vectors whose cosine is {cosine:g}")
    return min(1.0, max(0.0, cosine))
