"""The sign-flip test: its three ways against each other, against McNemar and scipy, and its laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmctl.stats import permutation
from llmctl.stats.alternative import Alternative
from llmctl.stats.paired import mcnemar
from llmctl.stats.permutation import SignFlip, SignFlipMethod, sign_flip

WHOLE = st.lists(st.integers(-3, 3), min_size=1, max_size=14)


def known(test: SignFlip | None) -> SignFlip:
    assert test is not None
    return test


@pytest.mark.parametrize("alternative", list(Alternative))
def test_it_is_the_permutation_test_of_scipy(alternative: Alternative) -> None:
    differences = np.random.default_rng(3).normal(0.3, 1, 11)
    expected = stats.permutation_test(
        (differences,),
        lambda values, axis: values.sum(axis=axis),
        permutation_type="samples",
        alternative=alternative.value,
        n_resamples=np.inf,
        vectorized=True,
    )
    assert known(sign_flip(differences, alternative=alternative)).p_value == pytest.approx(expected.pvalue)


@given(WHOLE, st.sampled_from(list(Alternative)), st.sampled_from([1, 3, 7, 100]))
def test_the_characteristic_function_counts_as_enumeration_does(
    whole: list[int], alternative: Alternative, steps: int
) -> None:
    # Pairs of opposite units change nothing of a sum that is tried, so the lattice takes over at the same question.
    tried = known(sign_flip(np.array(whole) / steps, alternative=alternative))
    values, counts = np.unique(np.abs([value for value in whole if value]), return_counts=True)
    if not values.size:
        assert tried.p_value == 1
        return
    found = permutation._lattice_p(values, counts, sum(whole), alternative)
    assert found == pytest.approx(tried.p_value, abs=1e-12)


@pytest.mark.parametrize("alternative", list(Alternative))
@pytest.mark.parametrize(("losses", "gains"), [(30, 10), (10, 30), (12, 12), (700, 900)])
def test_of_single_answers_it_is_mcnemars_test(losses: int, gains: int, alternative: Alternative) -> None:
    differences = [-1] * losses + [1] * gains + [0] * 50
    test = known(sign_flip(differences, alternative=alternative))
    assert test.p_value == pytest.approx(mcnemar(losses, gains, alternative).exact, rel=1e-12)
    assert test.method is SignFlipMethod.EXACT


@pytest.mark.parametrize("alternative", list(Alternative))
def test_drawing_comes_near_the_exact_law(alternative: Alternative) -> None:
    differences = np.random.default_rng(5).integers(-3, 4, 300)
    exact = known(sign_flip(differences / 3, alternative=alternative))
    drawn = known(sign_flip(differences / 3 + 1e-5 * np.sin(np.arange(300)), alternative=alternative))
    assert (exact.method, drawn.method) == (SignFlipMethod.EXACT, SignFlipMethod.MONTE_CARLO)
    assert drawn.p_value == pytest.approx(exact.p_value, abs=0.02)
    assert drawn.count is not None
    assert drawn.p_value == (drawn.count + 1) / 10_001


def test_large_lattices_agree_with_the_normal_distribution() -> None:
    differences = np.random.default_rng(7).integers(-3, 4, 100_000) / 3
    z = differences.sum() / math.sqrt((differences**2).sum())
    test = known(sign_flip(differences))
    assert test.method is SignFlipMethod.EXACT
    assert test.p_value == pytest.approx(2 * stats.norm.sf(abs(z)), abs=2e-3)


@given(WHOLE)
def test_turning_all_signs_turns_the_direction(whole: list[int]) -> None:
    differences = np.array(whole * 3) / 7
    assert known(sign_flip(differences)) == known(sign_flip(-differences))
    less, greater = (known(sign_flip(differences, alternative=one)) for one in (Alternative.LESS, Alternative.GREATER))
    assert known(sign_flip(-differences, alternative=Alternative.LESS)) == greater
    assert less.p_value + greater.p_value >= 1 - 1e-9
    assert known(sign_flip(differences)).p_value == pytest.approx(min(1, 2 * min(less.p_value, greater.p_value)))


def test_a_seed_gives_the_same_again() -> None:
    differences = np.random.default_rng(1).normal(0.1, 1, 60)
    assert sign_flip(differences, seed=4) == sign_flip(differences, seed=4)
    assert sign_flip(differences, seed=4) != sign_flip(differences, seed=5)
    assert known(sign_flip(differences, draws=99)).total == 99


def test_groups_are_flipped_together() -> None:
    values = np.random.default_rng(2).integers(-2, 3, 40)
    groups = np.arange(40) % 9
    sums = np.bincount(groups, weights=values)
    assert sign_flip(values, groups) == sign_flip(sums)
    assert known(sign_flip(values, groups)).units == 9
    assert known(sign_flip([1.0, 1.0, 1.0], ["a", "a", "a"])).p_value == 1


def test_no_p_value_is_zero() -> None:
    assert known(sign_flip(np.tile([1.0, 2.0], 200))).p_value == 1e-12
    assert known(sign_flip(np.random.default_rng(0).random(100))).p_value == 1 / 10_001


@pytest.mark.parametrize("size", [1, 16, 17, 5000])
def test_what_does_not_differ_is_no_evidence(size: int) -> None:
    assert known(sign_flip(np.zeros(size))).p_value == 1
    assert sign_flip([]) is None


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        sign_flip([1.0, math.nan])
    with pytest.raises(ValueError, match="drawn"):
        sign_flip([1.0], draws=0)
    with pytest.raises(ValueError, match="one group"):
        sign_flip([1.0], groups=[])


def test_it_holds_its_level() -> None:
    generator = np.random.default_rng(11)
    rejected = sum(known(sign_flip(generator.integers(-1, 2, 60))).p_value <= 0.05 for _ in range(1000))
    assert rejected <= 50 + 3 * math.sqrt(1000 * 0.05 * 0.95)
