"""BCa: a published example, scipy's, and that the fast ways have the law of drawing one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmctl.stats import resampling
from llmctl.stats.bootstrap import Bca, bca, bca_mean
from llmctl.stats.checks import Floats
from llmctl.stats.resampling import Units, resampled_means

# Efron and Tibshirani (1993), table 14.1: the spatial test data, test A. BCa gives its variance (115.8, 259.6).
SPATIAL = [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41]


def known(found: Bca | None) -> Bca:
    assert found is not None
    return found


def variance(rows: Floats) -> Floats:
    result: Floats = rows.var(axis=1)
    return result


def test_the_variance_of_the_spatial_data() -> None:
    found = known(bca(SPATIAL, variance, confidence=0.9, resamples=20_000))
    assert found.estimate == pytest.approx(171.5, abs=0.05)
    assert found.acceleration == pytest.approx(0.061, abs=5e-4)
    assert found.bias_correction == pytest.approx(0.146, abs=0.06)
    assert (found.interval.low, found.interval.high) == pytest.approx((115.8, 259.6), abs=6)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_a_mean_has_the_interval_of_scipy(confidence: float) -> None:
    values = np.random.default_rng(1).lognormal(0, 1, 200)
    found = known(bca_mean(values, confidence=confidence, resamples=20_000))
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, confidence_level=confidence, rng=np.random.default_rng(2)
    ).confidence_interval
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high), rel=0.01)


@pytest.mark.parametrize("size", [2, 3, 6])
def test_the_general_way_agrees_where_all_resamples_are_taken(size: int) -> None:
    values = np.random.default_rng(size).random(size)
    one, other = bca_mean(values), bca(values, lambda rows: rows.mean(axis=1))
    assert known(one).interval.low == pytest.approx(known(other).interval.low)
    assert known(one).interval.high == pytest.approx(known(other).interval.high)
    assert known(one).resamples == size**size


def one_by_one(units: Units, resamples: int) -> Floats:
    generator = np.random.default_rng(99)
    chosen = (generator.integers(0, units.count, (1, units.count)) for _ in range(resamples))
    return np.concatenate([units.means(row) for row in chosen])


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("kind", ["passes", "scores", "heavy"])
def test_many_units_are_resampled_by_the_same_law(kind: str, clustered: bool) -> None:
    generator = np.random.default_rng(4)
    size = 6000
    values: Floats = {
        "passes": generator.choice([-1.0, 0.0, 1.0], size, p=[0.06, 0.9, 0.04]),
        "scores": generator.random(size),
        "heavy": generator.lognormal(0, 2, size),
    }[kind]
    codes = np.unique(generator.integers(0, 20_000, size), return_inverse=True)[1] if clustered else None
    units = Units.of(values, codes)
    fast, slow = resampled_means(units, 10_000, generator), one_by_one(units, 2000)
    error = float(slow.std()) / math.sqrt(2000)
    assert fast.mean() == pytest.approx(slow.mean(), abs=5 * error)
    assert fast.std() == pytest.approx(slow.std(), rel=5 / math.sqrt(2 * 2000))
    assert stats.skew(fast) == pytest.approx(stats.skew(slow), abs=5 * math.sqrt(6 / 2000))
    assert stats.ks_2samp(fast, slow).pvalue > 1e-4


def test_strata_keep_the_extremes_themselves() -> None:
    values = np.concatenate([np.random.default_rng(0).random(9000), [5000.0]])
    drawn = resampled_means(Units.of(values, None), 4000, np.random.default_rng(1))
    times = np.rint((drawn - 0.5) / (5000 / 9001))  # how often the extreme value was drawn: Poisson with mean 1
    assert np.mean(times == 0) == pytest.approx(math.exp(-1), abs=0.04)
    assert np.mean(times == 1) == pytest.approx(math.exp(-1), abs=0.04)


def test_strata_keep_the_variance_also_where_one_of_them_holds_a_gap() -> None:
    values = np.random.default_rng(0).random(6000) / 1000
    values[:100] += 50
    drawn = resampled_means(Units.of(values, None), 40_000, np.random.default_rng(1))
    assert drawn.std() == pytest.approx(values.std() / math.sqrt(6000), rel=0.01)


def test_the_three_ways_meet() -> None:
    values = np.random.default_rng(8).exponential(1, resampling._ONE_BY_ONE)
    few, many = bca_mean(values, resamples=5000), bca_mean(np.append(values, 1.0), resamples=5000)
    assert known(few).interval.low == pytest.approx(known(many).interval.low, abs=4e-3)
    assert known(few).interval.high == pytest.approx(known(many).interval.high, abs=4e-3)


@given(st.lists(st.floats(-5, 5), min_size=7, max_size=30, unique=True))
def test_moving_and_stretching_move_and_stretch(values: list[float]) -> None:
    found, moved = bca_mean(values, resamples=200), bca_mean(np.array(values) * 4 + 1, resamples=200)
    if found is None or moved is None or found.bias_correction != moved.bias_correction:
        return
    assert moved.interval.low == pytest.approx(found.interval.low * 4 + 1, abs=1e-9)
    assert moved.interval.high == pytest.approx(found.interval.high * 4 + 1, abs=1e-9)


def test_clusters_are_drawn_whole() -> None:
    values = np.repeat(np.random.default_rng(3).normal(0, 1, 40), 25)
    pooled, whole = known(bca_mean(values)), known(bca_mean(values, np.repeat(np.arange(40), 25)))
    assert whole.interval.high - whole.interval.low > 3 * (pooled.interval.high - pooled.interval.low)
    cases = known(bca_mean(values[::25], resamples=2000))
    assert whole.interval.low == pytest.approx(cases.interval.low, abs=0.03)


def test_a_seed_gives_the_same_again() -> None:
    values = np.random.default_rng(3).normal(0, 1, 50)
    assert bca_mean(values, seed=1) == bca_mean(values, seed=1) != bca_mean(values, seed=2)


@pytest.mark.parametrize("values", [[], [1.0], [0.1, 0.1, 0.1], [0.3] * 40])
def test_what_does_not_vary_has_no_interval(values: list[float]) -> None:
    assert bca_mean(values) is None
    assert bca(values, variance) is None


def test_one_cluster_has_no_interval() -> None:
    assert bca_mean([1.0, 2.0, 3.0], ["a", "a", "a"]) is None


def test_what_is_no_number_is_refused() -> None:
    for function in (bca_mean, lambda values, **rest: bca(values, variance, **rest)):
        with pytest.raises(ValueError, match="finite"):
            function([1.0, math.nan])
        with pytest.raises(ValueError, match="confidence"):
            function([1.0, 2.0], confidence=1.0)
        with pytest.raises(ValueError, match="resample"):
            function([1.0, 2.0], resamples=0)
