"""The median and its interval: exact coverage, and too few values."""

from __future__ import annotations

import math

import pytest

from llmctl.stats.medians import estimate_median


def ranks(count: int, confidence: float = 0.95) -> tuple[int, int] | None:
    found = estimate_median(list(map(float, range(1, count + 1))), confidence)
    assert found is not None
    return None if found.interval is None else (int(found.interval.low), int(found.interval.high))


@pytest.mark.parametrize(
    ("count", "expected"),
    # The usual table of ranks for 95 %: 6 values give the extremes, 10 the 2nd and 9th, 100 the 40th and 61st.
    [(5, None), (6, (1, 6)), (8, (1, 8)), (9, (2, 8)), (10, (2, 9)), (20, (6, 15)), (50, (18, 33)), (100, (40, 61))],
)
def test_ranks(count: int, expected: tuple[int, int] | None) -> None:
    assert ranks(count) == expected


@pytest.mark.parametrize("count", range(6, 60))
def test_it_covers_as_often_as_it_says_and_one_rank_less_would_not(count: int) -> None:
    found = ranks(count)
    assert found is not None
    tails = [sum(math.comb(count, k) for k in range(rank)) / 2**count for rank in (found[0], found[0] + 1)]
    assert tails[0] <= 0.025 < tails[1]


def test_values_in_any_order_with_ties_and_none() -> None:
    found = estimate_median([0.3, 0.1, 0.3, 0.3, 0.2, 0.9])
    assert found is not None
    assert found.median == 0.3
    assert found.interval is not None
    assert (found.interval.low, found.interval.high, found.count) == (0.1, 0.9, 6)
    assert estimate_median([]) is None
    with pytest.raises(ValueError, match="confidence"):
        estimate_median([1.0], 1)
