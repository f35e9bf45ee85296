"""Rules about cases like these: intervals and tests, at a fixed size and after looks, and what missing answers undo."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmctl.compare.gate.progress import AskedAgain, StagedCell
from llmctl.compare.gate.rules.margin import margin, margin_test
from llmctl.compare.gate.rules.max_new_failures import max_new_failures
from llmctl.compare.gate.rules.min_pass_rate import cases_to_settle, min_pass_rate
from llmctl.compare.gate.rules.scope import Scope
from llmctl.compare.verdict import RuleVerdict, Verdict
from llmctl.project.models import RateRule
from llmctl.stats.betting import BankTest
from llmctl.stats.confirmation import CaseDraws
from llmctl.stats.sequential import SequentialTest
from llmctl.stats.tango import noninferiority_p
from tests.compare.gate.samples import CELL, evidence, scope

PASS, FAIL, NOT, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.NOT_EVALUATED, Verdict.INCONCLUSIVE
LIKELY = RateRule(0.9, 0.95)


@pytest.mark.parametrize(
    ("words", "verdict", "said"),
    [
        (["P"] * 29, PASS, "29 of 29 answers pass: of cases like these at least 90.1 % pass (95 % sure)."),
        (["P"] * 28, OPEN, "between 89.8 % and 100 % pass; 90 % must (95 % sure)."),
        (["P"] * 96 + ["F"] * 4, PASS, "at least 91 % pass"),
        (["P"] * 90 + ["F"] * 10, OPEN, "90 % must"),
        (["P"] * 80 + ["F"] * 20, FAIL, "80 of 100 answers pass: of cases like these at most 86.4 % pass; 90 % must."),
        # 100 answers, but of 20 cases: each case's five are one piece of evidence.
        (["P" * 5] * 20, OPEN, "100 of 100 answers pass"),
        (["P" * 5] * 30, PASS, "150 of 150"),
    ],
)
def test_the_pass_rate_of_cases_like_these(words: list[str], verdict: Verdict, said: str) -> None:
    found = min_pass_rate(scope(evidence(words)), LIKELY)
    assert (found.verdict, said in found.sentence) == (verdict, True), found.sentence
    assert "passes in at most 5 % of gates" in found.guarantee


def test_groups_are_one_piece_of_evidence_each() -> None:
    facts = {number: {"group": f"customer-{number // 5}"} for number in range(100)}
    assert min_pass_rate(scope(evidence(["P"] * 100, facts)), LIKELY).verdict is OPEN
    assert min_pass_rate(scope(evidence(["P"] * 100)), LIKELY).verdict is PASS


def test_what_is_missing_keeps_a_rate_from_passing_and_from_failing_where_it_could_help() -> None:
    assert min_pass_rate(scope(evidence(["P"] * 95 + ["T"] * 5)), LIKELY).verdict is NOT
    assert min_pass_rate(scope(evidence(["P"] * 60 + ["F"] * 15 + ["T"] * 25)), LIKELY).verdict is NOT
    assert min_pass_rate(scope(evidence(["P"] * 60 + ["F"] * 36 + ["T"] * 4)), LIKELY).verdict is FAIL


def test_a_gate_that_stopped_early_leaves_the_rate_open() -> None:
    now = evidence([*["P"] * 60, *["-"] * 40])
    now.leave_out([f"case-{number}" for number in range(60, 100)])
    found = min_pass_rate(scope(now), LIKELY)
    assert (found.verdict, found.open) == (OPEN, True)
    assert found.advice.startswith("This rule needs the whole bank")


def test_several_tests_share_the_chance_of_a_false_alarm() -> None:
    now = scope(evidence(["P"] * 84 + ["F"] * 16))
    assert min_pass_rate(now, LIKELY).verdict is FAIL
    shared = min_pass_rate(replace(now, family=10), LIKELY)
    assert (shared.verdict, "5 % are shared by 10 tests" in shared.guarantee) == (OPEN, True)


def test_how_many_answers_would_decide() -> None:
    found = min_pass_rate(scope(evidence(["P"] * 46 + ["F"] * 4)), LIKELY)
    size = cases_to_settle(46 / 50, LIKELY, 0.05)
    assert size is not None
    assert found.advice == f"About {size:,} such answers would decide at this pass rate."
    words = ["P"] * round(size * 46 / 50) + ["F"] * (size - round(size * 46 / 50))
    assert min_pass_rate(scope(evidence(words)), LIKELY).verdict is PASS
    assert cases_to_settle(0.9, LIKELY, 0.05) is None


def judged_margin(where: Scope, limit: float = 0.05) -> RuleVerdict:
    """The rule with its own p-value: no other test in the gate."""
    test = margin_test(where, limit)
    return margin(where, limit, test, test.drop_p if test else None)


def before_and_after(both: int, lost: int, gained: int, neither: int = 0) -> Scope:
    before = ["P"] * (both + lost) + ["F"] * (gained + neither)
    after = ["P"] * both + ["F"] * lost + ["P"] * gained + ["F"] * neither
    return scope(evidence(after, side="b"), evidence(before, side="a"))


@pytest.mark.parametrize(
    ("both", "lost", "gained", "verdict", "said"),
    [
        (300, 5, 5, PASS, "No drop larger than 1.9 points (95 %): no drop was observed over 310 paired cases."),
        (52, 0, 0, PASS, "No drop larger than 5 points (95 %)"),
        (51, 0, 0, OPEN, "Not decided: from a gain of 5.1 points to a drop of 5.1 points all is plausible"),
        (100, 20, 2, FAIL, "A drop is shown, at least"),
        (1000, 20, 5, PASS, "A confirmed small drop: no drop larger than"),
        (80, 10, 6, OPEN, "Not decided"),
    ],
)
def test_the_margin_at_a_fixed_size(both: int, lost: int, gained: int, verdict: Verdict, said: str) -> None:
    found = judged_margin(before_and_after(both, lost, gained))
    assert (found.verdict, said in found.sentence) == (verdict, True), found.sentence
    assert "fail this in at most 5 % of gates; one that drops by 5 points or more would pass in about 5 %" in (
        found.guarantee
    )


def test_a_margin_passes_exactly_where_tango_excludes_it() -> None:
    for lost in range(12):
        found = judged_margin(before_and_after(188, lost, 4))
        excluded = noninferiority_p(lost, 4, 192 + lost, 0.05) <= 0.05
        assert (found.verdict is PASS) == excluded, lost


def test_an_undecided_margin_says_how_many_cases_would_decide() -> None:
    found = judged_margin(before_and_after(80, 10, 6))
    assert found.advice.startswith("About "), found.advice
    assert "cases would pass a version that is no worse; about" in found.advice
    assert "would show a drop as large as the one observed (4 times in 5, at the 16.7 % of pairs that differ" in (
        found.advice
    )


def test_the_cases_that_were_lost_are_named() -> None:
    found = judged_margin(before_and_after(100, 20, 2))
    assert [case.name.case_id for case in found.cases[:2]] == ["case-100", "case-101"]
    assert (found.cases[0].passed, found.cases[0].baseline_passed) == (0, 1)


def test_repeats_count_by_case() -> None:
    """Three repeats of 18 cases are 18 pieces of evidence, not 54."""
    assert judged_margin(scope(evidence(["PPP"] * 18, side="b"), evidence(["PPP"] * 18, side="a"))).verdict is OPEN
    assert judged_margin(scope(evidence(["PPP"] * 60, side="b"), evidence(["PPP"] * 60, side="a"))).verdict is PASS
    dropped = scope(evidence(["PFF"] * 12 + ["PPP"] * 30, side="b"), evidence(["PPP"] * 42, side="a"))
    assert judged_margin(dropped).verdict is FAIL


def test_a_baseline_with_more_repeats_is_compared_by_rates() -> None:
    found = judged_margin(scope(evidence(["P"] * 80, side="b"), evidence(["PPP"] * 80, side="a")))
    assert (found.verdict, found.observed) == (PASS, 0.0)
    worse = judged_margin(scope(evidence(["F"] * 20 + ["P"] * 60, side="b"), evidence(["PPP"] * 80, side="a")))
    assert (worse.verdict, worse.observed) == (FAIL, 0.25)


def test_identical_calls_and_scores_pass_by_identity_however_few() -> None:
    now, before = evidence(["P", "F"]), evidence(["P", "F"])
    found = judged_margin(scope(now, before))
    assert (found.verdict, found.sentence) == (
        PASS,
        "Nothing changed: all 2 cases have the same calls and the same scores.",
    )
    other = evidence(["P", "P"])  # the same calls, another score
    assert judged_margin(scope(now, other)).verdict is OPEN
    assert judged_margin(scope(evidence(["P", "T"]), evidence(["P", "T"]))).verdict is NOT


def test_cases_that_changed_or_are_new_have_no_pair() -> None:
    before = evidence(["P"] * 100, {number: {"digest": "old"} for number in range(3)}, side="a")
    now = evidence(["P"] * 100, {number: {"digest": "new"} for number in range(3)}, side="b")
    found = judged_margin(scope(now, before))
    assert found.verdict is NOT
    assert found.sentence == "97 of 100 cases have a pair in the baseline; 3 changed since it was made."
    assert "llmctl baseline save" in found.advice
    more = judged_margin(scope(evidence(["P"] * 103, side="b"), evidence(["P"] * 100, side="a")))
    assert (more.verdict, "; 3 are new" in more.sentence) == (NOT, True)
    none = judged_margin(scope(now))
    assert (none.verdict, none.sentence) == (NOT, "There is no baseline.")


def test_a_drop_is_a_fail_only_where_missing_pairs_could_not_undo_it() -> None:
    lost = ["F"] * 12 + ["P"] * 80
    assert judged_margin(scope(evidence([*lost, *["T"] * 8], side="b"), evidence(["P"] * 100, side="a"))).verdict is NOT
    many = ["F"] * 40 + ["P"] * 52
    assert (
        judged_margin(scope(evidence([*many, *["T"] * 8], side="b"), evidence(["P"] * 100, side="a"))).verdict is FAIL
    )


def looked_at(differences: list[int], planned: int, alpha: float = 0.05) -> StagedCell:
    """A sequential test that was fed one answer a case until it stopped."""
    test, fed = SequentialTest(planned, 0.05, 0.05, fail_alpha=alpha), 0
    for upto in test.schedule:
        decision = test.look(differences[fed:upto], [1] * (upto - fed))
        fed = upto
        if decision.stopped:
            unneeded = frozenset(f"case-{number}" for number in range(fed, planned))
            return StagedCell(CELL, decision, unneeded)
    raise AssertionError("the last look always stops")


def staged(after: str, planned: int) -> Scope:
    """A candidate whose first cases came like this, against a baseline that passed everywhere."""
    differences = [0 if letter == "P" else -1 for letter in after]
    cell = looked_at(differences, planned)
    asked = planned - len(cell.unneeded)
    now = evidence([*after[:asked], *["-"] * (planned - asked)], side="b")
    now.leave_out(cell.unneeded)
    return scope(now, evidence(["P"] * planned, side="a"), staged=cell)


def test_a_sequential_test_is_taken_at_its_word() -> None:
    passed = judged_margin(staged("P" * 500, 500))
    assert passed.verdict is PASS
    assert passed.sentence.startswith("No drop larger than ")
    assert " of 500 cases." in passed.sentence
    assert "with 19 looks on the way" in passed.guarantee
    failed = judged_margin(staged("F" * 500, 500))
    assert (failed.verdict, len(failed.cases)) == (FAIL, 20)
    undecided = judged_margin(staged(("P" * 19 + "F") * 3, 60))
    assert (undecided.verdict, undecided.open) == (OPEN, False)


def test_bets_on_this_bank_speak_of_this_bank() -> None:
    test, fed = BankTest([1] * 200, 0.05, 0.05), 0
    for upto in test.schedule:
        decision = test.look([0] * (upto - fed), [1] * (upto - fed))
        fed = upto
        if decision.stopped:
            break
    cell = StagedCell(CELL, decision, frozenset(f"case-{number}" for number in range(fed, 200)))
    now = evidence([*["P"] * fed, *["-"] * (200 - fed)], side="b")
    now.leave_out(cell.unneeded)
    found = judged_margin(scope(now, evidence(["P"] * 200, side="a"), staged=cell))
    assert (found.verdict, "(95 %, of this bank)" in found.sentence) == (PASS, True), found.sentence
    assert found.guarantee.startswith(
        "Of this bank only: if all of it drops by 5 points at most, this fails in at most 5 %"
    )
    assert "Of this bank" not in judged_margin(staged("P" * 500, 500)).guarantee
    assert "Of this bank" not in judged_margin(staged("F" * 500, 500)).guarantee


def test_a_gate_that_stopped_for_another_reason_leaves_the_margin_open() -> None:
    now = evidence([*["P"] * 50, *["-"] * 50], side="b")
    now.leave_out([f"case-{number}" for number in range(50, 100)])
    found = judged_margin(scope(now, evidence(["P"] * 100, side="a")))
    assert (found.verdict, found.open) == (OPEN, True)
    assert found.sentence == "50 cases were not sent: the gate was decided before."


def flipped(count: int, total: int = 40, again: AskedAgain | None = None) -> Scope:
    now = evidence(["F"] * count + ["P"] * (total - count), side="b")
    return scope(now, evidence(["P"] * total, side="a"), again=again, asked_cases=total)


def asked(draws: list[CaseDraws], needed: int = 5) -> AskedAgain:
    return AskedAgain({(CELL, f"case-{number}"): one for number, one in enumerate(draws)}, needed)


CONFIRMED, CLEARED = CaseDraws(5, 0, 0, 5), CaseDraws(2, 0, 1, 1)


@pytest.mark.parametrize(
    ("count", "again", "limit", "verdict", "said"),
    [
        (0, None, 0, PASS, "No case of 40 that passed in the baseline fails now."),
        (
            1,
            None,
            0,
            NOT,
            "1 case flipped, 0 allowed, and chance could explain it. Flipped cases were not asked again.",
        ),
        (1, None, 1, PASS, "1 new failure, 1 allowed."),
        (1, asked([CONFIRMED]), 0, FAIL, "1 new failure, 0 allowed: each passed 5 times in the baseline and failed 5"),
        (1, asked([CLEARED]), 0, PASS, "1 case flipped, and is flaky: asked again, none failed every time."),
        (2, asked([CONFIRMED, CLEARED]), 1, PASS, "1 new failure, 1 allowed."),
        (2, asked([CONFIRMED, CONFIRMED]), 1, FAIL, "2 new failures, 1 allowed"),
        (2, asked([CONFIRMED, CaseDraws(1, 0, 0, 1)]), 0, FAIL, "1 new failure"),
        (1, asked([CaseDraws(1, 0, 0, 1)]), 0, NOT, "Asking again did not come to an end."),
        (1, AskedAgain(unable={CELL: "The prompt is gone."}), 0, NOT, "The prompt is gone."),
    ],
)
def test_new_failures(count: int, again: AskedAgain | None, limit: int, verdict: Verdict, said: str) -> None:
    found = max_new_failures(flipped(count, again=again), limit)
    assert (found.verdict, said in found.sentence) == (verdict, True), found.sentence


def test_new_failures_state_their_false_alarms_and_their_misses() -> None:
    found = max_new_failures(flipped(1, again=asked([CONFIRMED])), 0)
    assert "at most 3.9 % of gates, however flaky its cases" in found.guarantee  # 40 cases x 4^-5
    assert "one that still passes 1 time in 10 in 59 %" in found.guarantee


def test_a_flip_of_a_flaky_baseline_is_none() -> None:
    now, before = evidence(["FFF"] * 40, side="b"), evidence(["PPF"] * 40, side="a")
    assert max_new_failures(scope(now, before), 0).verdict is PASS
    now, before = evidence(["FFP"] * 40, side="b"), evidence(["PPP"] * 40, side="a")
    assert max_new_failures(scope(now, before), 0).verdict is PASS


def test_new_failures_need_pairs_and_the_cases_that_passed() -> None:
    assert max_new_failures(scope(evidence(["P"])), 0).verdict is NOT
    some = evidence(["P"] * 90 + ["T"] * 10, side="b")
    assert max_new_failures(scope(some, evidence(["P"] * 100, side="a")), 0).verdict is NOT
    left = evidence(["P", "-", "-"], side="b")
    left.leave_out(["case-1", "case-2"])
    assert max_new_failures(scope(left, evidence(["P", "P", "F"], side="a")), 0).open
    done = evidence(["P", "P", "-"], side="b")
    done.leave_out(["case-2"])
    assert max_new_failures(scope(done, evidence(["P", "P", "F"], side="a")), 0).verdict is PASS, "it failed before"
