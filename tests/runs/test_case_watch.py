"""What `validate` finds in cases while they are read for something else."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmctl.errors import Place, Problem, Severity
from llmctl.project.models import Bank, Case, CaseReference, EvaluatorSettings, EvaluatorSpec, Message, Prompt
from llmctl.runs.case_watch import CaseWatch

FILE = Path("testbanks/b.jsonl")
PROMPT = Prompt("p", Path("prompts/p.yaml"), (Message("user", "{{ ticket }}"),))


def row(number: int) -> Place:
    return Place(FILE, number, None, f"row {number}")


def watch(cases: list[Case], *problems: Problem, prompts: tuple[Prompt, ...] = (PROMPT,)) -> CaseWatch:
    """A watch that has seen all the cases."""

    def read(found: list[Problem]) -> Iterator[Case]:
        found.extend(problems)
        yield from cases

    watched = CaseWatch(Bank("b", FILE, read), prompts, EvaluatorSettings())
    found: list[Problem] = []
    assert list(watched.bank.read_cases(found)) == cases
    assert found == list(problems)
    return watched


def case(number: int, *evaluators: EvaluatorSpec, **variables: object) -> Case:
    return Case("b", f"c{number}", variables, evaluators, place=row(number))


def test_cases_are_counted_and_their_mistakes_passed_on() -> None:
    assert watch([case(1), case(2)]).count == 2
    assert watch([case(1), case(2)], Problem("odd", severity=Severity.WARNING)).sound
    assert not watch([case(1), case(2)], Problem("wrong")).sound


def test_a_variable_that_nothing_uses_is_said_once() -> None:
    scores = EvaluatorSpec("contains", CaseReference(("vars", "word")))
    cases = [case(1, scores, ticket="a", word="b"), case(2, ticket="a", brnd="c"), case(3, brnd="d", word="e")]
    assert [problem.message for problem in watch(cases).problems] == [
        "Nothing uses the variable brnd of the case c2 (prompts: p).",
        "Nothing uses the variable word of the case c3 (prompts: p).",
    ]


@pytest.mark.parametrize(("inherit", "said"), [(True, 0), (False, 1)])
def test_evaluators_of_the_bank_that_no_case_has_are_said_once(inherit: bool, said: int) -> None:
    shared = (EvaluatorSpec("contains", "a", good=("b",)),)
    own = EvaluatorSpec("contains", "c")
    cases = [case(number, *((*shared, own) if inherit and number == 2 else (own,)), ticket="t") for number in (1, 2)]

    watched = CaseWatch(Bank("b", FILE, lambda _: iter(cases), evaluators=shared), (PROMPT,), EvaluatorSettings())
    deque(watched.bank.read_cases([]), maxlen=0)
    found = [problem for problem in watched.problems if problem.severity is Severity.WARNING]
    assert [problem.message for problem in found] == [
        "No case has the evaluators of its bank: each says `inherit: false`. Their samples are never judged."
    ] * said


def test_without_prompts_no_variable_is_unused() -> None:
    assert watch([case(1, brnd="c")], prompts=()).problems == []


def test_rows_with_a_variable_each_say_so_in_bounds() -> None:
    cases = [case(number, **{f"v{number}": "x"}) for number in range(1_000)]
    problems = watch(cases).problems
    assert len(problems) == 201
    assert problems[-1].message == "There are 800 more problems like these."
    assert {problem.severity for problem in problems} == {Severity.WARNING}


def sampled(place: Place, word: str = "yes") -> EvaluatorSpec:
    return EvaluatorSpec("contains", word, good=("no",), place=place)


def test_samples_of_the_bank_are_judged_once_and_those_of_rows_each() -> None:
    shared = sampled(Place(Path("testbanks/b.yaml"), 2))

    def cases() -> Iterator[Case]:
        yield case(1, shared)
        yield case(2, shared)
        for number in range(3, 10):  # a new evaluator may get the address of the last one
            yield case(number, shared, sampled(row(number)), sampled(row(number), "maybe"))

    found: list[Problem] = []
    watched = CaseWatch(Bank("b", FILE, lambda _: cases()), (), EvaluatorSettings())
    deque(watched.bank.read_cases(found), maxlen=0)
    assert len(watched.problems) == 1 + 7 * 2


@pytest.mark.parametrize("count", [1, 250])
def test_a_bank_full_of_wrong_samples_says_so_in_bounds(count: int) -> None:
    problems = watch([case(number, sampled(row(number))) for number in range(count)]).problems
    assert len(problems) == min(count, 201)
