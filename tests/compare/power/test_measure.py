"""How often distinct answers differ: never two results that share a call, never answers that were judged otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from llmctl.compare.diff.request import DiffRequest
from llmctl.compare.power.measure import ASSUMED_DISCORDANCE, PowerRequest, correlation_within, measure_power
from llmctl.compare.power.report import CellPower, NoiseSource, PowerReport
from llmctl.compare.power.sizes import Question
from llmctl.compare.side import Side
from tests.compare.diff.samples import Answer, SampleCase, Store, Target


def measure(store: Store, a: Side, b: Side | None = None, **values: float) -> PowerReport:
    request = PowerRequest(DiffRequest(store.config), Question(), **values)  # type: ignore[arg-type]
    return measure_power(a, b, request)


def cell(report: PowerReport) -> CellPower:
    (only,) = report.cells
    return only


def case(name: str, *passed: bool | None, request: str | None = None, group: str | None = None) -> SampleCase:
    """A case with one answer for each; `request`: what the key of the first call is."""
    answers = [Answer(one, call_key=f"{request}-{number}" if request else None) for number, one in enumerate(passed, 1)]
    return SampleCase(name, answers, group=group)


def test_repeats_are_draws_of_one_call(store: Store) -> None:
    side = store.run(Target([case("a", True, False), case("b", True, True), case("c", False, False), case("d", True)]))
    found = cell(measure(store, side)).discordance
    assert (found.source, found.cases, found.answers) == (NoiseSource.DRAWS, 3, 6)
    assert found.value == pytest.approx(1 / 3)


def test_three_answers_of_which_two_pass_differ_in_two_pairs_of_three(store: Store) -> None:
    side = store.run(Target([case("a", True, True, False)]))
    assert cell(measure(store, side)).discordance.value == pytest.approx(2 / 3)


def test_results_that_share_a_call_are_one_draw(store: Store) -> None:
    answer = Answer(True, call="call-1", call_key="k")
    store.run(Target([SampleCase("a", [answer])]))
    side = store.run(Target([SampleCase("a", [answer])]))
    found = cell(measure(store, side)).discordance
    assert (found.source, found.value) == (NoiseSource.ASSUMED, ASSUMED_DISCORDANCE)


def test_the_same_call_sent_again_is_another_draw(store: Store) -> None:
    store.run(Target([case("a", True, request="k"), case("b", True, request="l")]))
    side = store.run(Target([case("a", False, request="k"), case("b", True, request="l")]))
    found = cell(measure(store, side)).discordance
    assert (found.source, found.value, found.answers) == (NoiseSource.DRAWS, 0.5, 4)


def test_another_call_is_no_draw_of_this_one(store: Store) -> None:
    store.run(Target([case("a", True, request="k")]))
    side = store.run(Target([case("a", False, request="other")]))
    assert cell(measure(store, side)).discordance.source is NoiseSource.ASSUMED


def test_answers_that_were_judged_by_other_evaluators_make_no_pair(store: Store) -> None:
    other = SampleCase("a", [Answer(False, call_key="k-1")], expected="no")
    store.run(Target([other]))
    side = store.run(Target([case("a", True, request="k")]))
    assert cell(measure(store, side)).discordance.source is NoiseSource.ASSUMED


def test_draws_of_the_calls_come_before_those_of_earlier_versions(store: Store) -> None:
    store.run(Target([case("a", True, False, request="old")]))
    fresh = store.run(Target([case("a", True, request="new")]))
    found = cell(measure(store, fresh)).discordance
    assert (found.source, found.value) == (NoiseSource.EARLIER, 1.0)
    side = store.run(Target([case("a", True, True, request="new")]))
    found = cell(measure(store, side)).discordance
    assert (found.source, found.value) == (NoiseSource.DRAWS, 0.0)


def test_another_model_is_another_cell(store: Store) -> None:
    store.run(Target([case("a", True, False)], model="large"))
    side = store.run(Target([case("a", True)], model="small"))
    assert cell(measure(store, side)).discordance.source is NoiseSource.ASSUMED


def test_two_sides_are_paired(store: Store) -> None:
    a = store.run(Target([case("a", True), case("b", True), case("c", False), case("d", True)]))
    b = store.run(Target([case("a", False), case("b", True), case("c", False), case("d", True)]))
    found = cell(measure(store, a, b)).discordance
    assert (found.source, found.value, found.change) == (NoiseSource.SIDES, 0.25, -0.25)


def test_two_sides_leave_out_pairs_of_one_call(store: Store) -> None:
    shared = Answer(True, call="call-1")
    a = store.run(Target([SampleCase("a", [shared]), case("b", True)]))
    b = store.run(Target([SampleCase("a", [shared]), case("b", False)]))
    found = cell(measure(store, a, b)).discordance
    assert (found.cases, found.value) == (1, 1.0)


def test_what_is_given_is_not_measured(store: Store) -> None:
    side = store.run(Target([case("a", True, False)]))
    found = cell(measure(store, side, discordance=0.2)).discordance
    assert (found.source, found.value) == (NoiseSource.GIVEN, 0.2)


def test_a_group_counts_as_one_where_nothing_tells_how_alike_it_is(store: Store) -> None:
    side = store.run(Target([case(f"c{number}", True, group=f"g{number // 4}") for number in range(40)]))
    report = measure(store, side)
    clusters = cell(report).clusters
    assert (clusters.cases, clusters.clusters, clusters.size, clusters.effective) == (40, 10, 4.0, 10)
    assert any("--icc" in note for note in report.notes)
    assert cell(measure(store, side, correlation=0.0)).clusters.effective == 40


def test_the_correlation_within_groups_is_measured_on_two_sides(store: Store) -> None:
    a = store.run(Target([case(f"c{number}", True, group=f"g{number // 4}") for number in range(40)]))
    b = store.run(Target([case(f"c{number}", number // 4 % 2 == 0, group=f"g{number // 4}") for number in range(40)]))
    clusters = cell(measure(store, a, b)).clusters
    assert clusters.measured
    assert clusters.correlation == pytest.approx(1.0)


def test_correlation_of_a_textbook_example() -> None:
    # Two groups of two: MSB = 4, MSW = 1, m0 = 2, so that the ICC is (4 - 1) / (4 + 1).
    values = np.array([0.0, np.sqrt(2), 2.0, 2 + np.sqrt(2)])
    assert correlation_within(values, np.array([1, 1, 2, 2])) == pytest.approx(3 / 5)
    assert correlation_within(values, np.array([1, 2, 3, 4])) is None
    assert correlation_within(np.zeros(4), np.array([1, 1, 2, 2])) is None
