"""How far raters agree: shares, Cohen's kappa, Krippendorff's alpha, sensitivity and specificity."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, TypeVar

from llmctl.stats.intervals import Interval, wilson

__all__ = [
    "Binary",
    "Kappa",
    "Level",
    "Rate",
    "agreement",
    "binary",
    "cohen_kappa",
    "confusion",
    "krippendorff_alpha",
]

Level = Literal["nominal", "ordinal", "interval", "ratio"]
_Value = TypeVar("_Value", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95 % interval (Wilson's); both None where nothing was counted."""

    count: int
    total: int

    @property
    def value(self) -> float | None:
        """The share."""
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> Interval | None:
        """Of the share."""
        return wilson(self.count, self.total)


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa with its interval; `value` None where chance alone would agree always."""

    value: float | None
    interval: Interval | None
    """Its bounds lie in [-1, 1]."""


@dataclass(frozen=True, slots=True)
class Binary:
    """A judge against the truth, where both say yes or no."""

    both: int
    """Both yes."""
    judge_only: int
    """The judge yes, the truth no."""
    truth_only: int
    """The judge no, the truth yes."""
    neither: int

    @property
    def sensitivity(self) -> Rate:
        """Of what is truly yes, the share of which the judge says yes."""
        return Rate(self.both, self.both + self.truth_only)

    @property
    def specificity(self) -> Rate:
        """Of what is truly no, the share of which the judge says no."""
        return Rate(self.neither, self.neither + self.judge_only)


def binary(pairs: Sequence[tuple[bool, bool]]) -> Binary:
    """Count pairs of (truth, judge)."""
    counts = Counter(pairs)
    return Binary(counts[True, True], counts[False, True], counts[True, False], counts[False, False])


def confusion(pairs: Sequence[tuple[_Value, _Value]], categories: Sequence[_Value]) -> list[list[int]]:
    """The k x k table of pairs: a row for what the first rater said, a column for the second, in the given order."""
    counts = Counter(pairs)
    return [[counts[row, column] for column in categories] for row in categories]


def agreement(table: Sequence[Sequence[int]]) -> Rate:
    """The share of the items of a k x k table on which both raters say the same."""
    return Rate(sum(row[place] for place, row in enumerate(table)), sum(map(sum, table)))


def cohen_kappa(
    table: Sequence[Sequence[int]], *, weights: Literal["quadratic", "linear"] | None = None, confidence: float = 0.95
) -> Kappa:
    """Agreement of two raters beyond chance, on a k x k table whose categories are in order where weights are used.

    Cohen (1960), Educational and Psychological Measurement 20, 37-46; weighted: Cohen (1968), Psychological Bulletin
    70, 213-220. The interval is the large-sample one of Fleiss, Cohen and Everitt (1969), Psychological Bulletin 72,
    323-327, equation 13. Its width is 0 where agreement is perfect or absent: there the bounds are those of Wilson's
    interval of the observed agreement, at the same agreement by chance.

    Raises:
        ValueError: the table is not square, or a count is negative.
    """
    size, total = len(table), sum(map(sum, table))
    if any(len(row) != size for row in table) or any(count < 0 for row in table for count in row):
        raise ValueError("kappa is of a square table of counts")
    if total == 0:
        return Kappa(None, None)
    shares = [[count / total for count in row] for row in table]
    rows = [sum(row) for row in shares]
    columns = [sum(row[place] for row in shares) for place in range(size)]
    weight = _weight(weights, size)
    cells = [(row, column) for row in range(size) for column in range(size)]
    observed = math.fsum(weight(row, column) * shares[row][column] for row, column in cells)
    chance = math.fsum(weight(row, column) * rows[row] * columns[column] for row, column in cells)
    if math.isclose(chance, 1.0, abs_tol=1e-12):
        return Kappa(None, None)
    kappa = (observed - chance) / (1 - chance)
    mean_of_row = [math.fsum(weight(row, column) * columns[column] for column in range(size)) for row in range(size)]
    mean_of_column = [math.fsum(weight(row, column) * rows[row] for row in range(size)) for column in range(size)]
    variance = (
        math.fsum(
            shares[row][column] * (weight(row, column) - (mean_of_row[row] + mean_of_column[column]) * (1 - kappa)) ** 2
            for row, column in cells
        )
        - (kappa - chance * (1 - kappa)) ** 2
    )
    error = math.sqrt(max(0.0, variance) / total) / (1 - chance)
    if error < 1e-9:
        return Kappa(kappa, _without_error(observed, chance, total, confidence))
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return Kappa(kappa, Interval(max(-1.0, kappa - reach), min(1.0, kappa + reach)))


def _weight(kind: str | None, size: int) -> Callable[[int, int], float]:
    """How much two categories count as agreeing."""
    if kind is None:
        return lambda row, column: float(row == column)
    power = 2 if kind == "quadratic" else 1
    return lambda row, column: 1 - (abs(row - column) / max(1, size - 1)) ** power


def _without_error(observed: float, chance: float, total: int, confidence: float) -> Interval | None:
    bounds = wilson(min(1.0, max(0.0, observed)) * total, total, confidence)
    if bounds is None:
        return None
    low, high = ((bound - chance) / (1 - chance) for bound in (bounds.low, bounds.high))
    return Interval(max(-1.0, low), min(1.0, high))


def krippendorff_alpha(units: Sequence[Sequence[float]], level: Level = "nominal") -> float | None:
    """Agreement of any number of raters, of whom any may have left out an item; None where it says nothing.

    1 is perfect agreement, 0 what chance gives; below 0 they disagree on purpose. Krippendorff (2011), Computing
    Krippendorff's Alpha-Reliability, University of Pennsylvania, departmental papers 43; coincidences as in its
    section C, the metric differences of section D.

    Args:
        units: for each item the values that its raters gave, those who gave none left out. For nominal data any
            number may stand for a category.
        level: how far two values differ.

    Returns:
        None where fewer than two values can be paired, or all that can are the same value.
    """
    paired = [values for values in units if len(values) > 1]
    margins = Counter(value for values in paired for value in values)
    total = sum(margins.values())
    difference = _difference(level, margins)
    ordered = sorted(margins)
    expected = math.fsum(margins[one] * margins[other] * difference(one, other) for one in ordered for other in ordered)
    if total < 2 or expected == 0:
        return None
    observed = math.fsum(_disagreement(values, difference) for values in paired)
    return 1 - (total - 1) * observed / expected


def _disagreement(values: Sequence[float], difference: Callable[[float, float], float]) -> float:
    """Of the pairs of different raters of one item, each rater weighing the same."""
    counts = Counter(values)
    pairs = math.fsum(counts[one] * counts[other] * difference(one, other) for one in counts for other in counts)
    return pairs / (len(values) - 1)


def _difference(level: Level, margins: Counter[float]) -> Callable[[float, float], float]:
    """The squared difference of two values."""
    if level == "nominal":
        return lambda one, other: float(one != other)
    if level == "interval":
        return lambda one, other: (one - other) ** 2
    if level == "ratio":
        return lambda one, other: ((one - other) / (one + other)) ** 2 if one + other else 0.0
    below, reached = {}, 0.0
    for value in sorted(margins):
        below[value] = reached + margins[value] / 2  # the ranks between two values, each end counted half
        reached += margins[value]
    return lambda one, other: (below[one] - below[other]) ** 2
