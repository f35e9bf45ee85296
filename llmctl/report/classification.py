"""Counts which class each answer names and which it should: a confusion matrix for each target and metric."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import add
from typing import Any

from llmctl.report.model import RunReport, TargetKey
from llmctl.runs.classes import MetricClasses
from llmctl.runs.records import MetricScore, ResultEvent
from llmctl.stats.classification import Averages, ClassFigures, Classification, classification
from llmctl.stats.intervals import Interval

__all__ = ["NO_ANSWER", "OTHER", "CellClasses", "ClassTally", "Confusion", "classification_json"]

OTHER, NO_ANSWER = "(other)", "(no answer)"
"""The columns of answers that are none of the labels, and of what has nothing to read: empty, refused, filtered, or
`extract` found nothing."""
_JSON_PAIRS = 20


@dataclass(frozen=True, slots=True)
class Confusion:
    """A label that was expected, and what was answered in its place."""

    expected: str
    answered: str
    count: int


@dataclass(frozen=True)
class CellClasses:
    """One metric of one target, counted."""

    key: TargetKey
    metric: str
    labels: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]
    """A row for each expected label; a column for each answered one, then `OTHER` and `NO_ANSWER`."""
    left_out: int
    """Results without evidence."""
    repeats: int
    """How many draws the cases have: each counts."""
    cluster_size: float = 1.0
    """How many results stand, on average, in what is not independent: a case with its repeats, or a group of cases."""

    @cached_property
    def figures(self) -> Classification:
        """Computed from the matrix."""
        return classification(self.matrix, cluster_size=self.cluster_size)

    @property
    def columns(self) -> tuple[str, ...]:
        """The titles of the matrix."""
        return (*self.labels, OTHER, NO_ANSWER)

    @property
    def confusions(self) -> list[Confusion]:
        """What was answered wrongly, the most frequent first."""
        found = [
            Confusion(expected, answered, count)
            for place, (expected, row) in enumerate(zip(self.labels, self.matrix, strict=True))
            for column, (answered, count) in enumerate(zip(self.columns, row, strict=True))
            if count and column != place
        ]
        return sorted(found, key=lambda one: -one.count)


class _Matrix:
    """The counts of one metric of one target: (classes + 2) x classes numbers, however many results there are."""

    __slots__ = ("_classes", "_counts", "_left_out", "_places", "_repeats")

    def __init__(self, classes: MetricClasses) -> None:
        self._classes = classes
        self._places = {label: place for place, label in enumerate(classes.labels)}
        self._counts = array("q", bytes(8 * len(classes.labels) * (len(classes.labels) + 2)))
        self._left_out = 0
        self._repeats = 1

    def add(self, result: ResultEvent, *, evidence: bool) -> None:
        accepted = self._classes.accepted.get(result.expected) if result.expected is not None else None
        score = None
        for one in result.scores:
            if one.metric == self._classes.metric:
                score = one
        if not accepted or (score is None and result.scores):
            return  # the case does not have this metric, or expects nothing of it
        self._repeats = max(self._repeats, result.repeat)
        if not evidence or (score is not None and score.score is None):
            self._left_out += 1
            return
        label = self._read(result, score, accepted)
        expected = label if label in accepted else accepted[0]
        self._counts[self._places[expected] * (len(self._places) + 2) + self._column(label)] += 1

    def merge(self, other: _Matrix) -> None:
        self._repeats = max(self._repeats, other._repeats)
        self._left_out += other._left_out
        self._counts = array("q", map(add, self._counts, other._counts))

    def _read(self, result: ResultEvent, score: MetricScore | None, accepted: tuple[str, ...]) -> str | None:
        """What the evaluator read; nothing where it was not asked, because the provider refused."""
        if score is None:
            return ""
        if score.passed and len(accepted) == 1:
            return accepted[0]
        return self._classes.reader.read(result.output, score.extracted, accepted)

    def _column(self, label: str | None) -> int:
        if label == "":
            return len(self._places) + 1
        return len(self._places) if label is None else self._places.get(label, len(self._places))

    def counted(self, key: TargetKey, cluster_size: float) -> CellClasses:
        labels, width = self._classes.labels, len(self._places) + 2
        rows = tuple(tuple(self._counts[row * width : (row + 1) * width]) for row in range(len(labels)))
        return CellClasses(key, self._classes.metric, labels, rows, self._left_out, self._repeats, cluster_size)


class ClassTally:
    """Counts results as they come, where their bank has metrics with classes."""

    def __init__(self, classes: Iterable[MetricClasses]) -> None:
        self._by_bank: dict[str, list[MetricClasses]] = {}
        for one in classes:
            self._by_bank.setdefault(one.bank, []).append(one)
        self._cells: dict[tuple[str, str, str], list[_Matrix]] = {}

    def add(self, result: ResultEvent, *, evidence: bool) -> None:
        """Count a result."""
        if result.bank not in self._by_bank:
            return
        name = (result.bank, result.prompt, result.model)
        cell = self._cells.get(name)
        if cell is None:
            cell = self._cells[name] = [_Matrix(classes) for classes in self._by_bank[result.bank]]
        for matrix in cell:
            matrix.add(result, evidence=evidence)

    def merge(self, other: ClassTally) -> None:
        """Count all that another one of the same plan has counted."""
        for name, cell in other._cells.items():
            if name in self._cells:
                for own, more in zip(self._cells[name], cell, strict=True):
                    own.merge(more)
            else:
                self._cells[name] = cell

    def report(self, cluster_size: Callable[[TargetKey], float]) -> tuple[CellClasses, ...]:
        """What was counted, by target; nothing of a target without an answer."""
        return tuple(cell for cell in self._counted(cluster_size) if cell.figures.total)

    def _counted(self, cluster_size: Callable[[TargetKey], float]) -> Iterator[CellClasses]:
        for name, cell in sorted(self._cells.items(), key=lambda item: item[0]):
            key = TargetKey(*name)
            size = cluster_size(key)
            for matrix in cell:
                yield matrix.counted(key, size)


def classification_json(report: RunReport) -> list[dict[str, Any]]:
    """All of it as data."""
    return [_cell_json(cell) for cell in report.classifications]


def _cell_json(cell: CellClasses) -> dict[str, Any]:
    figures = cell.figures
    return {
        "bank": cell.key.bank,
        "prompt": cell.key.prompt,
        "model": cell.key.model,
        "metric": cell.metric,
        "results": figures.total,
        "correct": figures.correct,
        "without_evidence": cell.left_out,
        "draws": cell.repeats,
        "cluster_size": cell.cluster_size,
        "accuracy": figures.accuracy,
        "accuracy_interval_95": _interval(figures.accuracy_interval),
        "macro": _averages(figures.macro),
        "micro": _averages(figures.micro),
        "weighted": _averages(figures.weighted),
        "kappa": figures.kappa.value,
        "kappa_interval_95": _interval(figures.kappa.interval),
        "mcc": figures.mcc,
        "classes": [_class(label, one) for label, one in zip(cell.labels, figures.classes, strict=True)],
        "confusion": {"expected": list(cell.labels), "answered": list(cell.columns), "counts": _lists(cell.matrix)},
        "most_confused": [
            {"expected": one.expected, "answered": one.answered, "count": one.count}
            for one in cell.confusions[:_JSON_PAIRS]
        ],
    }


def _class(label: str, figures: ClassFigures) -> dict[str, Any]:
    return {
        "label": label,
        "expected": figures.expected,
        "answered": figures.answered,
        "correct": figures.hits,
        "precision": figures.precision,
        "precision_interval_95": _interval(figures.precision_interval),
        "recall": figures.recall,
        "recall_interval_95": _interval(figures.recall_interval),
        "f1": figures.f1,
    }


def _averages(averages: Averages) -> dict[str, float | None]:
    return {"precision": averages.precision, "recall": averages.recall, "f1": averages.f1}


def _interval(interval: Interval | None) -> list[float] | None:
    return [interval.low, interval.high] if interval else None


def _lists(matrix: Sequence[Sequence[int]]) -> list[list[int]]:
    return [list(row) for row in matrix]
