"""Evaluators that read a label from the output: which one it is, and which ones the case accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from llmctl.evaluators.built import BuiltEvaluator
from llmctl.evaluators.fulfils import fulfils
from llmctl.evaluators.texts import as_texts
from llmctl.project.models import CaseReference

__all__ = ["LabelReader", "ReadsLabels", "case_labels", "label_reader"]


@runtime_checkable
class ReadsLabels(Protocol):
    """What an evaluator adds to its contract where the whole answer is one of a few labels.

    It passes exactly where the label that it reads is one of those that are accepted.
    """

    @property
    def value(self) -> Sequence[str] | None:
        """Accepted answers of its own; None: the case's `expected`."""

    def reads_labels(self) -> bool:
        """Whether that holds with these arguments."""

    def accepted_labels(self, texts: Sequence[str]) -> tuple[str, ...]:
        """The labels of accepted answers, in the form in which they are compared."""

    def label_of(self, output: str, accepted: tuple[str, ...]) -> str | None:
        """The label that the output is, in the same form; empty: there is no answer, None: it names none."""


@dataclass(frozen=True, slots=True)
class LabelReader:
    """Reads the labels of one metric."""

    evaluator: ReadsLabels
    extracts: bool
    """Whether `extract` takes the answer from the output first."""

    def read(self, output: str | None, extracted: str | None, accepted: tuple[str, ...]) -> str | None:
        """The label of a kept answer."""
        text = extracted if self.extracts or extracted is not None else output
        return self.evaluator.label_of(text, accepted) if text else ""


def label_reader(built: BuiltEvaluator) -> LabelReader | None:
    """How the evaluator reads labels; None where it does not, or compares with something else than `expected`."""
    evaluator, spec = built.evaluator, built.spec
    if not fulfils(evaluator, ReadsLabels) or not evaluator.reads_labels():
        return None
    if spec.has_against:
        own = not _from_expected(spec.against)
    else:
        own = evaluator.value is not None and not _from_expected(spec.args)
    return None if own else LabelReader(evaluator, built.extract is not None)


def case_labels(built: BuiltEvaluator, expected: object) -> tuple[str, ...]:
    """The labels that a case accepts; empty where they cannot be read."""
    evaluator = built.evaluator
    if not fulfils(evaluator, ReadsLabels):
        return ()
    texts = as_texts(built.against if built.has_against else expected) if evaluator.value is None else evaluator.value
    return evaluator.accepted_labels(texts) if texts else ()


def _from_expected(value: object) -> bool:
    """Whether the case's `expected`, or a part of it, stands there, alone or as the argument `value`."""
    if isinstance(value, Mapping):
        value = value.get("value")
    return isinstance(value, CaseReference) and value.path[0] == "expected"
