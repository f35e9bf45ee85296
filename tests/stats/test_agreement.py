"""Agreement: published examples, vectors of other packages, and laws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.stats.agreement import Level, agreement, binary, cohen_kappa, confusion, krippendorff_alpha

# Krippendorff's 4 raters x 12 items, with missing values (None).
FOUR: list[list[int | None]] = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
# 3 raters x 15 items.
THREE: list[list[int | None]] = [
    [None, None, None, None, None, 3, 4, 1, 2, 1, 1, 3, 3, None, 3],
    [1, None, 2, 1, 3, 3, 4, 3, None, None, None, None, None, None, None],
    [None, None, 2, 1, 3, 4, 4, None, 2, 1, 1, 3, 3, None, 4],
]


def by_item(raters: Sequence[Sequence[int | None]]) -> list[list[float]]:
    return [[value for value in item if value is not None] for item in zip(*raters, strict=True)]


@pytest.mark.parametrize(
    ("raters", "level", "alpha"),
    [
        (THREE, "nominal", 0.691358024691358),
        (FOUR, "nominal", 0.743421052631579),
        (FOUR, "ordinal", 0.8153875037548814),
        (FOUR, "interval", 0.8491071428571428),
        (FOUR, "ratio", 0.7974027747116121),
    ],
)
def test_alpha_of_published_examples(raters: list[list[int | None]], level: Level, alpha: float) -> None:
    assert krippendorff_alpha(by_item(raters), level) == pytest.approx(alpha, abs=1e-9)


@pytest.mark.parametrize(
    ("units", "alpha"),
    [([[1, 1, 0], [0, 0]], 1 / 3), ([[0, 1], [0, 1], [1, 0], [1, 0]], -0.75)],  # inspect_ai's tests
)
def test_alpha_of_uneven_and_of_systematic_raters(units: list[list[float]], alpha: float) -> None:
    assert krippendorff_alpha(units) == pytest.approx(alpha, abs=1e-12)


@pytest.mark.parametrize("units", [[], [[1]], [[1], [2]], [[1, 1], [1, 1, 1]]])
def test_alpha_says_nothing_without_pairs_or_without_variety(units: list[list[float]]) -> None:
    assert krippendorff_alpha(units) is None


VALUES = st.lists(st.lists(st.integers(0, 4), max_size=4), max_size=12)


@given(units=VALUES, level=st.sampled_from(["nominal", "ordinal", "interval", "ratio"]))
def test_alpha_does_not_depend_on_the_order(units: list[list[int]], level: Level) -> None:
    one = krippendorff_alpha(units, level)
    other = krippendorff_alpha([list(reversed(unit)) for unit in reversed(units)], level)
    assert other == (None if one is None else pytest.approx(one))
    assert one is None or one <= 1 + 1e-12


CARCINOMA = [[22, 2, 2, 0], [5, 7, 14, 0], [0, 2, 36, 0], [0, 1, 17, 10]]
"""Agresti, Categorical Data Analysis: two pathologists on 118 slides; kappa 0.493 with a standard error of 0.057."""


@pytest.mark.parametrize(
    ("table", "weights", "kappa", "low", "high"),  # by statsmodels 0.15, cohens_kappa
    [
        ([[20, 5], [10, 15]], None, 0.4, 0.151092290476661, 0.6489077095233389),
        (CARCINOMA, None, 0.49300559552358114, 0.38179106435449167, 0.6042201266926707),
        (CARCINOMA, "linear", 0.6488095238095238, 0.5554124922149138, 0.7422065554041338),
        (CARCINOMA, "quadratic", 0.7838218714768883, 0.7080294053780081, 0.8596143375757686),
    ],
)
def test_kappa_and_its_interval(table: list[list[int]], weights: Any, kappa: float, low: float, high: float) -> None:
    found = cohen_kappa(table, weights=weights)
    assert found.value == pytest.approx(kappa, abs=1e-9)
    assert found.interval is not None
    assert found.interval.low == pytest.approx(low, abs=1e-6)
    assert found.interval.high == pytest.approx(high, abs=1e-6)


def test_weighted_kappa_forgives_what_is_near() -> None:
    near, far = [[10, 2, 0], [2, 10, 2], [0, 2, 10]], [[10, 0, 2], [2, 10, 2], [2, 0, 10]]
    assert cohen_kappa(near).value == pytest.approx(cohen_kappa(far).value or 0, abs=0.02)
    weighted = [cohen_kappa(table, weights="quadratic").value or 0 for table in (near, far)]
    assert weighted[0] > weighted[1] + 0.1


def test_perfect_agreement_of_a_few_is_not_certain() -> None:
    kappa = cohen_kappa([[5, 0], [0, 5]])
    assert kappa.value == 1
    assert kappa.interval is not None
    assert 0.3 < kappa.interval.low < 0.6
    assert kappa.interval.high == 1


@pytest.mark.parametrize("table", [[[0, 0], [0, 0]], [[9, 0], [0, 0]]])
def test_kappa_is_unknown_where_chance_agrees_always(table: list[list[int]]) -> None:
    assert cohen_kappa(table).value is None
    assert cohen_kappa(table).interval is None


def test_a_table_that_is_not_square_is_refused() -> None:
    with pytest.raises(ValueError, match="square"):
        cohen_kappa([[1, 2]])


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_tables_and_rates_fit_together(pairs: list[tuple[bool, bool]]) -> None:
    counted = binary(pairs)
    table = confusion(pairs, [True, False])
    assert table == [[counted.both, counted.truth_only], [counted.judge_only, counted.neither]]
    assert agreement(table).count == counted.both + counted.neither
    kappa = cohen_kappa(table)
    if kappa.value is not None and kappa.interval is not None:
        assert -1 <= kappa.interval.low <= kappa.value + 1e-9
        assert kappa.value <= kappa.interval.high + 1e-9 <= 1 + 1e-9


def test_sensitivity_and_specificity() -> None:
    counted = binary([(True, True)] * 8 + [(True, False)] * 2 + [(False, False)] * 3 + [(False, True)])
    assert (counted.sensitivity.value, counted.specificity.value) == (0.8, 0.75)
    assert counted.sensitivity.interval is not None
    assert counted.sensitivity.interval.low == pytest.approx(0.490162, abs=1e-6)  # statsmodels, 8 of 10
    assert binary([]).sensitivity.value is None
    assert binary([]).specificity.interval is None
