"""A mistake that many cases have is said once."""

from __future__ import annotations

from pathlib import Path

from llmctl.errors import Place, Problem
from llmctl.project.models import Case
from llmctl.runs.case_problems import CaseProblems, same_objects

HERE, THERE = Place(Path("a.yaml"), 3, 5), Place(Path("a.yaml"), 4, 5)


def said(*found: tuple[str, Problem]) -> list[Problem]:
    gathered, problems = CaseProblems(), list[Problem]()
    for case_id, problem in found:
        gathered.add([problem], Case("a", case_id, {}, ()))
    gathered.close(problems, "a")
    return problems


def test_the_first_case_is_named_and_the_others_are_counted() -> None:
    bad = Problem("The pattern is broken.", HERE, "Mend it.")
    assert said(("c0", bad)) == [bad]
    assert said(("c0", bad), ("c1", bad)) == [
        Problem('The pattern is broken (case "c0" and 1 more case).', HERE, "Mend it.")
    ]
    [many] = said(*((f"c{number}", bad) for number in range(2_001)))
    assert many.message == 'The pattern is broken (case "c0" and 2,000 more cases).'


def test_another_place_or_another_sentence_is_another_problem() -> None:
    some = [Problem("A.", HERE), Problem("A.", THERE), Problem("B.", HERE)]
    assert said(*(("c0", problem) for problem in some)) == some


def test_beyond_two_hundred_they_are_counted() -> None:
    problems = said(*((f"c{number}", Problem(f"Case {number} is broken.", HERE)) for number in range(203)))
    assert len(problems) == 201
    assert problems[-1].message == "There are 3 more problems in the cases of the bank a."


def test_the_same_objects_are_not_equal_ones() -> None:
    one, other = [1], [1]
    assert same_objects([one], (one,))
    assert not same_objects([one], [other])
    assert not same_objects([one], [one, one])
