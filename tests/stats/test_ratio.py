"""Ratios of paired medians: against resampling without any short cut, and what has no interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.stats.checks import Floats, Integers
from llmctl.stats.ratio import MedianRatio, ratio_of_medians


def known(found: MedianRatio | None) -> MedianRatio:
    assert found is not None
    return found


def plainly(before: Floats, after: Floats, codes: Integers, resamples: int) -> Floats:
    """Ratios of the medians of resampled clusters, one resample after the other."""
    generator = np.random.default_rng(77)
    members = [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]
    ratios = np.empty(resamples)
    for place in range(resamples):
        chosen = np.concatenate([members[unit] for unit in generator.integers(0, len(members), len(members))])
        ratios[place] = np.median(after[chosen]) / np.median(before[chosen])
    return ratios


@pytest.mark.parametrize(("size", "clusters"), [(9, 9), (60, 60), (61, 61), (60, 17), (600, 600), (601, 90)])
def test_short_cuts_change_nothing(size: int, clusters: int) -> None:
    generator = np.random.default_rng(size + clusters)
    before = generator.lognormal(6, 0.8, size)
    after = before * generator.lognormal(0.1, 0.2, size)
    codes = (
        np.arange(size)
        if clusters == size
        else np.sort(np.append(np.arange(clusters), generator.integers(0, clusters, size - clusters)))
    )
    before *= np.exp(np.bincount(codes, minlength=clusters)[codes] / 50)
    found = known(ratio_of_medians(before, after, codes, resamples=6000))
    assert (found.pairs, found.clusters) == (size, clusters)
    expected = np.quantile(plainly(before, after, codes, 3000), [0.025, 0.975])
    assert found.interval is not None
    width = float(expected[1] - expected[0])
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(expected), abs=0.12 * width)
    assert found.ratio == pytest.approx(np.median(after) / np.median(before))
    assert found.ratio is not None
    assert found.interval.low <= found.ratio <= found.interval.high


def test_the_interval_holds_the_true_ratio() -> None:
    held = 0
    for seed in range(300):
        generator = np.random.default_rng(seed)
        noise, own = generator.normal(0, 1, 80), generator.normal(0, 0.5, (2, 80))
        found = known(ratio_of_medians(np.exp(noise + own[0]), 1.2 * np.exp(noise + own[1]), resamples=400))
        assert found.interval is not None
        held += found.interval.low <= 1.2 <= found.interval.high
    assert held / 300 >= 0.92


@given(st.lists(st.tuples(st.floats(0.1, 9), st.floats(0.1, 9)), min_size=6, max_size=30), st.floats(0.5, 20))
def test_units_of_measurement_do_not_matter(pairs: list[tuple[float, float]], factor: float) -> None:
    before, after = map(np.array, zip(*pairs, strict=True))
    found = known(ratio_of_medians(before, after, resamples=100))
    scaled = known(ratio_of_medians(before * factor, after * factor, resamples=100))
    assert scaled.ratio == pytest.approx(found.ratio)
    assert found.interval is not None
    assert scaled.interval is not None
    assert scaled.interval.low == pytest.approx(found.interval.low)
    same = known(ratio_of_medians(before, before, resamples=100))
    assert same.interval is not None
    assert (same.ratio, same.interval.low, same.interval.high) == (1, 1, 1)


def test_few_pairs_have_no_interval() -> None:
    assert ratio_of_medians([], []) is None
    five = known(ratio_of_medians([1.0, 2, 3, 4, 5], [2.0, 4, 6, 8, 10]))
    assert (five.ratio, five.interval) == (2, None)
    assert known(ratio_of_medians([1.0, 2, 3, 4, 5], [2.0, 4, 6, 8, 10], confidence=0.9)).interval is not None
    assert known(ratio_of_medians([1.0] * 50, [2.0] * 50, [0] * 50)).interval is None


def test_no_cost_has_no_ratio() -> None:
    free = known(ratio_of_medians([0.0] * 10, [1.0] * 10))
    assert (free.ratio, free.interval, free.baseline, free.candidate) == (None, None, 0, 1)
    nearly = known(ratio_of_medians([0.0] * 9 + [1.0] * 10, [1.0] * 19))
    assert (nearly.ratio, nearly.interval) == (1, None)


def test_all_equal_is_certain() -> None:
    found = known(ratio_of_medians([3.0] * 2000, [6.0] * 2000))
    assert found.interval is not None
    assert (found.interval.low, found.ratio, found.interval.high) == (2, 2, 2)


@pytest.mark.parametrize("bad", [math.nan, -1.0, math.inf])
def test_what_is_no_latency_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match=r"finite|0 or more"):
        ratio_of_medians([1.0, bad], [1.0, 1.0])
    with pytest.raises(ValueError, match="both sides"):
        ratio_of_medians([1.0], [])
    with pytest.raises(ValueError, match="confidence"):
        ratio_of_medians([1.0], [1.0], confidence=0)
