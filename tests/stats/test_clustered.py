"""Means of clustered values: scipy's t tests, equation 4 written out, and what cannot be computed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmctl.stats.alternative import Alternative
from llmctl.stats.clustered import MeanEstimate, estimate_difference, estimate_mean, standard_error
from llmctl.stats.intervals import ClusterSums, Interval

VALUES = st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), min_size=2, max_size=40)
# Fisher's data of Darwin's maize: crossed minus self-fertilised, t = 2.148, p = .0497.
DARWIN = [6.125, -8.375, 1.0, 2.0, 0.75, 2.875, 3.5, 5.125, 1.75, 3.625, 7.0, 3.0, 9.375, 7.5, -6.0]


def known(estimate: MeanEstimate | None) -> MeanEstimate:
    assert estimate is not None
    return estimate


def bounds(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


def test_the_paired_t_test_of_a_textbook() -> None:
    estimate = known(estimate_difference(np.zeros(15), DARWIN))
    assert estimate.t() == pytest.approx(2.148, abs=5e-4)
    assert estimate.p_value() == pytest.approx(0.0497, abs=5e-5)
    assert estimate.degrees_of_freedom == 14


@pytest.mark.parametrize("size", [2, 3, 30, 2000])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_without_groups_it_is_the_paired_t_test_of_scipy(size: int, confidence: float) -> None:
    generator = np.random.default_rng(size)
    before, after = generator.random(size), generator.random(size)
    estimate = known(estimate_difference(before, after))
    expected = stats.ttest_rel(after, before)
    assert bounds(estimate.interval(confidence)) == pytest.approx(tuple(expected.confidence_interval(confidence)))
    for alternative in Alternative:
        assert estimate.p_value(alternative) == pytest.approx(
            stats.ttest_rel(after, before, alternative=alternative.value).pvalue
        )
    shifted = stats.ttest_1samp(after - before, -0.1, alternative="greater").pvalue
    assert estimate.p_value(Alternative.GREATER, against=-0.1) == pytest.approx(shifted)


@given(VALUES, st.integers(1, 6))
def test_the_error_is_equation_4(values: list[float], groups: int) -> None:
    codes = [place % groups for place in range(len(values))]
    mean, size = sum(values) / len(values), len(values)
    total = sum(
        (one - mean) * (other - mean)
        for one, left in zip(values, codes, strict=True)
        for other, right in zip(values, codes, strict=True)
        if left == right
    )
    clusters = len(set(codes))
    error = standard_error(values, codes, small_sample=False)
    if clusters < 2:
        assert error is None
        return
    assert error is not None
    assert error == pytest.approx(math.sqrt(max(0.0, total)) / size, abs=1e-9)
    corrected = standard_error(values, codes)
    assert corrected == pytest.approx(error * math.sqrt(clusters / (clusters - 1)), abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=20))
def test_it_agrees_with_the_sums_of_clusters(clusters: list[tuple[int, int]]) -> None:
    counts = [(min(pair), max(pair)) for pair in clusters if max(pair)]
    values = [float(place < passed) for passed, total in counts for place in range(total)]
    codes = [number for number, (_, total) in enumerate(counts) for _ in range(total)]
    if len(counts) > 1:
        assert standard_error(values, codes) == pytest.approx(ClusterSums.of(counts).standard_error, abs=1e-9)


def test_labels_of_groups_may_be_anything() -> None:
    values = [1.0, 0.0, 1.0, 1.0, 0.0]
    texts = known(estimate_mean(values, ["b", "a", "b", "c", "a"]))
    assert texts == estimate_mean(values, [None, 1, None, "x", 1])
    numbers = known(estimate_mean(values, np.array([7, -1, 7, 2, -1])))
    assert numbers.standard_error == pytest.approx(texts.standard_error)
    assert (numbers.clusters, texts.clusters) == (3, 3)


@given(VALUES)
def test_groups_of_one_are_no_groups(values: list[float]) -> None:
    assert estimate_mean(values, list(range(len(values)))) == estimate_mean(values)


def test_exchanging_the_sides_turns_the_difference() -> None:
    before, after = [0.1, 0.5, 0.9, 0.2], [0.3, 0.4, 1.0, 0.9]
    one, other = known(estimate_difference(before, after)), known(estimate_difference(after, before))
    low, high = bounds(one.interval())
    assert bounds(other.interval()) == pytest.approx((-high, -low))
    assert one.p_value(Alternative.LESS) == pytest.approx(other.p_value(Alternative.GREATER))
    assert one.p_value() == pytest.approx(other.p_value())


@pytest.mark.parametrize(
    ("values", "groups"),
    [([0.3], None), ([0.1, 0.1, 0.1], None), ([1.0, 0.0], ["a", "a"]), ([0.1] * 7, list("abcabca"))],
)
def test_what_does_not_vary_has_no_interval(values: list[float], groups: list[str] | None) -> None:
    estimate = known(estimate_mean(values, groups))
    assert not estimate.standard_error
    assert (estimate.interval(), estimate.t(), estimate.p_value()) == (None, None, None)


def test_nothing_has_no_mean() -> None:
    assert estimate_mean([]) is None
    assert standard_error([]) is None
    assert estimate_difference([], []) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        estimate_mean([0.1, bad])


def test_shapes_have_to_fit() -> None:
    with pytest.raises(ValueError, match="as many values"):
        estimate_difference([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="one group"):
        estimate_mean([1.0, 2.0], [1])
    with pytest.raises(ValueError, match="dimensions"):
        estimate_mean([[1.0, 2.0]])
    with pytest.raises(ValueError, match="confidence"):
        known(estimate_mean([1.0, 2.0])).interval(95)
