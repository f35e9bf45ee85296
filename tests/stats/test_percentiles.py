"""Percentiles are values that occurred."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.stats.percentiles import mean, p50, p95, percentile


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([15, 20, 35, 40, 50], 0.05, 15),
        ([15, 20, 35, 40, 50], 0.30, 20),
        ([15, 20, 35, 40, 50], 0.40, 20),
        ([15, 20, 35, 40, 50], 0.50, 35),
        ([15, 20, 35, 40, 50], 1.00, 50),
        (list(range(1, 101)), 0.55, 55),  # 0.55 * 100 is 55.00000000000001 in floating point
        (list(range(1, 101)), 0.95, 95),
        (list(range(1, 21)), 0.95, 19),
        (list(range(1, 11)), 0.95, 10),
        ([3.5], 0.5, 3.5),
    ],
)
def test_nearest_rank(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


def test_nothing_has_no_percentile_and_no_mean() -> None:
    assert p50([]) is None
    assert p95([]) is None
    assert mean([]) is None


@pytest.mark.parametrize("share", [0, -0.1, 1.01])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        percentile([1.0], share)


@given(st.lists(st.floats(0, 1e9), min_size=1))
def test_order_does_not_matter_and_the_value_occurred(values: list[float]) -> None:
    shuffled = array("d", sorted(values, reverse=True))
    assert p50(values) == p50(shuffled)
    assert p95(values) in values
    assert sum(value <= (p95(values) or 0) for value in values) >= 0.95 * len(values)


def test_mean() -> None:
    assert mean([0.1] * 10) == pytest.approx(0.1, abs=1e-15)
    assert mean([1, 2, 6]) == 3
