"""Rules that state a fact about the answers: decided by the best and the worst that missing answers could be."""

from __future__ import annotations

import math

import pytest

from llmctl.compare.gate.evidence import CellEvidence
from llmctl.compare.gate.rules.cost import max_cost_per_1000_usd
from llmctl.compare.gate.rules.coverage import coverage
from llmctl.compare.gate.rules.flake import max_flake_rate
from llmctl.compare.gate.rules.latency import max_latency_p95_ms
from llmctl.compare.gate.rules.min_pass_rate import min_pass_rate
from llmctl.compare.gate.rules.must_pass import must_pass
from llmctl.compare.verdict import Verdict
from llmctl.project.models import RateRule
from llmctl.stats.percentiles import p95
from tests.compare.gate.samples import CELL, evidence, gate_cases, result, scope

PASS, FAIL, NOT, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.NOT_EVALUATED, Verdict.INCONCLUSIVE
MUST = {0: {"must_pass": True}}


@pytest.mark.parametrize(
    ("words", "rate", "verdict", "said"),
    [
        (["P"] * 9 + ["F"], 0.9, PASS, "9 of 10 answers pass: 90 %; at least 90 % must."),
        (["P"] * 8 + ["F"] * 2, 0.9, FAIL, "8 of 10 answers pass: 80 %; at least 90 % must."),
        # 9 pass whatever the missing one says; with 8 it decides; with 7 it cannot help any more.
        (["P"] * 9 + ["T"], 0.9, PASS, "between 90 % and 100 % pass"),
        (["P"] * 8 + ["F", "T"], 0.9, NOT, "8 of the 9 answers judged pass; 1 is missing, so of all 10 between"),
        (["P"] * 7 + ["F", "F", "T"], 0.9, FAIL, "between 70 % and 80 % pass"),
        (["P"] * 8 + ["F", "E"], 0.9, NOT, "1 is missing"),
        (["P"] * 9 + ["R"], 1.0, FAIL, "9 of 10 answers pass"),
        (["PPP"] * 6 + ["PPF", "PP-"], 0.9, PASS, "between 91.7 % and 95.8 % pass"),
        (["P"] * 3, 1.0, PASS, "3 of 3 answers pass: 100 %"),
    ],
)
def test_the_observed_pass_rate(words: list[str], rate: float, verdict: Verdict, said: str) -> None:
    found = min_pass_rate(scope(evidence(words)), RateRule(rate))
    assert (found.verdict, said in found.sentence) == (verdict, True), found.sentence


def test_cases_that_were_not_sent_leave_the_rate_open_and_never_pass_it() -> None:
    now = evidence(["P"] * 8 + ["-"] * 2)
    now.leave_out(["case-8", "case-9"])
    found = min_pass_rate(scope(now), RateRule(0.9))
    assert (found.verdict, found.open) == (OPEN, True)
    assert "2 were not sent, so of all 10 between 80 % and 100 % pass" in found.sentence
    assert min_pass_rate(scope(now), RateRule(0.8)).verdict is PASS
    failing = evidence(["P"] * 6 + ["F"] * 2 + ["-"] * 2)
    failing.leave_out(["case-8", "case-9"])
    assert min_pass_rate(scope(failing), RateRule(0.9)).verdict is FAIL


@pytest.mark.parametrize(
    ("words", "verdict", "said"),
    [
        (["P", "F"], PASS, "The one case that must pass passes."),
        (["F", "P"], FAIL, "1 of 1 case that must pass fails."),
        (["PPF", "P"], FAIL, "fails"),
        (["T", "P"], NOT, "1 of 1 case that must pass has no verdict."),
        (["E", "P"], NOT, "has no verdict"),
        (["F-", "P"], FAIL, "fails"),
        (["P-", "P"], NOT, "has no verdict"),
    ],
)
def test_must_pass(words: list[str], verdict: Verdict, said: str) -> None:
    found = must_pass(scope(evidence(words, MUST)))
    assert found is not None
    assert (found.verdict, said in found.sentence) == (verdict, True), found.sentence


def test_a_bank_without_marked_cases_has_no_such_rule() -> None:
    assert must_pass(scope(evidence(["P", "F"]))) is None


def test_must_pass_of_a_case_that_was_not_sent_is_open() -> None:
    now = evidence(["-", "P"], MUST)
    now.leave_out(["case-0"])
    found = must_pass(scope(now))
    assert found is not None
    assert (found.verdict, found.open) == (OPEN, True)


@pytest.mark.parametrize(
    ("words", "verdict", "said"),
    [
        (["P", "F"], NOT, "asked once"),
        (["PPP"] * 9 + ["PFP"], PASS, "1 of 10 cases is flaky in 3 answers each: 10 %"),
        (["PPP"] * 8 + ["PFP"] * 2, FAIL, "2 of 10 cases are flaky"),
        (["PPP"] * 9 + ["PPT"], PASS, "0 of 10 cases are flaky"),
        (["PPP"] * 8 + ["PFP", "PP-"], NOT, "(not made 1)"),
        (["FFF"] * 10, PASS, "0 of 10"),
    ],
)
def test_the_flake_rate(words: list[str], verdict: Verdict, said: str) -> None:
    found = max_flake_rate(scope(evidence(words)), 0.1)
    assert (found.verdict, said in found.sentence) == (verdict, True), found.sentence


