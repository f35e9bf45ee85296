"""From rules and evidence to the verdicts of all cells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmctl.compare.cells import Cell
from llmctl.compare.gate.evidence import CellEvidence
from llmctl.compare.gate.judging import CellInput, judge_cells, rules_for
from llmctl.compare.gate.pairs import Pairs
from llmctl.compare.verdict import CellVerdict, GateReport, RuleName, Verdict, worst
from llmctl.errors import ExitCode, UsageError
from llmctl.project.models import GateRules, GateSettings, RateRule
from tests.compare.gate.samples import evidence, judged, rule_of

PASS, FAIL, NOT, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.NOT_EVALUATED, Verdict.INCONCLUSIVE
ALL = GateRules(RateRule(0.5), 0, 0.05, 0.5, 1000.0, 10.0)


def verdicts(cell: CellVerdict) -> dict[RuleName, Verdict]:
    return {rule.rule: rule.verdict for rule in cell.rules}


def test_every_rule_that_is_written_is_judged_and_the_worst_is_the_cells() -> None:
    facts = {0: {"must_pass": True}}
    now, before = evidence(["PPP"] * 60, facts, side="b"), evidence(["PPP"] * 60, side="a")
    cell = judged(now, ALL, before)
    assert verdicts(cell) == dict.fromkeys([name for name in RuleName if name is not RuleName.COVERAGE], PASS)
    assert (cell.verdict, cell.passed, cell.evidence, cell.baseline_passed) == (PASS, 180, 180, 180)
    cell = judged(evidence(["FPP", *["PPP"] * 59], facts, side="b"), ALL, before)
    assert (cell.verdict, verdicts(cell)[RuleName.MUST_PASS], verdicts(cell)[RuleName.MARGIN]) == (FAIL, FAIL, PASS)


@pytest.mark.parametrize(
    ("several", "one"),
    [
        ([PASS, OPEN], OPEN),
        ([PASS, NOT], NOT),
        ([OPEN, NOT], NOT),
        ([NOT, OPEN, FAIL, PASS], FAIL),
        ([PASS, PASS], PASS),
        ([], NOT),
    ],
)
def test_the_worst_of_several_verdicts(several: list[Verdict], one: Verdict) -> None:
    assert worst(several) is one


def test_nothing_passes_without_enough_evidence() -> None:
    now, before = evidence(["PPP"] * 57 + ["TTT"] * 3, side="b"), evidence(["PPP"] * 60, side="a")
    cell = judged(now, ALL, before)
    assert set(verdicts(cell).values()) == {NOT}
    assert rule_of(cell, RuleName.COVERAGE).sentence.startswith("9 of 180 answers are missing (timeout 9)")
    some = judged(evidence(["PPP"] * 59 + ["PPT"], side="b"), ALL, before)
    assert (some.verdict, rule_of(some, RuleName.COVERAGE).verdict) == (PASS, PASS), "within max_missing, and said"
    lenient = judged(now, GateRules(RateRule(0.5)), settings=GateSettings(max_missing=0.1))
    assert lenient.verdict is PASS


def test_a_fail_that_missing_results_cannot_undo_wins() -> None:
    cell = judged(evidence(["F"] * 60 + ["T"] * 40), GateRules(RateRule(0.5)))
    assert (cell.verdict, verdicts(cell)) == (FAIL, {RuleName.COVERAGE: NOT, RuleName.MIN_PASS_RATE: FAIL})


def test_a_single_evaluator_error_is_never_a_pass() -> None:
    cell = judged(evidence(["P"] * 999 + ["E"]), GateRules(RateRule(0.5), max_latency_p95_ms=1000.0))
    assert set(verdicts(cell).values()) == {NOT}
    assert rule_of(cell, RuleName.COVERAGE).cases[0].name.case_id == "case-999"


def test_an_untrusted_judge_leaves_only_time_and_cost_to_be_judged() -> None:
    cell = judged(
        evidence(["F"] * 10),
        GateRules(RateRule(0.5), max_latency_p95_ms=1000.0, max_cost_per_1000_usd=0.5),
        unjudged=("The judge tone was never compared with people.",),
    )
    assert verdicts(cell) == {
        RuleName.MIN_PASS_RATE: NOT,
        RuleName.MAX_LATENCY_P95: PASS,
        RuleName.MAX_COST: FAIL,
    }
    assert "llmctl judge calibrate" in rule_of(cell, RuleName.MIN_PASS_RATE).advice


def test_no_rule_at_all_is_a_usage_error_with_lines_to_add() -> None:
    with pytest.raises(UsageError) as caught:
        judged(evidence(["P"]), GateRules())
    assert "There is no rule to judge the bank triage by." in str(caught.value)
    assert "min_pass_rate: 0.9" in str(caught.value.hint)
    assert judged(evidence(["P"], {0: {"must_pass": True}}), GateRules()).verdict is PASS


def test_a_bank_without_a_rule_beside_one_with_rules_is_not_judged() -> None:
    found = judge_cells(
        [CellInput(evidence(["P"]), GateRules()), CellInput(evidence(["F"]), GateRules(RateRule(0.5)))], GateSettings()
    )
    assert [cell.verdict for cell in found] == [FAIL]


def test_no_case_and_no_case_with_a_tag_are_never_a_pass() -> None:
    assert judged(evidence([]), ALL).verdict is NOT
    tagged = GateRules(tags={"smoke": GateRules(RateRule(0.5))})
    cell = judged(evidence(["P"]), tagged)
    assert (cell.verdict, cell.rules[0].tag) == (NOT, "smoke")
    assert cell.rules[0].sentence == "No case has the tag smoke: nothing can be judged."


def test_rules_of_the_config_for_a_tag_hold_only_where_the_tag_is() -> None:
    rules = GateRules(RateRule(0.5), tags={"smoke": GateRules(RateRule(1.0))})
    settings = GateSettings(rules=rules)
    assert judged(evidence(["P"]), rules, settings=settings).verdict is PASS
    marked = evidence(["F", "P", "P"], {0: {"tags": ("smoke",)}})
    cell = judged(marked, rules, settings=settings)
    assert rule_of(cell, RuleName.MIN_PASS_RATE, "smoke").verdict is FAIL
    only_tags = GateRules(tags={"smoke": GateRules(RateRule(1.0))})
    assert judged(evidence(["P"]), only_tags, settings=GateSettings(rules=only_tags)).verdict is NOT


def test_a_tag_has_its_own_coverage_times_and_pairs() -> None:
    facts = {number: {"tags": ("smoke",)} for number in range(3)}
    rules = GateRules(RateRule(0.5), tags={"smoke": GateRules(RateRule(0.5), max_new_failures=0)})
    now = evidence(["P", "P", "T", *["P"] * 97], facts, side="b")
    cell = judged(now, rules, evidence(["P"] * 100, side="a"))
    assert rule_of(cell, RuleName.MIN_PASS_RATE).verdict is PASS
    assert rule_of(cell, RuleName.MIN_PASS_RATE, "smoke").verdict is NOT
    assert rule_of(cell, RuleName.MAX_NEW_FAILURES, "smoke").verdict is NOT
    assert rule_of(cell, RuleName.COVERAGE, "smoke").sentence.startswith("1 of 3 answers is missing")


def on(bank: str, now: CellEvidence) -> CellEvidence:
    now.cell = Cell(bank, "triage", "small")
    return now


def test_several_cells_share_the_chance_of_a_false_alarm_after_holm() -> None:
    def cells(lost: int, others: int) -> list[CellInput]:
        rules = GateRules(margin=0.05)
        after = ["F"] * lost + ["P"] * (60 - lost)
        dropped = CellInput(on("a", evidence(after, side="b")), rules, evidence(["P"] * 60, side="a"))
        same = [
            CellInput(on(f"b{number}", evidence(["P"] * 60, side="b")), rules, evidence(["P"] * 60, side="a"))
            for number in range(others)
        ]
        return [dropped, *same]

    # 5 losses have a mid-p of 1/64: enough alone, not among ten tests.
    assert [judge_cells(cells(5, others), GateSettings())[0].verdict for others in (0, 9)] == [FAIL, OPEN]
    both = [*cells(8, 0), *cells(5, 0)]
    assert [cell.verdict for cell in judge_cells(both, GateSettings())] == [FAIL, FAIL], "Holm: the second at alpha"
    found = judge_cells(cells(5, 9), GateSettings())
    assert "10 tests share them, by Holm" in found[0].rules[0].guarantee
    assert [cell.verdict for cell in found[1:]] == [PASS] * 9, "a PASS needs no correction: all must"


def test_a_rate_is_one_of_the_tests() -> None:
    alone = judged(evidence(["F"] * 16 + ["P"] * 84), GateRules(RateRule(0.9, 0.95)))
    assert alone.verdict is FAIL
    rules = GateRules(RateRule(0.9, 0.95), margin=0.05)
    many = [
        CellInput(on(str(number), evidence(["F"] * 16 + ["P"] * 84, side="b")), rules, evidence(["P"] * 100, side="a"))
        for number in range(5)
    ]
    found = judge_cells(many, GateSettings())
    assert {rule_of(cell, RuleName.MIN_PASS_RATE).verdict for cell in found} == {OPEN}
    assert {rule_of(cell, RuleName.MARGIN).verdict for cell in found} == {FAIL}


def test_the_banks_own_rules_come_before_those_of_the_config() -> None:
    own, shared = GateRules(margin=0.1), GateRules(margin=0.2)
    assert rules_for(own, GateSettings(rules=shared)) is own
    assert rules_for(None, GateSettings(rules=shared)) is shared
    assert rules_for(None, GateSettings()) is None


def report_of(verdict: Verdict, **more: object) -> GateReport:
    cell = judged(evidence(["P"]), GateRules(RateRule(0.5)))
    rule = replace(cell.rules[0], verdict=verdict)
    return GateReport((replace(cell, rules=(rule,)),), "the files here", None, None, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdict", "more", "code"),
    [
        (PASS, {}, 0),
        (FAIL, {}, 1),
        (OPEN, {}, 3),
        (OPEN, {"tolerate_inconclusive": True}, 0),
        (NOT, {"tolerate_inconclusive": True}, 4),
        (FAIL, {"stopped": ExitCode.STOPPED}, 1),
        (NOT, {"stopped": ExitCode.STOPPED}, 5),
        (NOT, {"stopped": ExitCode.UNFINISHED}, 4),
        (OPEN, {"stopped": ExitCode.INTERRUPTED}, 130),
        (OPEN, {"stopped": ExitCode.UNFINISHED, "tolerate_inconclusive": True}, 4),
    ],
)
def test_exit_codes(verdict: Verdict, more: dict[str, object], code: int) -> None:
    assert report_of(verdict, **more).exit_code == code


def test_results_and_pairs_keep_their_places_when_cut_to_a_tag() -> None:
    facts = {1: {"tags": ("smoke",)}, 2: {"tags": ("smoke",)}}
    now, before = evidence(["P", "F", "E"], facts, side="b"), evidence(["P", "P", "P"], side="a")
    part = now.only(lambda case: "smoke" in case.tags)
    assert ([case.case_id for case in part.cases], part.passed.tolist(), part.broken) == (
        ["case-1", "case-2"],
        [0, 0],
        [1],
    )
    assert (len(part.latency_ms), list(part.answer_case)) == (1, [0])
    assert Pairs(part, before).flipped.tolist() == [True, False]
