"""Newcombe's interval for two independent rates: the table of the paper, and laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from llmctl.stats.independent import newcombe_difference


@pytest.mark.parametrize(
    ("after", "before", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10: p1 - p2.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_the_paper(after: tuple[int, int], before: tuple[int, int], low: float, high: float) -> None:
    interval = newcombe_difference(*before, *after)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5.1e-5)


@given(some.integers(0, 60), some.integers(0, 60), some.integers(0, 60), some.integers(0, 60))
def test_turned_around_it_is_its_mirror(up: int, down: int, other_up: int, other_down: int) -> None:
    one, other = (up, up + down), (other_up, other_up + other_down)
    forth, back = newcombe_difference(*one, *other), newcombe_difference(*other, *one)
    if not (one[1] and other[1]):
        assert forth is back is None
        return
    assert forth is not None
    assert back is not None
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low))
    difference = other[0] / other[1] - one[0] / one[1]
    assert forth.low - 1e-12 <= difference <= forth.high + 1e-12


def test_no_count_is_refused() -> None:
    with pytest.raises(ValueError, match="no count"):
        newcombe_difference(3, 2, 1, 2)
