"""The sequential test, look by look: what it decides, why it stops, and that nothing left could have changed it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmctl.stats.sequential import Decision, Outcome, Remaining, SequentialTest, StopReason, looks


def _run(
    test: SequentialTest, differences: Sequence[int], sizes: Sequence[int], passed: Sequence[int] | None = None
) -> Decision:
    start = 0
    for upto in test.schedule:
        left = Remaining.of(passed[upto:], sizes[upto:]) if passed is not None else None
        decision = test.look(differences[start:upto], sizes[start:upto], left)
        if decision.stopped:
            return decision
        start = upto
    raise AssertionError("the last look stops")


def _answers(losses: Sequence[int], gains: Sequence[int], cases: int) -> list[int]:
    return [-1 if place in losses else 1 if place in gains else 0 for place in range(cases)]


def test_nothing_that_differs_passes_early_with_a_bound_below_the_margin() -> None:
    decision = _run(SequentialTest(500, 0.05), [0] * 500, [1] * 500)
    assert (decision.outcome, decision.stopped, decision.early) == (Outcome.PASS, StopReason.BOUNDARY, True)
    assert decision.clusters < 200
    assert decision.bounds is not None
    assert 0 < decision.bounds.at_most <= 0.05
    assert decision.bounds.at_least == pytest.approx(-decision.bounds.at_most)
    assert decision.pass_evidence >= decision.pass_boundary
    assert (decision.drop, decision.drop_shown, decision.fail_spent) == (0, False, 0)


def test_a_broken_change_fails_at_the_first_look() -> None:
    decision = _run(SequentialTest(500, 0.05), [-1, 0, 0, 0, 0] * 100, [1] * 500)
    assert (decision.outcome, decision.stopped) == (Outcome.FAIL, StopReason.BOUNDARY)
    assert (decision.look, decision.clusters, decision.drop) == (1, 50, 0.2)
    assert decision.fail_boundary is not None
    assert decision.fail_evidence >= decision.fail_boundary
    assert 0 < decision.fail_spent <= 0.05 * 0.1**1.5
    assert decision.bounds is not None
    assert 0 < decision.bounds.at_least < 0.2 < decision.bounds.at_most


def test_a_drop_that_is_real_and_small_passes_and_says_so() -> None:
    test = SequentialTest(4000, 0.05, schedule=(4000,))
    decision = _run(test, _answers(range(80), range(80, 100), 4000), [1] * 4000)
    assert (decision.outcome, decision.small_drop) == (Outcome.PASS, True)
    assert decision.bounds is not None
    assert 0 < decision.bounds.at_least < 0.015 < decision.bounds.at_most < 0.05


def test_too_few_cases_are_inconclusive_at_the_end() -> None:
    decision = _run(SequentialTest(30, 0.05), [0] * 30, [1] * 30)
    assert (decision.outcome, decision.stopped) == (Outcome.INCONCLUSIVE, StopReason.LAST_LOOK)
    assert decision.bounds is not None
    assert decision.bounds.at_most > 0.05


def test_repeats_of_a_case_do_not_count_as_cases() -> None:
    once = _run(SequentialTest(60, 0.05, schedule=(60,)), _answers(range(6), (), 60), [1] * 60)
    alike = _run(SequentialTest(60, 0.05, schedule=(60,)), [3 * d for d in _answers(range(6), (), 60)], [3] * 60)
    assert once.outcome is alike.outcome is Outcome.FAIL
    assert alike.fail_evidence == 3 * once.fail_evidence
    assert alike.pass_evidence == pytest.approx(once.pass_evidence)
    assert alike.fail_spent == once.fail_spent


def test_cases_of_a_group_flip_together() -> None:
    decision = _run(SequentialTest(50, 0.05, schedule=(50,)), [-8] + [0] * 49, [8] * 50)
    assert (decision.outcome, decision.fail_boundary) == (Outcome.INCONCLUSIVE, None)


def test_a_cell_that_shares_alpha_takes_more_to_fail_and_no_more_to_pass() -> None:
    whole, shared = SequentialTest(100, 0.05), SequentialTest(100, 0.05, fail_alpha=0.01)
    differences = _answers(range(0, 100, 9), (), 100)
    a, b = _run(whole, differences, [1] * 100), _run(shared, differences, [1] * 100)
    assert (a.outcome, a.clusters) == (Outcome.FAIL, 50)
    assert (b.outcome, b.clusters) == (Outcome.FAIL, 75)
    assert a.fail_spent <= 0.05
    assert b.fail_spent <= 0.01


def test_a_cluster_without_evidence_takes_its_place_and_says_nothing() -> None:
    decision = _run(SequentialTest(500, 0.05), [0] * 500, [1, 0] * 250)
    assert decision.outcome is Outcome.PASS
    assert decision.clusters > _run(SequentialTest(500, 0.05), [0] * 500, [1] * 500).clusters
    empty = _run(SequentialTest(60, 0.05), [0] * 60, [0] * 60)
    assert (empty.outcome, empty.drop, empty.bounds) == (Outcome.INCONCLUSIVE, None, None)


def test_no_look_after_the_last() -> None:
    test = SequentialTest(30, 0.05, schedule=(30,))
    assert (test.decision, test.bounds()) == (None, None)
    decision = test.look([0] * 30, [1] * 30)
    assert test.decision == decision
    with pytest.raises(ValueError, match="stopped"):
        test.look([], [])


def test_what_the_driver_must_not_do_is_refused() -> None:
    with pytest.raises(ValueError, match="takes 50 clusters"):
        SequentialTest(100, 0.05).look([0] * 49, [1] * 49)
    with pytest.raises(ValueError, match="no larger"):
        SequentialTest(2, 0.05, schedule=(2,)).look([-2, 0], [1, 1])
    with pytest.raises(ValueError, match="margin"):
        SequentialTest(100, 0.0)
    with pytest.raises(ValueError, match="last look"):
        SequentialTest(100, 0.05, schedule=(50,))
    with pytest.raises(ValueError, match="baseline"):
        Remaining.of([2], [1])


@pytest.mark.parametrize(
    ("clusters", "batch", "expected"),
    [
        (1, 1, (1,)),
        (10, 1, (5, 10)),
        (60, 1, (30, 60)),
        (60, 64, (60,)),
        (100, 1, (50, 75, 100)),
        (110, 1, (50, 75, 110)),
        (120, 1, (50, 75, 100, 120)),
        (200, 32, (50, 82, 114, 146, 178, 200)),
        (200, 80, (80, 160, 200)),
        (190, 80, (80, 190)),
    ],
)
def test_the_looks(clusters: int, batch: int, expected: tuple[int, ...]) -> None:
    assert looks(clusters, batch=batch) == expected


@given(st.integers(1, 100_000), st.integers(1, 300))
def test_looks_rise_to_all_clusters_in_steps_no_shorter_than_a_batch(clusters: int, batch: int) -> None:
    found = looks(clusters, batch=batch)
    assert found[-1] == clusters
    assert len(found) <= 101
    steps = np.diff((0, *found))
    assert (steps[:-1] >= batch).all()
    assert 2 * steps[-1] >= min(steps.max(), batch)


_BANKS = st.integers(1, 2).flatmap(
    lambda repeats: st.lists(st.tuples(st.integers(0, repeats), st.integers(0, repeats)), min_size=6, max_size=7).map(
        lambda cases: (repeats, cases)
    )
)


@settings(max_examples=150, deadline=None)
@given(_BANKS, st.sampled_from([0.2, 0.4]), st.sampled_from([0.1, 0.3]))
def test_what_is_certain_happens_in_every_continuation(
    bank: tuple[int, list[tuple[int, int]]], margin: float, alpha: float
) -> None:
    repeats, cases = bank
    passed = [before for before, _ in cases]
    differences = [after - before for before, after in cases]
    sizes = [repeats] * len(cases)
    schedule = (2, 4, len(cases))
    decision = _run(SequentialTest(len(cases), margin, alpha, schedule=schedule), differences, sizes, passed)
    if decision.stopped is not StopReason.CURTAILED:
        return
    ahead = [range(-before, repeats - before + 1) for before in passed[decision.clusters :]]
    for rest in product(*ahead):
        whole = SequentialTest(len(cases), margin, alpha, schedule=schedule)
        assert _run(whole, [*differences[: decision.clusters], *rest], sizes).outcome is decision.outcome


@pytest.mark.parametrize(
    ("losses", "first", "passed", "outcome"),
    [
        # The two that are left failed before: they cannot be lost, and gaining both is not enough.
        (4, 58, [1] * 58 + [0] * 2, Outcome.INCONCLUSIVE),
        # What is left failed before: at worst it stays so, and 60 pairs without a loss exclude 5 points.
        (0, 30, [1] * 30 + [0] * 30, Outcome.PASS),
        # What is left passed before: at best it stays so, and 5 losses without a gain are too rare for chance.
        (5, 30, [1] * 60, Outcome.FAIL),
    ],
)
def test_curtailment_saves_calls(losses: int, first: int, passed: list[int], outcome: Outcome) -> None:
    test = SequentialTest(60, 0.05, schedule=(first, 60))
    decision = _run(test, _answers(range(losses), (), 60), [1] * 60, passed)
    assert (decision.outcome, decision.clusters) == (outcome, first)
    assert decision.stopped is StopReason.CURTAILED
