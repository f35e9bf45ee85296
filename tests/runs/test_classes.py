"""Which metrics have classes: the rule of few labels, and one configuration for all cases of a bank."""

from __future__ import annotations

from typing import Any

import pytest

from llmctl.evaluators import registry
from llmctl.runs.classes import ClassFinder, MetricClasses
from tests.evaluators.entries import SETTINGS, case_of, spec_of


def found(entry: Any, expected: list[Any], **finder: Any) -> tuple[MetricClasses, ...]:
    classes, spec = ClassFinder(), spec_of(entry)
    for number, value in enumerate(expected):
        case = case_of({"id": f"c{number}", "expected": value})
        classes.add(registry.build(spec, case, SETTINGS), case, **finder)
    return classes.found


def test_labels_are_what_the_cases_accept_in_the_form_of_the_evaluator() -> None:
    expected = ["Billing", "shipping", "BILLING", ["other", "Shipping"], "Billing", "Billing"]
    [one] = found({"exact": {"ignore_case": True}}, expected)
    assert (one.bank, one.metric) == ("t", "exact")
    assert one.labels == ("billing", "other", "shipping")
    assert one.accepted == {
        "Billing": ("billing",),
        "BILLING": ("billing",),
        "shipping": ("shipping",),
        '["other","Shipping"]': ("other", "shipping"),
    }


def test_numbers_stand_by_size() -> None:
    assert found("exact", [10, 9, 1, "none", 10, 9, 1, "none"])[0].labels == ("1", "9", "10", "none")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("exact", ["a", "a", "a"]),
        ("exact", ["a", "b", "c"]),
        ("exact", ["a", "b", "a", "c", "a"]),
        ("exact", [str(number) for number in range(51)] * 2),
        ("exact", ["a" * 61, "b", "b", "a" * 61]),
        ("exact", ["a\nb", "b", "b", "a\nb"]),
        ("contains_any", ["a", "b", "a", "b"]),
        ({"not": "exact"}, ["a", "b", "a", "b"]),
    ],
)
def test_what_has_no_classes(entry: Any, expected: list[Any]) -> None:
    assert found(entry, expected) == ()


def test_fifty_labels_are_enough_and_cases_that_are_alike_may_come_together() -> None:
    assert len(found("exact", [str(number) for number in range(50)], cases=2)[0].labels) == 50


def test_a_metric_that_is_not_the_same_for_all_cases_has_none() -> None:
    classes = ClassFinder()
    for entry in ("exact", {"exact": {"ignore_case": True}}):
        for value in ("a", "b", "a", "b"):
            case = case_of({"expected": value})
            classes.add(registry.build(spec_of(entry), case, SETTINGS), case)
    assert classes.found == ()


def test_equal_evaluators_of_single_cases_are_one_metric() -> None:
    classes = ClassFinder()
    for value in ("a", "b", "a", "b"):
        case = case_of({"expected": value})
        classes.add(registry.build(spec_of("exact"), case, SETTINGS), case)
    assert [one.labels for one in classes.found] == [("a", "b")]
