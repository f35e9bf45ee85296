"""Which cases of a cell are sent, in which order, and when it stops: pure, with results made by hand."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Container, Mapping

import pytest

from llmctl.compare.cells import Cell
from llmctl.compare.gate.evidence import CellEvidence, GateCase
from llmctl.compare.gate.order import clusters_in_order
from llmctl.compare.gate.planned import CandidateCell
from llmctl.compare.gate.staging import GateStages
from llmctl.compare.gate.watching import WatchSettings, staged_cell
from llmctl.outcome import Outcome
from llmctl.project.models import GateRules, RateRule
from llmctl.runs.records import ResultEvent
from llmctl.stats.decision import Outcome as Said
from llmctl.stats.decision import StopReason

CELL = Cell("b", "p", "m")
SETTINGS = WatchSettings(alpha=0.05, fail_alpha=0.05, max_missing=0.02, concurrency=8)
NOTHING: Container[int] = frozenset()

Answers = Callable[[str], bool | None]


def cases(count: int, special: Mapping[str, GateCase] | None = None, *, repeat: int = 1) -> list[GateCase]:
    return [(special or {}).get(f"c{n}", GateCase(f"c{n}", repeat)) for n in range(count)]


def planned(found: list[GateCase]) -> CandidateCell:
    numbers = itertools.count()
    units = tuple(tuple(next(numbers) for _ in range(case.planned)) for case in found)
    return CandidateCell(CELL, "p", "digest", tuple(found), units)


def before(found: list[GateCase], passes: Answers) -> CellEvidence:
    evidence = CellEvidence(CELL, found)
    for number, case in enumerate(found):
        evidence.evidence[number] = case.planned
        evidence.passed[number] = case.planned if passes(case.case_id) else 0
    return evidence


def result(case_id: str, repeat: int, passed: bool | None) -> ResultEvent:
    outcome = Outcome.ANSWERED if passed is not None else Outcome.TIMEOUT
    score = None if passed is None else float(passed)
    return ResultEvent("b", case_id, "p", "m", repeat, outcome, passed, score, "", None, f"{case_id}:{repeat}")


def drive(
    found: list[GateCase],
    rules: GateRules,
    answers: Answers,
    baseline: CellEvidence | None = None,
    settings: WatchSettings = SETTINGS,
    known: Container[int] = NOTHING,
) -> tuple[GateStages, list[list[str]]]:
    """Run the stages against answers; the case ids of each stage."""
    cell = planned(found)
    stages = GateStages([staged_cell(cell, rules, baseline, settings)])
    owner = {
        unit: (case.case_id, repeat)
        for case, units in zip(found, cell.units, strict=True)
        for repeat, unit in enumerate(units, 1)
    }
    sent = []
    while (stage := stages.next_stage(known)) is not None:
        assert list(stage) == sorted(set(stage))
        sent.append([owner[unit][0] for unit in stage])
        for unit in stage:
            case_id, repeat = owner[unit]
            stages.take(result(case_id, repeat, answers(case_id)))
    return stages, sent


def number_sent(sent: list[list[str]]) -> int:
    return sum(map(len, sent))


def test_an_unchanged_version_passes_its_margin_before_the_end() -> None:
    found = cases(400)
    stages, sent = drive(found, GateRules(margin=0.05), lambda _: True, before(found, lambda _: True))
    decision = stages.staged()[CELL].margin
    assert decision is not None and decision.outcome is Said.PASS
    assert 50 <= number_sent(sent) < 200
    assert len(stages.staged()[CELL].unneeded) == 400 - number_sent(sent)
    assert stages.ended_early == f"the verdict was reached after {number_sent(sent)} of 400 cases"


def test_a_broken_version_fails_at_the_first_look() -> None:
    found = cases(400)
    stages, sent = drive(found, GateRules(margin=0.05), lambda _: False, before(found, lambda _: True))
    decision = stages.staged()[CELL].margin
    assert decision is not None and decision.outcome is Said.FAIL
    assert number_sent(sent) == 50


def test_without_early_evidence_every_case_is_sent() -> None:
    found = cases(30)
    stages, sent = drive(found, GateRules(margin=0.05), lambda _: True, before(found, lambda _: True))
    decision = stages.staged()[CELL].margin
    assert decision is not None and decision.outcome is Said.INCONCLUSIVE
    assert decision.stopped in (StopReason.CURTAILED, StopReason.LAST_LOOK)
    assert number_sent(sent) <= 30


def test_cases_that_must_pass_are_sent_first_and_stop_everything() -> None:
    marked = {f"c{n}": GateCase(f"c{n}", must_pass=True) for n in (7, 111)}
    found = cases(200, marked)
    rules = GateRules(margin=0.05)
    stages, sent = drive(found, rules, lambda case: case != "c111", before(found, lambda _: True))
    assert sent == [["c7", "c111"]]
    assert stages.ended_early == "the verdict was reached after 2 of 200 cases"


def test_cases_that_must_pass_enter_the_margin_at_their_turn() -> None:
    marked = {f"c{n}": GateCase(f"c{n}", must_pass=True) for n in range(40)}
    found = cases(200, marked)
    stages, sent = drive(found, GateRules(margin=0.05), lambda _: True, before(found, lambda _: True))
    decision = stages.staged()[CELL].margin
    assert decision is not None
    assert set(sent[0]) == set(marked)
    # Those of them that stand behind the stop in the random order were sent, and are no part of the test.
    assert decision.clusters < number_sent(sent) < 200


def test_a_rate_is_decided_when_the_rest_cannot_change_it() -> None:
    found = cases(500)
    _, sent = drive(found, GateRules(min_pass_rate=RateRule(0.9)), lambda _: False)
    assert 51 <= number_sent(sent) <= 75
    _, sent = drive(found, GateRules(min_pass_rate=RateRule(0.5)), lambda _: True)
    assert 250 <= number_sent(sent) <= 275
    _, sent = drive(found, GateRules(min_pass_rate=RateRule(0.5, 0.95)), lambda _: True)
    assert number_sent(sent) == 500


def test_new_failures_need_what_passed_before_and_nothing_else() -> None:
    found = cases(60)
    passed = {f"c{n}" for n in range(0, 60, 2)}
    _, sent = drive(found, GateRules(max_new_failures=0), lambda _: True, before(found, passed.__contains__))
    assert set(itertools.chain(*sent)) == passed


def test_a_rule_of_a_tag_keeps_its_cases_coming_when_the_margin_is_decided() -> None:
    tagged = {f"c{n}": GateCase(f"c{n}", tags=("smoke",)) for n in range(0, 400, 8)}
    found = cases(400, tagged)
    rules = GateRules(margin=0.05, tags={"smoke": GateRules(max_new_failures=0)})
    _, sent = drive(found, rules, lambda _: True, before(found, lambda _: True))
    assert set(tagged) <= set(itertools.chain(*sent))
    assert number_sent(sent) < 250


def test_all_repeats_of_a_case_go_together() -> None:
    found = cases(100, repeat=3)
    _, sent = drive(found, GateRules(margin=0.1), lambda _: True, before(found, lambda _: True))
    for stage in sent:
        assert set(Counter(stage).values()) == {3}


def test_without_a_complete_baseline_nothing_stops_early() -> None:
    found = cases(200)
    half = before(found[:100], lambda _: True)
    stages, sent = drive(found, GateRules(margin=0.05), lambda _: True, half)
    assert stages.staged()[CELL].margin is None
    assert number_sent(sent) == 200
    _, sent = drive(found, GateRules(margin=0.05), lambda _: True, None)
    assert number_sent(sent) == 200  # the pass rates that are shown are those of the bank


def test_what_is_stored_is_taken_in_to_the_end() -> None:
    found = cases(400)
    baseline = before(found, lambda _: True)
    stages, sent = drive(found, GateRules(margin=0.05), lambda _: True, baseline, known=range(400))
    decision = stages.staged()[CELL].margin
    assert decision is not None and decision.clusters < 400
    assert number_sent(sent) == 400
    assert stages.ended_early is None


def test_a_model_that_died_is_given_up_and_its_cases_are_missing() -> None:
    found = cases(200)
    cell = staged_cell(planned(found), GateRules(margin=0.05), before(found, lambda _: True), SETTINGS)
    stages = GateStages([cell])
    assert stages.next_stage(NOTHING) is not None
    assert stages.next_stage(NOTHING) is None
    assert stages.ended_early is None
    assert not stages.staged()[CELL].unneeded


def test_a_model_that_died_is_not_asked_stage_after_stage() -> None:
    stages = GateStages([staged_cell(planned(cases(200)), GateRules(min_pass_rate=RateRule(0.9)), None, SETTINGS)])
    assert len(stages.next_stage(NOTHING) or ()) == 25
    assert stages.next_stage(NOTHING) is None


def test_bank_mode_decides_about_the_bank() -> None:
    found = cases(300)
    settings = WatchSettings(0.05, 0.05, 0.02, 8, bank_mode=True)
    stages, sent = drive(found, GateRules(margin=0.05), lambda _: True, before(found, lambda _: True), settings)
    decision = stages.staged()[CELL].margin
    assert decision is not None and decision.outcome is Said.PASS
    assert number_sent(sent) < 300


@pytest.mark.parametrize("count", [1, 2, 7, 49])
def test_small_banks_come_to_an_end(count: int) -> None:
    found = cases(count)
    stages, _ = drive(found, GateRules(margin=0.05, max_new_failures=0), lambda _: True, before(found, lambda _: True))
    assert stages.staged()[CELL].margin is not None


def test_draws_that_one_side_has_more_of_are_left_out() -> None:
    found = cases(120)
    three = before([GateCase(case.case_id, 3) for case in found], lambda _: True)
    stages, _ = drive(found, GateRules(margin=0.05), lambda _: True, three)
    decision = stages.staged()[CELL].margin
    assert decision is not None and decision.outcome is Said.PASS and decision.drop == 0


def test_the_order_is_random_seeded_and_spread_over_tags() -> None:
    found = [GateCase(f"c{n:03}", tags=("rare",) if n < 40 else ("common",)) for n in range(400)]
    order = clusters_in_order(found, "1")
    assert order == clusters_in_order(found, "1")
    assert order != clusters_in_order(found, "2")
    assert sorted(itertools.chain(*order)) == list(range(400))
    for first in (50, 100, 200):
        rare = sum(position < 40 for cluster in order[:first] for position in cluster)
        assert abs(rare - first / 10) <= 1
    # The file's order is not what decides.
    turned = [found[cluster[0]].case_id for cluster in order]
    again = clusters_in_order(found[::-1], "1")
    assert turned == [found[::-1][cluster[0]].case_id for cluster in again]


def test_cases_of_a_group_are_one_cluster() -> None:
    found = [GateCase(f"c{n}", group=f"g{n // 4}") for n in range(40)]
    order = clusters_in_order(found, "0")
    assert len(order) == 10
    assert all(len({found[position].group for position in cluster}) == 1 for cluster in order)
