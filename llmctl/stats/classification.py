"""How well answers name the right class: precision, recall and F1 by class and on average, kappa, MCC."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmctl.stats.agreement import Kappa, cohen_kappa
from llmctl.stats.intervals import Interval, wilson

__all__ = ["Averages", "ClassFigures", "Classification", "classification", "matthews"]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class. A figure whose denominator is 0 is None."""

    hits: int
    """Answers that name the class where it is right (true positives)."""
    expected: int
    """Answers where the class is right (support)."""
    answered: int
    """Answers that name the class."""
    precision: float | None
    """hits / answered."""
    recall: float | None
    """hits / expected."""
    f1: float | None
    """2 hits / (expected + answered)."""
    precision_interval: Interval | None
    recall_interval: Interval | None


@dataclass(frozen=True, slots=True)
class Averages:
    """Precision, recall and F1 over several classes; None where there is nothing to average."""

    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Classification:
    """All figures of one confusion matrix."""

    classes: tuple[ClassFigures, ...]
    total: int
    correct: int
    accuracy: float | None
    """correct / total."""
    accuracy_interval: Interval | None
    macro: Averages
    """The mean over classes, each weighing the same."""
    micro: Averages
    """Of all hits together."""
    weighted: Averages
    """The mean over classes, each weighing as many answers as expect it."""
    kappa: Kappa
    mcc: float | None


def classification(matrix: Sequence[Sequence[int]], *, cluster_size: float = 1.0) -> Classification:
    """The figures of a confusion matrix.

    Precision, recall and F1, and their macro, micro and weighted means, as in Sokolova and Lapalme (2009), A systematic
    analysis of performance measures for classification tasks, Information Processing and Management 45, 427-437; the
    macro F1 is the mean of the classes' F1, not the F1 of the means (Opitz and Burst, 2019, arXiv:1911.03347). A class
    that is neither expected nor answered is in no mean; elsewhere a precision or recall without a denominator counts
    as 0 in a mean, so that a class that is never answered lowers it. Cohen's kappa: see `cohen_kappa`. MCC: see
    `matthews`. Both count an answer beyond the classes as a class that is never right.

    Args:
        matrix: a row for each class that is expected, a column for each that is answered, in the same order; columns
            beyond the rows are answers that name none of the classes.
        cluster_size: how many answers stand, on average, in what is not independent (repeats of a case, cases of a
            group). The intervals (Wilson's) are as wide as if those always agreed: counts are divided by it.

    Raises:
        ValueError: rows differ in length or are shorter than their number, a count is negative, or the size is below 1.
    """
    size = len(matrix)
    width = len(matrix[0]) if matrix else 0
    if any(len(row) != width for row in matrix) or width < size or any(count < 0 for row in matrix for count in row):
        raise ValueError("a confusion matrix has a row of counts for each class, and at least as many columns as rows")
    if cluster_size < 1:
        raise ValueError(f"a cluster holds one answer or more, not {cluster_size}")
    columns = [sum(row[place] for row in matrix) for place in range(width)]
    classes = tuple(_class(row[place], sum(row), columns[place], cluster_size) for place, row in enumerate(matrix))
    total, correct = sum(columns), sum(one.hits for one in classes)
    square = [*map(list, matrix), *([0] * width for _ in range(width - size))]
    seen = [one for one in classes if one.expected or one.answered]
    return Classification(
        classes=classes,
        total=total,
        correct=correct,
        accuracy=_share(correct, total),
        accuracy_interval=wilson(correct / cluster_size, total / cluster_size),
        macro=_mean(seen, [1] * len(seen)),
        micro=_micro(correct, total, sum(one.answered for one in classes)),
        weighted=_mean(seen, [one.expected for one in seen]),
        kappa=cohen_kappa(square),
        mcc=matthews(square),
    )


def matthews(table: Sequence[Sequence[int]]) -> float | None:
    """Matthews' correlation of two raters on a k x k table, 1 for perfect, 0 for chance; None where one never varies.

    Gorodkin (2004), Comparing two K-category assignments by a K-category correlation coefficient, Computational Biology
    and Chemistry 28, 367-374, equation 8; for two classes it is the coefficient of Matthews (1975).
    """
    rows = [sum(row) for row in table]
    columns = [sum(row[place] for row in table) for place in range(len(table))]
    total, correct = sum(rows), sum(row[place] for place, row in enumerate(table))
    spread = (total**2 - sum(count**2 for count in rows)) * (total**2 - sum(count**2 for count in columns))
    if spread == 0:
        return None
    together = correct * total - sum(row * column for row, column in zip(rows, columns, strict=True))
    return together / math.sqrt(spread)


def _class(hits: int, expected: int, answered: int, cluster_size: float) -> ClassFigures:
    return ClassFigures(
        hits=hits,
        expected=expected,
        answered=answered,
        precision=_share(hits, answered),
        recall=_share(hits, expected),
        f1=_share(2 * hits, expected + answered),
        precision_interval=wilson(hits / cluster_size, answered / cluster_size),
        recall_interval=wilson(hits / cluster_size, expected / cluster_size),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _micro(correct: int, expected: int, answered: int) -> Averages:
    return Averages(_share(correct, answered), _share(correct, expected), _share(2 * correct, expected + answered))


def _mean(classes: Sequence[ClassFigures], weights: Sequence[int]) -> Averages:
    total = sum(weights)
    if total == 0:
        return Averages(None, None, None)

    def mean(figures: Iterable[float | None]) -> float:
        return math.fsum((figure or 0.0) * weight for figure, weight in zip(figures, weights, strict=True)) / total

    return Averages(
        mean(one.precision for one in classes), mean(one.recall for one in classes), mean(one.f1 for one in classes)
    )
