"""Counting results: what is evidence, what is unknown, what is kept."""

from __future__ import annotations

import math
import tracemalloc

import pytest

from llmctl.outcome import Outcome
from llmctl.report.model import Amount, CaseFacts, RunHead, TargetKey, case_facts
from llmctl.report.tally import Tally
from llmctl.runs.history import RunState
from llmctl.runs.records import CaseEvent, EndEvent, MetricScore, RunEvent, RunStatus
from llmctl.stats.intervals import Interval, wilson
from tests.report.samples import failed, head, report_of, result, run_summary, timed_out


def test_the_rate_counts_only_results_with_evidence() -> None:
    report = report_of([result("a"), result("b"), failed("c"), timed_out("d")])
    total = report.total
    assert (total.done, total.passed, total.failed, total.errors) == (4, 2, 1, 1)
    assert total.rate == pytest.approx(2 / 3)
    assert total.coverage == 0.75
    assert not total.covered
    assert total.interval == wilson(2, 3)
    assert report.error_kinds == {"timeout": 1}


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if not outcome.evidence])
def test_no_evidence_is_never_a_pass(outcome: Outcome) -> None:
    report = report_of([result("a", outcome=outcome, passed=True)])
    assert report.total.passed == 0
    assert report.total.errors == 1
    assert report.total.rate is None
    assert report.total.interval is None


def test_a_broken_evaluator_is_no_evidence() -> None:
    broken = MetricScore("judge", "judge", 1.0, None, None, "The judge did not answer.", error=True)
    report = report_of([result("a", passed=None, score=None, scores=(broken,))])
    assert report.error_kinds == {"evaluator": 1}
    assert report.total.errors == 1


def test_refused_and_filtered_answers_fail() -> None:
    report = report_of([failed("a", outcome=Outcome.REFUSED), failed("b", outcome=Outcome.FILTERED)])
    assert (report.total.failed, report.total.errors) == (2, 0)


def test_an_empty_run_has_no_rate_and_no_coverage() -> None:
    report = report_of([], planned=0)
    assert report.total.rate is None
    assert report.total.coverage is None
    assert report.total.latency_p50_ms is None


def test_unknown_is_never_zero() -> None:
    total = report_of([result("a"), result("b", cost_usd=None, input_tokens=None)]).total
    assert total.cost_usd == Amount(0.001, 1)
    assert total.cost_usd.value is None
    assert total.input_tokens == Amount(40, 1)
    assert total.output_tokens.value == 20


@pytest.mark.parametrize("cost", [math.nan, math.inf])
def test_a_cost_that_is_no_number_is_unknown(cost: float) -> None:
    assert report_of([result("a", cost_usd=cost)]).total.cost_usd == Amount(0.0, 1)


def test_what_was_never_sent_costs_nothing() -> None:
    total = report_of([timed_out("a", outcome=Outcome.SKIPPED), timed_out("b", call_id=None)]).total
    assert total.cost_usd == Amount(0.0, 0)
    assert total.sent == 0


def test_reused_answers_keep_their_cost_but_are_not_spent() -> None:
    total = report_of([result("a", cached=True), result("b")]).total
    assert (total.cached, total.sent) == (1, 1)
    assert total.cost_usd == Amount(0.002, 0)
    assert total.spent_usd == Amount(0.001, 0)


def test_rows_by_target_and_by_tag() -> None:
    report = report_of(
        [result("a", tags=("x", "y")), failed("a", model="large", tags=("x", "x")), result("b", bank="other", tags=())]
    )
    assert [target.key for target in report.targets] == [
        TargetKey("other", "triage", "small"),
        TargetKey("triage", "triage", "large"),
        TargetKey("triage", "triage", "small"),
    ]
    assert [(tag.tag, tag.summary.done, tag.summary.passed) for tag in report.tags] == [("x", 2, 1), ("y", 1, 1)]


def test_latencies_of_results_with_evidence() -> None:
    results = [result(str(number), latency_ms=float(number)) for number in range(1, 101)]
    total = report_of([*results, timed_out("slow"), result("unknown", latency_ms=None)]).total
    assert (total.latency_p50_ms, total.latency_p95_ms) == (50.0, 95.0)


def test_repeats_of_a_case_are_one_cluster() -> None:
    repeats = [result("a", repeat=number) for number in range(1, 6)] + [failed("b", repeat=n) for n in range(1, 6)]
    # Two cases, one always right and one always wrong, and the small-sample factor G / (G - 1) = 2: as good as one.
    assert report_of(repeats).total.interval == wilson(0.5, 1.0)


def test_cases_of_a_group_are_one_cluster() -> None:
    cases = [CaseEvent("triage", name, {}, group="conversation") for name in ("a", "b")]
    cases += [CaseEvent("triage", name, {}) for name in ("c", "d")]
    tally = Tally(case_facts(cases))
    for one in (result("a"), result("b"), failed("c"), failed("d")):
        tally.add(one)
    grouped = tally.report(head(4)).total.interval
    plain = wilson(2, 4)
    assert grouped is not None
    assert plain is not None
    assert grouped.high - grouped.low > plain.high - plain.low


def test_a_result_says_itself_which_cases_belong_together() -> None:
    def interval(groups: str) -> Interval | None:
        tally = Tally()
        for number, (passed, group) in enumerate(zip("11001010", groups, strict=True)):
            make = result if passed == "1" else failed
            tally.add(make(str(number), case_number=number, group=None if group == " " else group))
        return tally.report(head(8)).total.interval

    assert interval(" " * 8) == interval("abcdefgh") == wilson(4, 8)
    grouped, plain = interval("aabb    "), wilson(4, 8)
    assert grouped is not None
    assert plain is not None
    assert grouped.high - grouped.low > plain.high - plain.low


