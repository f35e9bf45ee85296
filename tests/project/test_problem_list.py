"""A file in the wrong format says the same on every line: so many times, and then a count."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.errors import Place, Problem, Severity
from llmctl.project.problem_list import ProblemList, has_errors

FILE = Path("testbanks/t.csv")
ERROR = Problem("wrong", Place(FILE, 3))
WARNING = Problem("odd", Place(FILE, 4), severity=Severity.WARNING)


def said(limit: int, *problems: Problem, counted: int = 0) -> list[Problem]:
    target: list[Problem] = []
    problem_list = ProblemList(target, limit)
    for problem in problems:
        problem_list.add(problem)
    problem_list.count(counted)
    problem_list.close("in these files")
    return target


def test_below_the_limit_nothing_is_added() -> None:
    assert said(2, ERROR, WARNING) == [ERROR, WARNING]


@pytest.mark.parametrize(
    ("problems", "counted", "severity", "number"),
    [
        ((ERROR, ERROR, WARNING), 0, Severity.ERROR, 2),
        ((ERROR, WARNING, WARNING), 0, Severity.WARNING, 2),
        ((WARNING,), 1_000, Severity.ERROR, 1_000),
    ],
)
def test_the_rest_is_counted(problems: tuple[Problem, ...], counted: int, severity: Severity, number: int) -> None:
    first, last = said(1, *problems, counted=counted)
    assert first == problems[0]
    assert last == Problem(f"There are {number:,} more problems in these files.", Place(FILE), severity=severity)


def test_only_errors_keep_a_run_from_starting() -> None:
    assert has_errors([WARNING, ERROR])
    assert not has_errors([WARNING])
