"""Bank mode: against every order of small banks, and at its edges."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmctl.stats.betting import BETS, BankTest, Capital
from llmctl.stats.decision import Decision, Outcome, Remaining, StopReason


def _run(
    differences: list[int], margin: float, alpha: float = 0.05, schedule: tuple[int, ...] | None = None
) -> Decision:
    test = BankTest([1] * len(differences), margin, alpha, schedule=schedule)
    start = 0
    for upto in test.schedule:
        decision = test.look(differences[start:upto], [1] * (upto - start))
        if decision.stopped:
            return decision
        start = upto
    raise AssertionError("the last look stops")


@pytest.mark.parametrize("losses", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("margin", [0.2, 0.4])
def test_over_all_orders_an_early_verdict_is_wrong_at_most_so_often(losses: int, margin: float) -> None:
    bank = [-1] * losses + [1] + [0] * (6 - losses)
    truth = Outcome.PASS if (losses - 1) / 7 <= margin else Outcome.FAIL
    orders = list(permutations(bank))
    found = {order: _run(list(order), margin, 0.25, tuple(range(1, 8))).outcome for order in set(orders)}
    assert sum(found[order] is not truth for order in orders) / len(orders) <= 0.25
    assert set(found.values()) <= {Outcome.PASS, Outcome.FAIL}


def test_the_capital_is_a_fair_game() -> None:
    values = [0.0, 0.5, 0.5, 1.0, 1.0]
    mean = float(np.mean(values))
    ends = [Capital(5, mean).add(np.array(order)) for order in permutations(values)]
    # The most that it ever was reaches c at most 1 / c of the time.
    for level in (1.2, 1.5, 2.0, 3.0):
        assert np.mean(np.array(ends) >= level) <= 1 / level


def test_the_capital_is_the_mean_of_its_gamblers() -> None:
    # Two of four drawn: 1 and 0.5 against a mean of 0.5. m_1 = 0.5, m_2 = (2 - 1) / 3.
    by_hand = np.mean((1 + BETS * (1 / 0.5 - 1)) * (1 + BETS * (0.5 / (1 / 3) - 1)))
    assert Capital(4, 0.5).add(np.array([1.0, 0.5])) == pytest.approx(by_hand)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=30), st.integers(1, 29))
def test_it_is_the_same_however_the_values_come(values: list[float], cut: int) -> None:
    whole, parts = Capital(40, 0.45), Capital(40, 0.45)
    parts.add(np.array(values[:cut]))
    assert parts.add(np.array(values[cut:])) == pytest.approx(whole.add(np.array(values)))


def test_what_is_drawn_can_refute_by_itself() -> None:
    assert Capital(4, 0.5).add(np.array([1.0, 1.0, 0.5])) == float("inf")
    assert Capital(4, 0.5).add(np.zeros(0)) == 1


def test_a_capital_without_bounds_is_no_warning() -> None:
    assert Capital(100_000, 0.3).add(np.full(20_000, 0.9)) == float("inf")


@settings(deadline=None)
@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=40), st.sampled_from([0.05, 0.1]))
def test_at_the_end_the_answer_is_known(differences: list[int], margin: float) -> None:
    size = len(differences)
    decision = _run(differences, margin, schedule=(size,))
    drop = -sum(differences) / size
    assert decision.outcome is (Outcome.PASS if drop <= margin + 1e-12 else Outcome.FAIL)
    assert decision.stopped is StopReason.LAST_LOOK
    assert decision.bounds is not None
    assert decision.bounds.at_least == pytest.approx(drop, abs=1e-5)
    assert decision.bounds.at_most == pytest.approx(drop, abs=1e-5)


def test_an_unchanged_bank_passes_early_and_a_broken_one_fails_early() -> None:
    draw = np.random.default_rng(1)
    same, worse = np.repeat([-1, 1, 0], [25, 25, 450]), np.repeat([-1, 0], [75, 425])
    passing = _run(draw.permutation(same).tolist(), 0.05)
    failing = _run(draw.permutation(worse).tolist(), 0.05)
    assert (passing.outcome, passing.stopped) == (Outcome.PASS, StopReason.BOUNDARY)
    assert (failing.outcome, failing.stopped) == (Outcome.FAIL, StopReason.BOUNDARY)
    assert passing.clusters < 400
    assert failing.clusters < 400
    assert passing.bounds is not None
    assert failing.bounds is not None
    assert passing.bounds.at_least <= 0 <= passing.bounds.at_most <= 0.0501
    assert 0.0499 <= failing.bounds.at_least <= 0.15 <= failing.bounds.at_most


def test_a_known_baseline_ends_it_when_the_rest_cannot_matter() -> None:
    test = BankTest([1] * 100, 0.05, schedule=(60, 100))
    decision = test.look([1] * 5 + [0] * 55, [1] * 60, Remaining.of([1] * 10 + [0] * 30, [1] * 40))
    assert (decision.outcome, decision.stopped) == (Outcome.PASS, StopReason.CURTAILED)
    test = BankTest([1] * 100, 0.05, schedule=(60, 100))
    decision = test.look([-1] * 16 + [0] * 44, [1] * 60, Remaining.of([1] * 30 + [0] * 10, [1] * 40))
    assert (decision.outcome, decision.stopped) == (Outcome.FAIL, StopReason.CURTAILED)


def test_missing_answers_count_against_both_verdicts() -> None:
    test = BankTest([1] * 100, 0.05, schedule=(100,))
    sizes = [0, *[1] * 15] * 6 + [1] * 4
    decision = test.look([0] * 100, sizes)
    assert decision.outcome is Outcome.INCONCLUSIVE
    assert decision.bounds is not None
    assert -0.06 <= decision.bounds.at_least < 0
    assert 0.05 < decision.bounds.at_most <= 0.06
    assert BankTest([1] * 100, 0.07, schedule=(100,)).look([0] * 100, sizes).outcome is Outcome.PASS


def test_clusters_of_several_sizes_are_one_bank() -> None:
    sizes = [1, 5, 2, 2]
    decision = BankTest(sizes, 0.1, schedule=(4,)).look([0, -1, 0, 0], sizes)
    assert (decision.outcome, decision.drop) == (Outcome.PASS, 0.1)
    assert BankTest(sizes, 0.09, schedule=(4,)).look([0, -1, 0, 0], sizes).outcome is Outcome.FAIL


def test_what_the_driver_must_not_do_is_refused() -> None:
    with pytest.raises(ValueError, match="shares"):
        BankTest([1, 1], 0.0)
    with pytest.raises(ValueError, match="rise"):
        BankTest([1, 1], 0.1, schedule=(1,))
    with pytest.raises(ValueError, match="no larger"):
        BankTest([1, 1], 0.1, schedule=(2,)).look([-2, 0], [1, 1])
    with pytest.raises(ValueError, match="takes 2"):
        BankTest([1, 1], 0.1, schedule=(2,)).look([0], [1])
