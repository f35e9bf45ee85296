"""Power: the tables that were computed for the design, and formulas against exact values and simulated tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmctl.stats.alternative import Alternative
from llmctl.stats.exact_power import (
    cases_for_drop_exact,
    cases_to_pass_exact,
    midp_power,
    pass_power,
    smallest_drop_exact,
)
from llmctl.stats.paired import mcnemar
from llmctl.stats.power import (
    ScoreNoise,
    Sides,
    cases_for_difference,
    cases_for_drop,
    cases_to_pass,
    design_effect,
    smallest_difference,
    smallest_drop,
)
from llmctl.stats.tango import noninferiority_p

DISCORDANCES = (0.05, 0.10, 0.20, 0.30)
DROPS = {  # Connor (1987) at 80 % power: one-sided .05, two-sided .05
    0.01: ((3090, 3923), (6181, 7847), (12364, 15696), (18546, 23545)),
    0.02: ((771, 979), (1544, 1960), (3090, 3923), (4635, 5885)),
    0.03: ((342, 434), (685, 870), (1372, 1742), (2059, 2614)),
    0.05: ((122, 155), (246, 312), (493, 626), (740, 940)),
    0.10: (None, (60, 77), (122, 155), (184, 234)),
}
MARGINS = {
    0.01: (3162, 6215, 12378, 18554),
    0.02: (837, 1578, 3104, 4643),
    0.03: (400, 717, 1386, 2067),
    0.05: (167, 274, 507, 748),
    0.10: (56, 81, 134, 191),
}
SMALLEST = {
    50: (None, None, 15.4, 18.9),
    100: (None, 7.8, 11.0, 13.5),
    200: (3.9, 5.5, 7.8, 9.6),
    500: (2.5, 3.5, 5.0, 6.1),
    1000: (1.8, 2.5, 3.5, 4.3),
    2000: (1.2, 1.8, 2.5, 3.0),
}


def rates(drop: float, discordance: float) -> tuple[float, float]:
    return (discordance + drop) / 2, (discordance - drop) / 2


@pytest.mark.parametrize("drop", DROPS)
def test_cases_for_a_drop(drop: float) -> None:
    for discordance, expected in zip(DISCORDANCES, DROPS[drop], strict=True):
        if expected is None:
            continue
        sizes = [cases_for_drop(*rates(drop, discordance), sides=1), cases_for_drop(*rates(drop, discordance), sides=2)]
        assert tuple(size.cases for size in sizes if size is not None) == expected


@pytest.mark.parametrize("margin", MARGINS)
def test_cases_to_pass_a_margin(margin: float) -> None:
    assert tuple(cases_to_pass(margin, discordance).cases for discordance in DISCORDANCES) == MARGINS[margin]


@pytest.mark.parametrize("cases", SMALLEST)
def test_the_smallest_drop(cases: int) -> None:
    found = [smallest_drop(cases, discordance) for discordance in DISCORDANCES]
    assert [None if drop is None else round(100 * drop, 1) for drop in found] == pytest.approx(
        list(SMALLEST[cases]), abs=0.051
    )


@pytest.mark.parametrize(
    ("cases", "discordance", "power"),
    [(100, 0.1, 0.453), (100, 0.2, 0.294), (200, 0.1, 0.741), (200, 0.2, 0.476), (500, 0.1, 0.978), (500, 0.2, 0.806)],
)
def test_exact_power_at_five_points(cases: int, discordance: float, power: float) -> None:
    assert midp_power(cases, *rates(0.05, discordance)) == pytest.approx(power, abs=5e-4)


@pytest.mark.parametrize(("cases", "discordance", "size"), [(100, 0.1, 0.042), (500, 0.1, 0.049)])
def test_the_size_of_the_mid_p(cases: int, discordance: float, size: float) -> None:
    assert midp_power(cases, *rates(0.0, discordance)) == pytest.approx(size, abs=5e-4)


@pytest.mark.parametrize(
    ("cases", "loss", "gain", "alpha"), [(7, 0.3, 0.1, 0.05), (30, 0.2, 0.0, 0.1), (25, 1.0, 0.0, 0.05)]
)
def test_exact_power_sums_over_every_table(cases: int, loss: float, gain: float, alpha: float) -> None:
    total = 0.0
    for losses in range(cases + 1):
        for gains in range(cases + 1 - losses):
            probability = stats.multinomial.pmf(
                [losses, gains, cases - losses - gains], cases, [loss, gain, 1 - loss - gain]
            )
            total += probability * (mcnemar(losses, gains, Alternative.LESS).mid_p <= alpha)
    assert midp_power(cases, loss, gain, alpha) == pytest.approx(total, abs=1e-9)


@given(
    st.integers(10, 5000), st.sampled_from([0.03, 0.1, 0.35, 1.0]), st.sampled_from([0.01, 0.05, 0.2]),
    st.sampled_from([0.3, 0.8, 0.95]), st.sampled_from([1, 2]),
)  # fmt: skip
def test_the_smallest_drop_solves_the_number_of_cases(
    cases: int, discordance: float, alpha: float, power: float, sides: Sides
) -> None:
    drop = smallest_drop(cases, discordance, alpha=alpha, power=power, sides=sides)
    if drop is None:
        size = cases_for_drop(discordance, 0.0, alpha=alpha, power=power, sides=sides)
        assert size is not None
        assert size.raw > cases
        return
    size = cases_for_drop(*rates(drop, discordance), alpha=alpha, power=power, sides=sides)
    assert size is not None
    assert size.raw == pytest.approx(cases, rel=1e-6)


@pytest.mark.parametrize(("cases", "discordance"), [(50, 0.2), (100, 0.1), (200, 0.05), (1000, 0.3), (20_000, 0.2)])
def test_the_exact_smallest_drop_has_the_power_and_is_near_the_formula(cases: int, discordance: float) -> None:
    exact, formula = smallest_drop_exact(cases, discordance), smallest_drop(cases, discordance)
    assert exact is not None
    assert formula is not None
    assert exact == pytest.approx(formula, rel=0.04)
    assert midp_power(cases, *rates(exact, discordance)) == pytest.approx(0.8, abs=1e-5)
    assert midp_power(cases, *rates(exact * 0.97, discordance)) < 0.8


@pytest.mark.parametrize(("drop", "discordance"), [(0.05, 0.1), (0.1, 0.3), (0.2, 0.2), (0.02, 0.05)])
def test_the_exact_number_of_cases_has_the_power(drop: float, discordance: float) -> None:
    exact, formula = cases_for_drop_exact(drop, discordance), cases_for_drop(*rates(drop, discordance))
    assert exact is not None
    assert formula is not None
    assert exact == pytest.approx(formula.cases, rel=0.15)
    powers = [midp_power(cases, *rates(drop, discordance)) for cases in range(exact - 10, exact + 1)]
    assert powers[-1] >= 0.8 > max(powers[:-1])


@pytest.mark.parametrize(
    ("cases", "loss", "gain", "margin"),
    [(30, 0.1, 0.1, 0.2), (60, 0.0, 0.0, 0.05), (40, 0.3, 0.0, 0.1), (9, 0.5, 0.5, 0.3)],
)
def test_the_power_to_pass_sums_over_every_table(cases: int, loss: float, gain: float, margin: float) -> None:
    total = 0.0
    for losses in range(cases + 1):
        for gains in range(cases + 1 - losses):
            counts = [losses, gains, cases - losses - gains]
            probability = stats.multinomial.pmf(counts, cases, [loss, gain, 1 - loss - gain])
            total += probability * (noninferiority_p(losses, gains, cases, margin) <= 0.05)
    assert pass_power(cases, loss, gain, margin) == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize(("margin", "discordance"), [(0.05, 0.05), (0.05, 0.2), (0.1, 0.3), (0.05, 0.0)])
def test_the_exact_number_to_pass_is_near_the_formula(margin: float, discordance: float) -> None:
    exact, half = cases_to_pass_exact(margin, discordance), discordance / 2
    assert exact is not None
    assert exact == pytest.approx(cases_to_pass(margin, discordance).cases, rel=0.1)
    powers = [pass_power(cases, half, half, margin) for cases in range(exact - 10, exact + 1)]
    assert powers[-1] >= 0.8 > max(powers[:-1])


@pytest.mark.parametrize("discordance", [0.06, 0.1, 0.3])
def test_a_drop_as_large_as_the_margin_passes_about_as_often_as_alpha(discordance: float) -> None:
    assert pass_power(500, *rates(0.05, discordance), 0.05) == pytest.approx(0.05, abs=0.012)
    assert cases_to_pass_exact(0.001, 0.5) is None
    assert pass_power(0, 0.1, 0.1, 0.05) == 0


def test_power_grows_with_the_drop() -> None:
    powers = [midp_power(150, *rates(drop, 0.2)) for drop in np.linspace(0, 0.2, 21)]
    assert powers == sorted(powers)
    assert midp_power(150, 0.0, 0.0) == 0
    assert midp_power(0, 0.1, 0.0) == 0


def test_too_few_cases_see_nothing() -> None:
    assert smallest_drop_exact(20, 0.05) is None
    assert smallest_drop(20, 0.05) is None
    assert smallest_drop(0, 0.1) is None
    assert smallest_drop(100, 0.0) is None
    assert cases_for_drop(0.1, 0.1) is None
    assert cases_for_drop_exact(0.0001, 0.5) is None


def test_a_margin_without_any_difference_needs_what_the_test_needs() -> None:
    for margin in (0.01, 0.05, 0.1):
        cases = cases_to_pass(margin, 0.0).cases
        assert noninferiority_p(0, 0, cases, margin) <= 0.05 < noninferiority_p(0, 0, cases - 1, margin)


@pytest.mark.parametrize(("margin", "discordance"), [(0.05, 0.1), (0.1, 0.2)])
def test_an_unchanged_candidate_passes_as_often_as_promised(margin: float, discordance: float) -> None:
    cases = cases_to_pass(margin, discordance).cases
    generator = np.random.default_rng(1)
    half = discordance / 2
    tables = generator.multinomial(cases, [half, half, 1 - discordance], size=2000)
    passed = sum(noninferiority_p(losses, gains, cases, margin) <= 0.05 for losses, gains, _ in tables.tolist())
    assert passed / 2000 == pytest.approx(0.8, abs=0.05)


def test_the_worked_example_of_scores() -> None:
    assert cases_for_difference(0.03, ScoreNoise(1 / 9)).cases == 969
    assert cases_for_difference(0.03, ScoreNoise(1 / 9, 1 / 6, 1 / 6)).cases == 3876
    repeated = ScoreNoise(1 / 9, 1 / 6, 1 / 6, baseline_repeats=10, candidate_repeats=10)
    assert smallest_difference(198, repeated) == pytest.approx(0.076, abs=5e-4)
    found = smallest_difference(969, ScoreNoise(1 / 9))
    assert found is not None
    assert cases_for_difference(found, ScoreNoise(1 / 9)).cases == 969
    assert smallest_difference(0, ScoreNoise(1 / 9)) is None


def test_clusters_need_more() -> None:
    assert design_effect(5, 0.5) == 3
    assert design_effect(1, 0.9) == 1
    with pytest.raises(ValueError, match="clusters"):
        design_effect(0.5, 0.1)


@pytest.mark.parametrize("bad", [0.0, 1.0, math.nan])
def test_alpha_and_power_are_shares(bad: float) -> None:
    for name in ("alpha", "power"):
        for attempt in (
            lambda given: cases_for_drop(0.1, 0.05, **given),
            lambda given: smallest_drop(100, 0.1, **given),
            lambda given: cases_to_pass(0.05, 0.1, **given),
            lambda given: cases_for_difference(0.1, ScoreNoise(0.1), **given),
            lambda given: smallest_drop_exact(100, 0.1, **given),
            lambda given: cases_for_drop_exact(0.05, 0.1, **given),
        ):
            with pytest.raises(ValueError, match="between 0 and 1"):
                attempt({name: bad})


def test_shares_that_are_none_are_refused() -> None:
    for attempt in (
        lambda: cases_for_drop(-0.1, 0.05),
        lambda: cases_for_drop(0.7, 0.5),
        lambda: smallest_drop(100, 1.2),
        lambda: smallest_drop(-1, 0.2),
        lambda: cases_to_pass(0.0, 0.1),
        lambda: cases_to_pass(0.05, math.nan),
        lambda: midp_power(10, 0.7, 0.5),
        lambda: midp_power(-1, 0.1, 0.1),
        lambda: pass_power(10, 0.7, 0.5, 0.05),
        lambda: pass_power(10, 0.1, 0.1, 0.0),
        lambda: cases_for_drop_exact(0.2, 0.1),
        lambda: cases_for_difference(0.0, ScoreNoise(0.1)),
        lambda: smallest_difference(10, ScoreNoise(-0.1)),
        lambda: smallest_difference(10, ScoreNoise(0.1, 0.1, 0.1, 0, 1)),
    ):
        with pytest.raises(ValueError):
            attempt()