def timed(latencies: list[float | None], missing: int = 0) -> CellEvidence:
    """A case for each latency, and cases that timed out."""
    now = CellEvidence(CELL, gate_cases(["P"] * (len(latencies) + missing)))
    for number, latency in enumerate(latencies):
        now.add(result(f"case-{number}", "P", latency_ms=latency, cost_usd=latency))
    for number in range(len(latencies), len(latencies) + missing):
        now.add(result(f"case-{number}", "T", latency_ms=60_000.0))
    return now


@pytest.mark.parametrize(
    ("latencies", "missing", "verdict"),
    [
        ([100.0] * 19 + [900.0], 0, PASS),
        ([100.0] * 18 + [900.0] * 2, 0, FAIL),
        ([100.0] * 19, 1, PASS),  # were the missing one slow, the p95 would still be 100 ms
        ([100.0] * 18 + [900.0], 1, NOT),
        ([100.0] * 17 + [900.0] * 2, 1, FAIL),
        ([100.0] * 19 + [None], 0, PASS),
        ([100.0] * 18 + [None, None], 0, NOT),
        ([math.nan] * 3, 0, NOT),
        ([None], 0, NOT),
    ],
)
def test_the_latency(latencies: list[float | None], missing: int, verdict: Verdict) -> None:
    assert max_latency_p95_ms(scope(timed(latencies, missing)), 500).verdict is verdict


@pytest.mark.parametrize("size", [*range(1, 45), 99, 100, 101])
def test_the_latency_is_judged_by_the_same_p95_as_everywhere(size: int) -> None:
    latencies = [float(number) for number in range(size)]
    exact = p95(latencies)
    assert exact is not None
    now = timed(list(latencies))
    assert max_latency_p95_ms(scope(now), exact).verdict is PASS
    if exact > 0:
        found = max_latency_p95_ms(scope(now), exact - 0.5)
        assert (found.verdict, found.observed) == (FAIL, exact)
        assert found.cases[0].name.case_id == f"case-{size - 1}", "the slowest first"


@pytest.mark.parametrize(
    ("costs", "missing", "verdict", "said"),
    [
        ([0.001, 0.003], 0, PASS, "A thousand answers cost $2.00 (from 2); the limit is $2.00."),
        ([0.002, 0.003], 0, FAIL, "$2.50"),
        ([0.001, None], 0, NOT, "The cost of 1 of 2 answers is not known."),
        ([0.009, None], 0, FAIL, "cost at least $4.50"),
        ([math.nan, 0.001], 0, NOT, "is not known"),
        ([0.0025, 0.0025], 1, NOT, "unless the missing 1 is cheaper"),
        ([0.0], 0, PASS, "$0.00"),
    ],
)
def test_the_cost_of_what_is_not_known_is_never_0(
    costs: list[float | None], missing: int, verdict: Verdict, said: str
) -> None:
    found = max_cost_per_1000_usd(scope(timed(costs, missing)), 2.0)
    assert (found.verdict, said in found.sentence) == (verdict, True), found.sentence


@pytest.mark.parametrize(
    ("words", "verdict", "said"),
    [
        (["P"] * 100, PASS, "100 of 100 answers are evidence."),
        (["P"] * 98 + ["T"] * 2, PASS, "98 of 100"),
        (["P"] * 97 + ["T", "T", "-"], NOT, "3 of 100 answers are missing (timeout 2, not made 1): more than 2 %"),
        (["P"] * 999 + ["E"], NOT, "An evaluator broke on 1 answer of 1,000"),
        (["T"], NOT, "1 of 1 answer is missing (timeout 1)"),
        ([], NOT, "No case was asked"),
    ],
)
def test_coverage(words: list[str], verdict: Verdict, said: str) -> None:
    found = coverage(scope(evidence(words)), 0.02)
    assert (found.verdict, said in found.sentence) == (verdict, True), found.sentence


def test_a_score_that_is_not_a_number_and_a_stale_judgement_are_no_evidence() -> None:
    now = CellEvidence(CELL, gate_cases(["P", "P", "P"]))
    now.add(result("case-0", "P", score=math.nan))
    stale = result("case-1", "P").scores[0]
    now.add(result("case-1", "P", scores=(type(stale)("judge", "judge", 1.0, 1.0, True, "", stale=True),)))
    now.add(result("case-2", "P", scores=(type(stale)("judge", "judge", 0.0, 1.0, True, "", stale=True),)))
    assert now.evidence.tolist() == [0, 0, 1], "a judge of weight 0 decides nothing"
    assert dict(now.problems) == {"evaluator error": 1, "stale judgement": 1}
