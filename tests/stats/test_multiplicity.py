"""Holm, and Benjamini and Hochberg: published tables, scipy, and the laws."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmctl.stats.multiplicity import benjamini_hochberg, holm

P_VALUES = st.lists(st.floats(0, 1), max_size=20)
# Benjamini and Hochberg (1995), section 3.2: 15 comparisons, of which 4 are found at q = .05 (Bonferroni finds 3).
PUBLISHED = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
PUBLISHED += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]


def test_the_published_example() -> None:
    assert sum(p <= 0.05 for p in benjamini_hochberg(PUBLISHED)) == 4
    assert sum(p <= 0.05 for p in holm(PUBLISHED)) == 3


@given(P_VALUES)
def test_it_is_that_of_scipy(p_values: list[float]) -> None:
    expected = stats.false_discovery_control(p_values).tolist() if p_values else []
    assert benjamini_hochberg(p_values) == pytest.approx(expected)


@given(P_VALUES, st.floats(0.001, 0.999))
def test_holm_rejects_step_by_step(p_values: list[float], alpha: float) -> None:
    adjusted = holm(p_values)
    rejected = 0
    for p in sorted(p_values):
        if p * (len(p_values) - rejected) > alpha:
            break
        rejected += 1
    assert sum(p <= alpha for p in adjusted) == rejected


@given(P_VALUES)
def test_adjusting_only_raises_keeps_the_order_and_does_not_see_places(p_values: list[float]) -> None:
    for adjust in (holm, benjamini_hochberg):
        adjusted = adjust(p_values)
        assert all(raw <= new <= 1 for raw, new in zip(p_values, adjusted, strict=True))
        order = sorted(range(len(p_values)), key=p_values.__getitem__)
        assert all(adjusted[one] <= adjusted[other] for one, other in pairwise(order))
        assert adjust(p_values[::-1]) == adjusted[::-1]
    assert all(one <= other for one, other in zip(benjamini_hochberg(p_values), holm(p_values), strict=True))


def test_one_test_stays_as_it_is() -> None:
    assert holm([0.03]) == benjamini_hochberg([0.03]) == [0.03]
    assert holm([]) == benjamini_hochberg([]) == []


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1])
def test_what_is_no_p_value_is_refused(bad: float) -> None:
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(ValueError, match="p-value"):
            adjust([0.5, bad])
