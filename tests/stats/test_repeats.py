"""Repeats: pass@k and pass^k by counting subsets, and variances found again in simulated answers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.stats.repeats import mean_pass_at_k, mean_pass_hat_k, pass_at_k, pass_hat_k, repeats


@pytest.mark.parametrize("answers", range(1, 8))
def test_they_count_the_subsets(answers: int) -> None:
    for passed in range(answers + 1):
        marks = [place < passed for place in range(answers)]
        for k in range(1, answers + 1):
            subsets = list(itertools.combinations(marks, k))
            assert pass_at_k(answers, passed, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))
            assert pass_hat_k(answers, passed, k) == pytest.approx(sum(map(all, subsets)) / len(subsets))


@given(st.integers(1, 400), st.data())
def test_all_pass_less_often_than_any(answers: int, data: st.DataObject) -> None:
    passed, k = data.draw(st.integers(0, answers)), data.draw(st.integers(1, answers))
    hat, at = pass_hat_k(answers, passed, k), pass_at_k(answers, passed, k)
    assert 0 <= hat <= passed / answers + 1e-12
    assert passed / answers - 1e-12 <= at <= 1
    assert at == pytest.approx(1 - pass_hat_k(answers, answers - passed, k), abs=1e-12)


def test_means_are_over_cases_with_enough_answers() -> None:
    answers, passed = [3, 3, 5, 1, 0], [3, 1, 2, 1, 0]
    assert mean_pass_at_k(answers, passed, 3) == pytest.approx((1 + 1 + pass_at_k(5, 2, 3)) / 3)
    assert mean_pass_hat_k(answers, passed, 1) == pytest.approx((1 + 1 / 3 + 2 / 5 + 1) / 4)
    assert mean_pass_at_k(answers, passed, 6) is None
    assert mean_pass_at_k([], [], 1) is None


def test_flaky_cases_are_counted_among_those_that_could_be() -> None:
    found = repeats([3, 3, 2, 1, 0, 4], [3, 1, 0, 1, 0, 2])
    assert (found.cases, found.flaky, found.fewest, found.most) == (4, 2, 2, 4)
    assert found.flake_rate == 0.5
    assert found.flake_interval is not None
    assert found.within == pytest.approx((0 + 1 / 3 * 2 / 3 * 3 / 2 + 0 + 1 / 4 * 4 / 3) / 4)


@pytest.mark.parametrize("k", [2, 3, 8])
def test_variances_are_those_that_made_the_answers(k: int) -> None:
    generator = np.random.default_rng(1000 + k)
    rates = generator.beta(1.6, 0.4, 60_000)
    found = repeats(np.full(rates.size, k), generator.binomial(k, rates))
    within, between = float((rates * (1 - rates)).mean()), float(rates.var())
    assert found.within == pytest.approx(within, rel=0.05)
    assert found.between == pytest.approx(between, rel=0.05)
    assert found.disagreement == pytest.approx(2 * within, rel=0.05)
    assert found.intraclass_correlation == pytest.approx(between / (between + within), rel=0.05)


def test_of_equal_repeats_the_split_is_the_one_of_the_reference() -> None:
    passed, k = np.array([5, 4, 0, 3, 5, 1]), 5
    rates = passed / k
    within = float((rates * (1 - rates)).mean()) * k / (k - 1)
    found = repeats(np.full(6, k), passed)
    assert found.within == pytest.approx(within)
    assert found.between == pytest.approx(float(rates.var(ddof=1)) - within / k)


def test_unknown_is_said() -> None:
    nothing = repeats([1, 1, 0], [1, 0, 0])
    assert (nothing.cases, nothing.within, nothing.between, nothing.disagreement) == (0, None, None, None)
    assert (nothing.flake_rate, nothing.flake_interval, nothing.intraclass_correlation) == (None, None, None)
    one = repeats([4], [2])
    assert (one.between, one.intraclass_correlation) == (None, None)
    same = repeats([2, 2], [2, 2])
    assert (same.within, same.between, same.intraclass_correlation) == (0, 0, None)
    coins = repeats([2] * 4, [1] * 4)
    assert (coins.between, coins.intraclass_correlation) == (0, 0)  # less than chance would make: never below 0


@pytest.mark.parametrize(("answers", "passed", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 4), (3, 1, 0), (0, 0, 1)])
def test_what_is_no_count_is_refused(answers: int, passed: int, k: int) -> None:
    for function in (pass_at_k, pass_hat_k):
        with pytest.raises(ValueError, match=r"count|k lies"):
            function(answers, passed, k)


@pytest.mark.parametrize(("answers", "passed"), [([1, 2], [1]), ([1], [2]), ([math.nan], [1]), ([2], [0.5])])
def test_rows_that_are_no_counts_are_refused(answers: list[float], passed: list[float]) -> None:
    with pytest.raises(ValueError, match="count"):
        repeats(answers, passed)
    with pytest.raises(ValueError, match="k is 1"):
        mean_pass_at_k([1], [1], 0)
