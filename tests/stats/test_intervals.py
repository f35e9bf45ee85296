"""Wilson's interval against published values, and the clustered one against its definition."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.stats.intervals import ClusterSums, Interval, clustered_wilson, wilson


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    [
        (30, 30, 0.8864866068260311, 1.0),  # statsmodels
        (8, 10, 0.49016247153664183, 0.9433178485456247),  # statsmodels
        (81, 263, 0.2552885198782742, 0.36620957698280004),  # Newcombe (1998), table I: .2553, .3662
        (15, 148, 0.06238639953073628, 0.16048724172330803),  # Newcombe (1998), table I: .0624, .1605
        (0, 20, 0.0, 0.1611),  # Newcombe (1998), table I
        (1, 29, 0.0061, 0.1718),  # Newcombe (1998), table I
    ],
)
def test_wilson_gives_published_values(passed: int, total: int, low: float, high: float) -> None:
    interval = wilson(passed, total)
    assert interval is not None
    assert interval.low == pytest.approx(low, abs=1e-9 if len(str(low)) > 8 else 5e-5)
    assert interval.high == pytest.approx(high, abs=1e-9 if len(str(high)) > 8 else 5e-5)


def test_no_results_have_no_interval() -> None:
    assert wilson(0, 0) is None
    assert clustered_wilson(ClusterSums()) is None


@pytest.mark.parametrize(("passed", "total", "confidence"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0), (1, 2, 0.0)])
def test_counts_that_are_none_are_refused(passed: int, total: int, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"count|confidence"):
        wilson(passed, total, confidence)


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_the_rate_and_mirrors(passed: int, failed: int) -> None:
    total = passed + failed
    interval = wilson(passed, total)
    mirrored = wilson(failed, total)
    if not total:
        assert interval is None
        return
    assert interval is not None
    assert mirrored is not None
    assert 0 <= interval.low <= passed / total <= interval.high <= 1
    assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-12)
    assert (interval.low == 0) == (passed == 0)
    assert (interval.high == 1) == (failed == 0)


def test_more_confidence_is_wider() -> None:
    narrow, wide = wilson(8, 10, 0.9), wilson(8, 10, 0.99)
    assert narrow is not None
    assert wide is not None
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_standard_error_is_the_cluster_robust_one() -> None:
    # statsmodels OLS with cov_type=cluster: 0.10677078252031308, times sqrt(G / (G - 1)) for 4 clusters.
    sums = ClusterSums.of([(2, 3), (1, 2), (3, 3), (1, 2)])
    assert sums.standard_error == pytest.approx(0.12328828005937953, abs=1e-12)
    assert ClusterSums.of([(2, 3)]).standard_error is None


def test_clusters_of_one_give_the_plain_interval() -> None:
    assert clustered_wilson(ClusterSums.of([(1, 1)] * 8 + [(0, 1)] * 2)) == wilson(8, 10)


@pytest.mark.parametrize("clusters", [[(5, 5)] * 6, [(0, 5)] * 6, [(3, 5)] * 6])
def test_equal_clusters_count_as_one_result_each(clusters: list[tuple[int, int]]) -> None:
    # No difference between clusters says nothing about their spread: the cautious reading is one result per cluster.
    sums = ClusterSums.of(clusters)
    assert clustered_wilson(sums) == wilson(6 * sums.passed / sums.total, 6)


def test_independent_repeats_never_count_for_more_than_they_are() -> None:
    interval = clustered_wilson(ClusterSums.of([(1, 2)] * 9 + [(2, 2)]))
    assert interval == wilson(11, 20)


def test_repeats_of_one_case_keep_the_promised_coverage() -> None:
    draw = random.Random(7)
    runs, held, held_pooled = 300, 0, 0
    for _ in range(runs):
        rates = [draw.betavariate(1.6, 0.4) for _ in range(100)]
        sums = ClusterSums.of([(sum(draw.random() < rate for _ in range(5)), 5) for rate in rates])
        held += _holds(clustered_wilson(sums))
        held_pooled += _holds(wilson(sums.passed, sums.total))
    assert held / runs > 0.92
    assert held_pooled / runs < 0.88


def _holds(interval: Interval | None) -> bool:
    return interval is not None and interval.low <= 0.8 <= interval.high
