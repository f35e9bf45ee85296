"""What a judge may say, and what each verdict counts for."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from llmctl.canonical import plain, written

__all__ = [
    "BETTER",
    "PAIR",
    "PASS_FAIL",
    "TIE",
    "WORSE",
    "Labels",
    "Scale",
    "Scheme",
    "Verdict",
    "label_scheme",
    "pair_scheme",
    "scale_scheme",
]

Verdict = str | int
"""A label, or a grade of a scale."""

MAX_GRADES = 101
BETTER, TIE, WORSE = "better", "tie", "worse"
PAIR = ("A", "B", TIE)
"""What is said of two answers that are shown as A and B."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """The closed set of verdicts."""

    scores: Mapping[Verdict, float]
    """In the order in which they are offered."""
    passing: frozenset[Verdict]
    ordered: bool = False
    """Whether the verdicts are grades, from low to high."""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """All of them."""
        return tuple(self.scores)

    def summary(self, said: Sequence[Verdict]) -> Verdict:
        """One verdict for several votes: the median of grades (the lower of two), else the most frequent."""
        if self.ordered:
            order = self.verdicts
            return order[statistics.median_low([order.index(verdict) for verdict in said])]
        return statistics.mode(said)

    def read(self, text: str) -> Verdict | None:
        """The verdict that a person wrote, case and outer white space aside; None where it is none of them."""
        wanted = text.strip().casefold()
        return next((verdict for verdict in self.scores if str(verdict).casefold() == wanted), None)


PASS_FAIL = Scheme({"pass": 1.0, "fail": 0.0}, frozenset({"pass"}))


def scale_scheme(low: int, high: int, threshold: int) -> Scheme:
    """Grades from low to high, spread evenly over the scores from 0 to 1."""
    scores: dict[Verdict, float] = {grade: (grade - low) / (high - low) for grade in range(low, high + 1)}
    return Scheme(scores, frozenset(range(threshold, high + 1)), ordered=True)


def label_scheme(labels: Mapping[str, float | None], passing: Sequence[str]) -> Scheme:
    """Labels; one without a score of its own scores 1 where it passes and 0 where it does not."""
    scores: dict[Verdict, float] = {
        label: float(label in passing) if score is None else score for label, score in labels.items()
    }
    return Scheme(scores, frozenset(passing))


def pair_scheme(*, tie_passes: bool) -> Scheme:
    """What comes of both orders of a pair."""
    passing = {BETTER, TIE} if tie_passes else {BETTER}
    return Scheme({WORSE: 0.0, TIE: 0.5, BETTER: 1.0}, frozenset(passing), ordered=True)


def _scale(value: object) -> tuple[int, int]:
    ends: Sequence[object] = value if isinstance(value, list | tuple) else written(value).replace(" ", "").split("-")
    try:
        low, high = (int(written(end)) for end in ends)
    except (ValueError, TypeError):
        raise PydanticCustomError("scale", "must be two whole numbers, such as 1-5 or [1, 5]") from None
    if not 0 < high - low < MAX_GRADES:
        raise PydanticCustomError("scale", "must go up, over 2 to 101 grades")
    return low, high


Scale = Annotated[
    tuple[int, int],
    BeforeValidator(_scale),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\s*\d+\s*-\s*\d+\s*$"},
                {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
            ]
        }
    ),
]
"""The lowest and the highest grade: `1-5` or `[1, 5]`."""


def _labels(value: object) -> dict[str, float | None]:
    match value:
        case Mapping():
            labels: dict[str, float | None] = {written(label): _score(score) for label, score in value.items()}
        case list() | tuple() if all(isinstance(item, str | int | float) for item in value):
            labels = {written(item): None for item in value}
        case _:
            raise PydanticCustomError("labels", "must be a list of labels, or a mapping from labels to scores")
    folded = {label.strip().casefold() for label in labels}
    if len(folded) < max(2, len(value)) or "" in folded:
        raise PydanticCustomError("labels", "must be two or more labels that differ by more than case and white space")
    return labels


def _score(value: object) -> float:
    number = plain(value)
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 1:
        raise PydanticCustomError("labels", "must give each label a score from 0 to 1")
    return float(number)


_LABEL = {"type": ["string", "number", "boolean"]}
Labels = Annotated[
    Mapping[str, float | None],
    BeforeValidator(_labels),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": _LABEL, "minItems": 2},
                {"type": "object", "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}},
            ]
        }
    ),
]
"""Labels, with scores or without."""