def test_a_group_is_of_one_bank() -> None:
    tally = Tally()
    tally.add(result("a", case_number=0, group="g"))
    tally.add(failed("a", case_number=1, group="g", bank="other"))
    assert tally.report(head(2)).total.interval == wilson(1, 2)


@pytest.mark.parametrize("number", [-1, 2**61, 2**63 - 1])
def test_a_number_that_no_case_can_have_counts_all_the_same(number: int) -> None:
    tally = Tally()
    for repeat in (1, 2):
        tally.add(result("a", case_number=number, repeat=repeat))
        tally.add(failed("b", case_number=number, repeat=repeat))
    assert tally.report(head(4)).total.interval == wilson(0.5, 1.0)


def test_a_result_says_itself_what_stands_first() -> None:
    tally = Tally(kept=3)
    for number, name in ((2, "c"), (1, "b"), (3, "d"), (0, "a")):
        tally.add(failed(name, case_number=number, must_pass=name == "d"))
    report = tally.report(head(4))
    assert [one.case_id for one in report.failures] == ["d", "a", "b"]
    assert report.must_pass == {("triage", "d")}


def test_rows_are_sums_of_what_was_counted_once() -> None:
    report = report_of(
        [
            result("a", tags=("x",), latency_ms=1.0),
            failed("b", tags=("x", "y"), latency_ms=2.0),
            result("c", model="large", tags=("y",), latency_ms=3.0, cached=True),
            timed_out("d", model="large", tags=("y",)),
        ]
    )
    rows = {row.tag: row.summary for row in report.tags}
    assert (rows["x"].done, rows["x"].passed, rows["x"].interval) == (2, 1, wilson(1, 2))
    assert (rows["y"].done, rows["y"].errors, rows["y"].cached, rows["y"].latency_p50_ms) == (3, 1, 1, 2.0)
    assert report.total.done == sum(row.summary.done for row in report.targets) == 4
    assert report.total.latency_p95_ms == 3.0
    assert report.total.cost_usd == Amount(0.003, 1)


def test_a_result_takes_a_few_bytes() -> None:
    """Not the results themselves, and nothing by case: 16 bytes a result, and at most 60 while the report is made."""
    tags = [("smoke", "billing"), ("billing",)]
    results = [
        (result if number % 10 else failed)(
            f"{number:06}", case_number=number, latency_ms=number / 7, tags=tags[number % 2]
        )
        for number in range(20_000)
    ]
    tracemalloc.start()
    tally = Tally()
    for one in results:
        tally.add(one)
    held = tracemalloc.get_traced_memory()[0]
    tally.report(head(20_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held / 20_000 < 20
    assert peak / 20_000 < 70


def test_a_group_is_not_taken_for_a_case_of_the_same_name() -> None:
    cases = [CaseEvent("triage", "a", {}, group="b"), CaseEvent("triage", "b", {})]
    tally = Tally(case_facts(cases))
    for one in (result("a"), failed("b")):
        tally.add(one)
    assert tally.report(head(2)).total.interval == wilson(1, 2)


def test_failures_stand_must_pass_first_then_in_the_banks_order() -> None:
    facts = {("triage", name): CaseFacts(order, name == "d") for order, name in enumerate("abcd")}
    tally = Tally(facts, kept=3)
    for name in "cbda":
        tally.add(failed(name))
    report = tally.report(head(4))
    assert [one.case_id for one in report.failures] == ["d", "a", "b"]
    assert report.must_pass == {("triage", "d")}
    assert report.total.failed == 4


def test_without_facts_the_first_to_come_are_kept() -> None:
    tally = Tally(kept=2)
    for name in "cab":
        tally.add(failed(name))
        tally.add(timed_out(name))
    report = tally.report(head(6))
    assert [one.case_id for one in report.failures] == ["c", "a"]
    assert [one.case_id for one in report.errors] == ["c", "a"]


def test_none_may_be_kept() -> None:
    tally = Tally(kept=0)
    tally.add(failed("a"))
    assert tally.report(head(1)).failures == ()


def test_coverage_by_target_of_an_unfinished_run_needs_the_plan() -> None:
    report = report_of([result("a")], planned=10)
    assert report.targets[0].summary.coverage is None
    assert not report.targets[0].summary.covered
    assert report.missing == 9
    small, large = TargetKey("triage", "triage", "small"), TargetKey("triage", "triage", "large")
    tally = Tally(planned_by_target={small: 4, large: 6}, planned_by_tag={"smoke": 2})
    tally.add(result("a"))
    known = tally.report(head(10))
    assert [(row.key.model, row.summary.coverage) for row in known.targets] == [("large", 0.0), ("small", 0.25)]
    assert known.tags[0].summary.coverage == 0.5


def test_the_head_of_a_journal() -> None:
    run = RunEvent("0k3jd92ma1x7z", 1_000_000.0, "llmctl eval", 40, label="first")
    assert RunHead.of(run).status == RunStatus.RUNNING
    assert RunHead.of(run).duration_s is None
    ended = RunHead.of(run, EndEvent(RunStatus.INTERRUPTED, 1_000_002.5, 12))
    assert (ended.status, ended.duration_s, ended.label) == (RunStatus.INTERRUPTED, 2.5, "first")


def test_the_head_of_a_killed_run() -> None:
    killed = RunHead.of_summary(run_summary(status=RunState.KILLED, label="first"))
    assert (killed.status, killed.label, killed.planned, killed.duration_s) == ("killed", "first", 120, None)
