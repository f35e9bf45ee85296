"""Which label an evaluator reads, and which a case accepts: it passes exactly where the one is among the others."""

from __future__ import annotations

from typing import Any

import pytest

from llmctl.evaluators import registry
from llmctl.evaluators.built import Judged
from llmctl.evaluators.labels import case_labels, label_reader
from llmctl.evaluators.verdict import Subject

from .entries import SETTINGS, case_of, spec_of

READ = [
    ("exact", "billing", " billing\n", "billing"),
    ("exact", "billing", "Billing", "Billing"),
    ({"exact": {"ignore_case": True}}, "Billing", "BILLING", "billing"),
    ({"exact": {"trim_punctuation": True}}, "billing", "**billing.**", "billing"),
    ({"exact": {"ignore": "queue: "}}, "billing", "queue: shipping", "shipping"),
    ({"exact": None, "extract": "/q"}, "billing", '{"q": "shipping"}', "shipping"),
    ({"exact": None, "extract": "/q"}, "billing", "billing", ""),
    ({"exact": None, "extract": "/q"}, "billing", '{"q": ""}', ""),
    ({"exact": None, "against": {"from": "expected.q"}}, {"q": "billing"}, "shipping", "shipping"),
    ({"exact": {"from": "expected.q"}}, {"q": "billing"}, "billing", "billing"),
    ("exact", ["billing", "money"], "money", "money"),
    ("exact", "billing", "", ""),
    ("choice", "B", "I think so.\nANSWER: (b)", "B"),
    ("choice", "B", "I do not know", None),
    ("choice", "B", "  ", ""),
    ("choice", "A,C", "ANSWER: CA", "A,C"),
    ("choice", "A,C", "ANSWER: A", "A"),
    ("choice", "B", "ANSWER: AC", None),
    ({"choice": {"choices": ["Paris", "Rome"]}}, "Rome", "Rome", "B"),
    ({"choice": {"choices": "ABCD", "pattern": "<(.)>"}}, "A", "<B> <A>", "A"),
    ({"choice": {"choices": "ABCD", "pattern": "<(.)>"}}, "A", "A", None),
]


@pytest.mark.parametrize(("entry", "expected", "output", "label"), READ)
def test_the_label_that_was_looked_at(entry: Any, expected: Any, output: str, label: str | None) -> None:
    case = case_of({"expected": expected})
    built = registry.build(spec_of(entry), case, SETTINGS)
    reader = label_reader(built)
    assert reader is not None
    judged = built.judge(Subject(output, expected=expected, has_expected=True).context())
    assert isinstance(judged, Judged)
    accepted = case_labels(built, expected)
    read = reader.read(output, judged.extracted, accepted)
    assert read == label
    assert judged.passed == (read in accepted)


@pytest.mark.parametrize(
    "entry",
    [
        {"contains": "a"},
        {"one_of": ["a", "b"]},
        {"not": "exact"},
        {"any": ["exact", "choice"]},
        {"exact": "a"},
        {"exact": {"value": "a"}},
        {"choice": "A"},
        {"exact": {"from": "vars.x"}},
        {"exact": None, "against": "a"},
        {"exact": None, "against": {"from": "vars.x"}},
        {"exact": {"either_contains": True}},
    ],
)
def test_what_compares_with_something_else_reads_no_labels(entry: Any) -> None:
    case = case_of({"expected": "A", "vars": {"x": "A"}})
    assert label_reader(registry.build(spec_of(entry), case, SETTINGS)) is None
