"""Which metrics of a run sort answers into classes: those that compare the answer with a few expected labels.

A metric does where its evaluator reads labels (`llmctl.evaluators.labels`), is the same for all cases of its bank that
have it, and the cases expect 2 to 50 short labels, each of them twice or more on average.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmctl.canonical import from_json, written
from llmctl.errors import ProjectError
from llmctl.evaluators import registry
from llmctl.evaluators.built import BuiltEvaluator
from llmctl.evaluators.labels import LabelReader, case_labels, label_reader
from llmctl.evaluators.specification import specification, specification_of
from llmctl.project.models import Case, EvaluatorSettings, EvaluatorSpec

if TYPE_CHECKING:
    from llmctl.runs.history import History

__all__ = ["MAX_EXPECTED", "ClassFinder", "MetricClasses", "classes_of_run"]

_MAX_LABELS = 50
MAX_EXPECTED = 200
"""How many expected answers, each a label or a list of them, may make up the labels."""
_MAX_CHARACTERS = 60
_CASES_PER_LABEL = 2


@dataclass(frozen=True, slots=True)
class MetricClasses:
    """The classes of one metric of a bank."""

    bank: str
    metric: str
    labels: tuple[str, ...]
    """As they are compared, numbers by size and then texts by the alphabet."""
    accepted: Mapping[str, tuple[str, ...]]
    """The labels that a case accepts, by its expected answer as results have it; the first is the one it counts for."""
    reader: LabelReader


@dataclass(slots=True)
class _Metric:
    """What is known so far; `reader` None: it is no metric with classes."""

    spec: EvaluatorSpec
    reader: LabelReader | None
    cases: int = 0
    labels: set[str] = field(default_factory=set)
    accepted: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, built: BuiltEvaluator, expected: object, cases: int) -> None:
        if built.spec is not self.spec and specification(built.spec) != specification(self.spec):
            self.reader = None
            return
        text = written(expected)
        if text not in self.accepted:
            labels = case_labels(built, expected)
            self.accepted[text] = labels
            self.labels.update(labels)
            if not (labels and all(map(_is_label, labels)) and self._is_small()):
                self.reader = None
                return
        self.cases += cases

    def _is_small(self) -> bool:
        return len(self.labels) <= _MAX_LABELS and len(self.accepted) <= MAX_EXPECTED

    def is_classified(self) -> bool:
        return len(self.labels) > 1 and self.cases >= _CASES_PER_LABEL * len(self.labels)


def _is_label(text: str) -> bool:
    return 0 < len(text) <= _MAX_CHARACTERS and "\n" not in text


class ClassFinder:
    """Looks at each planned case and its evaluators; small however many there are."""

    def __init__(self) -> None:
        self._metrics: dict[tuple[str, str], _Metric] = {}

    def add(self, built: BuiltEvaluator, case: Case, *, cases: int = 1) -> None:
        """Note one evaluator of a case; `cases`: of how many that are alike."""
        if not case.has_expected:
            return
        name = (case.bank, built.metric)
        metric = self._metrics.get(name)
        if metric is None:
            metric = self._metrics[name] = _Metric(built.spec, label_reader(built))
        if metric.reader is not None:
            metric.add(built, case.expected, cases)

    @property
    def found(self) -> tuple[MetricClasses, ...]:
        """The metrics with classes, in the order of their banks."""
        return tuple(self._found())

    def _found(self) -> Iterator[MetricClasses]:
        for (bank, name), metric in self._metrics.items():
            if metric.reader is not None and metric.is_classified():
                labels = tuple(sorted(metric.labels, key=_order))
                yield MetricClasses(bank, name, labels, metric.accepted, metric.reader)


def _order(label: str) -> tuple[bool, float, str]:
    if label.isascii() and label.removeprefix("-").isdigit():
        return (False, float(label), label)
    return (True, 0.0, label)


def classes_of_run(history: History, run_id: str, settings: EvaluatorSettings) -> tuple[MetricClasses, ...]:
    """The same for a run of before, from what is kept of its cases."""
    finder = ClassFinder()
    specs: dict[str, tuple[EvaluatorSpec, ...]] = {}
    for group in history.expected(run_id, MAX_EXPECTED):
        if group.evaluators not in specs:
            specs[group.evaluators] = tuple(map(specification_of, from_json(group.evaluators)))
        case = Case(group.bank, "", {}, specs[group.evaluators], group.expected, has_expected=True)
        for spec in case.evaluators:
            try:
                built = registry.build(spec, case, settings)
            except ProjectError:  # it takes something of the case that is not kept here, or is no evaluator of today
                continue
            finder.add(built, case, cases=group.cases)
    return finder.found
