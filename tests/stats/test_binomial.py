"""Exact and Bayesian bounds against scipy, and the laws between them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmctl.stats.binomial import beta_credible, clopper_pearson, no_failure_bound


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.999])
@pytest.mark.parametrize(("passed", "total"), [(0, 30), (30, 30), (8, 10), (81, 263), (1, 1), (99_000, 100_000)])
def test_clopper_pearson_is_that_of_scipy(passed: int, total: int, confidence: float) -> None:
    interval = clopper_pearson(passed, total, confidence)
    expected = stats.binomtest(passed, total).proportion_ci(confidence, method="exact")
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_thirty_passes_leave_ten_percent_of_failures() -> None:
    assert no_failure_bound(30) == pytest.approx(0.09503385285, abs=1e-9)
    assert no_failure_bound(1, 0.5) == pytest.approx(0.5)
    assert no_failure_bound(0) is None


@given(st.integers(1, 10**6), st.floats(0.5, 0.999))
def test_the_bound_without_failures_is_one_end_of_the_exact_interval(total: int, confidence: float) -> None:
    bound, interval = no_failure_bound(total, confidence), clopper_pearson(0, total, 2 * confidence - 1 or 1e-9)
    assert bound is not None
    assert interval is not None
    assert bound == pytest.approx(interval.high, rel=1e-6)
    assert (1 - bound) ** total == pytest.approx(1 - confidence, rel=1e-6)


@given(st.integers(0, 300), st.integers(0, 300), st.floats(0.5, 0.99))
def test_uniform_and_exact_intervals_hold_the_rate_and_mirror(passed: int, failed: int, confidence: float) -> None:
    exact, mirrored = (clopper_pearson(count, passed + failed, confidence) for count in (passed, failed))
    if passed + failed == 0:
        assert exact is None
        return
    assert exact is not None
    assert mirrored is not None
    assert exact.low <= passed / (passed + failed) <= exact.high
    assert exact.low == pytest.approx(1 - mirrored.high, abs=1e-9)
    credible = beta_credible(passed, passed + failed, confidence)
    assert exact.low - 1e-12 <= credible.low < credible.high <= exact.high + 1e-12


def test_nothing_seen_leaves_the_prior() -> None:
    uniform = beta_credible(0, 0, 0.9)
    assert (uniform.low, uniform.high) == pytest.approx((0.05, 0.95))


@pytest.mark.parametrize(
    ("passed", "total", "confidence"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0), (1, 2, math.nan)]
)
@pytest.mark.parametrize("function", [clopper_pearson, beta_credible])
def test_what_is_no_count_is_refused(function: Any, passed: int, total: int, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"count|confidence"):
        function(passed, total, confidence)


@pytest.mark.parametrize("prior", [(0.0, 1.0), (1.0, -1.0), (math.nan, 1.0)])
def test_a_prior_is_above_zero(prior: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="prior"):
        beta_credible(1, 2, prior=prior)
