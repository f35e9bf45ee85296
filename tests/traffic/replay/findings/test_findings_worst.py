"""The worst changes first, as many as are asked for, whatever the log holds."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest

from llmctl.errors import UsageError
from llmctl.outcome import Outcome
from llmctl.traffic.replay.findings import check_equivalent, measure
from llmctl.traffic.replay.findings.report import Kind
from llmctl.traffic.replay.records import ReplayedCall
from tests.traffic.replay.findings.made import REQUEST, answer, replayed

LONG = "one two three four five six seven eight nine ten"


def test_broken_then_newly_failing_then_least_alike() -> None:
    calls = [
        replayed(answer(LONG), answer(None, Outcome.TIMEOUT), number=1),
        replayed(answer(LONG), answer(LONG.replace("ten", "zehn")), number=2),
        replayed(answer(LONG), answer("something else"), number=3),
        replayed(answer(LONG, passed=True), answer(LONG.replace("ten", "11"), passed=False), number=4),
        replayed(answer(LONG), answer(LONG[:30], finish_reason="length"), number=5),
        replayed(answer(LONG), answer(LONG), number=6),
        replayed(answer(""), answer(LONG), number=7),
    ]
    found = measure(calls, REQUEST).candidates[0]
    assert [int(case.id, 16) for case in found.worst] == [5, 4, 3, 2]
    assert found.worst_count == 4


def test_the_cap_keeps_the_worst_and_counts_the_rest() -> None:
    calls = [replayed(answer(LONG), answer(" ".join(LONG.split()[:number])), number=number) for number in range(1, 10)]
    found = measure(calls, replace(REQUEST, worst=2)).candidates[0]
    assert [int(case.id, 16) for case in found.worst] == [1, 2]
    assert found.worst_count == 9
    assert measure(calls, replace(REQUEST, worst=0)).candidates[0].worst == ()


def test_a_case_says_all_that_a_reader_needs() -> None:
    call = replayed(
        answer("a", latency_ms=1.0), answer("b", latency_ms=2.0), answer("c"), weight=3, prompt_name="p", tags=("t",)
    )
    [case] = measure([call], REQUEST).candidates[0].worst
    assert (case.question, case.observed, case.candidate, case.baseline) == ("My card?", "a", "b", "c")
    assert (case.rerun, case.weight, case.prompt, case.tags) == (Kind.CHANGED, 3, "p", ("t",))
    assert (case.latency_before_ms, case.latency_ms) == (1.0, 2.0)


def test_long_texts_are_cut_and_say_so() -> None:
    [case] = measure([replayed(answer("a" * 300_000), answer("b"))], REQUEST).candidates[0].worst
    assert len(case.observed) < 101_000
    assert case.observed.endswith("[200,000 more characters]")


def test_memory_does_not_hold_the_answers() -> None:
    def calls(size: int) -> Iterator[ReplayedCall]:
        for number in range(size):
            yield replayed(answer(f"{number} " + "x" * 20_000), answer(f"{number} y"), number=number)

    measure(calls(10), REQUEST)
    tracemalloc.start()
    measure(calls(3_000), REQUEST)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 30_000_000  # 60 MB of answers went by


@pytest.mark.parametrize(
    ("name", "before", "after", "equivalent"),
    [
        ("exact", "billing", " billing", True),
        ("exact", "billing", "shipping", False),
        ("token_f1", "The card!", "card", True),
        ("json_match", '{"a": [1]}', '{"a": [2]}', False),
    ],
)
def test_an_evaluator_may_call_two_texts_equivalent(name: str, before: str, after: str, equivalent: bool) -> None:
    report = measure([replayed(answer(before), answer(after))], replace(REQUEST, equivalent=name))
    kinds = report.candidates[0].comparisons[0].kinds
    assert kinds[Kind.EQUIVALENT].calls == int(equivalent)
    assert kinds[Kind.CHANGED].calls == int(not equivalent)
    assert name in report.equivalent


def test_what_an_evaluator_cannot_compare_counts_as_changed_and_is_said() -> None:
    report = measure([replayed(answer("a"), answer("b"))], replace(REQUEST, equivalent="json"))
    assert report.candidates[0].comparisons[0].kinds[Kind.CHANGED].calls == 1
    assert any("`json` could not compare 1 pairs" in note for note in report.notes)


def test_no_evaluator_makes_a_broken_answer_equivalent() -> None:
    cut_off = replayed(answer("billing"), answer("billing ", finish_reason="length"))
    found = measure([cut_off], replace(REQUEST, equivalent="token_f1")).candidates[0]
    assert found.comparisons[0].kinds[Kind.BROKEN].calls == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nonsense", 'no evaluator "nonsense"'),
        ("exakt", 'no evaluator "exakt"'),
        ("all", 'no evaluator "all"'),
        ("judge", "judge"),
        ("latency", "latency"),
        ("python_syntax", "compares an answer with nothing"),
        ("refusal", "compares an answer with nothing"),
    ],
)
def test_evaluators_of_no_use_here(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_equivalent(name, None)
