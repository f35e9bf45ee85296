"""What `eval`'s flags choose."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmctl.errors import Problem, UsageError
from llmctl.project.models import Bank, Case
from llmctl.runs.selection import PromptReference, Selection, select_cases

CASES = [Case("bank", f"case-{number}", {}, (), tags=("even",) if number % 2 == 0 else ()) for number in range(10)]
MISTAKE = Problem("The last row is wrong.")


def bank(cases: list[Case]) -> Bank:
    def read(problems: list[Problem]) -> Iterator[Case]:
        yield from cases
        problems.append(MISTAKE)

    return Bank("bank", Path("testbanks/bank.yaml"), read)


def ids(selection: Selection, cases: list[Case] = CASES) -> list[str]:
    problems: list[Problem] = []
    found = [case.id for case in select_cases(bank(cases), selection, problems)]
    assert problems == [MISTAKE]  # whatever is selected, and once
    return found


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), [f"case-{number}" for number in range(10)]),
        (Selection(tags=("even", "other")), ["case-0", "case-2", "case-4", "case-6", "case-8"]),
        (Selection(pattern="-3"), ["case-3"]),
        (Selection(pattern="case-[12]"), ["case-1", "case-2"]),
        (Selection(pattern="CASE"), []),
        (Selection(limit=2), ["case-0", "case-1"]),
        (Selection(tags=("even",), limit=1), ["case-0"]),
        (Selection(sample=100), [f"case-{number}" for number in range(10)]),
    ],
)
def test_select_cases(selection: Selection, expected: list[str]) -> None:
    assert ids(selection) == expected


def test_a_sample_is_drawn_by_its_seed_and_keeps_the_order() -> None:
    samples = [ids(Selection(sample=5, seed=seed)) for seed in range(20)]
    assert samples[3] == ids(Selection(sample=5, seed=3))
    assert all(sample == sorted(sample) and len(set(sample)) == 5 for sample in samples)
    assert len({tuple(sample) for sample in samples}) > 10


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [0, 1, 40, 99, 100, 1_000])
def test_a_sample_of_a_stream_is_the_sample_of_the_list(seed: int, size: int) -> None:
    cases = [Case("bank", f"case-{number}", {}, (), tags=("odd",) if number % 2 else ()) for number in range(200)]
    tagged = [case.id for case in cases if case.tags]
    drawn = range(100) if size >= 100 else random.Random(seed).sample(range(100), size)
    expected = [tagged[position] for position in sorted(drawn)]
    assert ids(Selection(tags=("odd",), sample=size, seed=seed), cases) == expected
    assert ids(Selection(tags=("odd",), sample=size, seed=seed, limit=7), cases) == expected[:7]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("triage", PromptReference("triage")),
        ("a/b@main", PromptReference("a/b", "main")),
        ("triage@HEAD~1", PromptReference("triage", "HEAD~1")),
        ("triage@feature@2", PromptReference("triage", "feature@2")),
    ],
)
def test_prompt_references(text: str, expected: PromptReference) -> None:
    assert PromptReference.parse(text) == expected


@pytest.mark.parametrize("text", ["", "@main", "triage@"])
def test_references_to_nothing(text: str) -> None:
    with pytest.raises(UsageError):
        PromptReference.parse(text)
