"""What `eval`'s flags choose."""

from __future__ import annotations

import pytest

from llmctl.errors import UsageError
from llmctl.project.models import Case
from llmctl.runs.selection import PromptReference, Selection, select_cases

CASES = [Case("bank", f"case-{number}", {}, (), tags=("even",) if number % 2 == 0 else ()) for number in range(10)]


def ids(selection: Selection) -> list[str]:
    return [case.id for case in select_cases(CASES, selection)]


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
