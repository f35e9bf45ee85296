"""Distribution functions against scipy.stats."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmctl.stats.distributions import (
    beta_quantile,
    binomial_half_cdf,
    binomial_half_pmf,
    normal_cdf,
    normal_quantile,
    t_cdf,
    t_quantile,
    two_sided_z,
)

DEGREES = [1, 2, 7, 30, 999, 1000, 1001, 99_999, 10**7]


@given(st.floats(-35, 35))
def test_normal_cdf_holds_in_the_tails(x: float) -> None:
    assert normal_cdf(x) == pytest.approx(stats.norm.cdf(x), rel=1e-12)


@pytest.mark.parametrize("probability", [1e-12, 0.025, 0.5, 0.8, 0.999])
def test_normal_quantile(probability: float) -> None:
    assert normal_quantile(probability) == pytest.approx(stats.norm.ppf(probability), abs=1e-12)


def test_z_of_an_interval() -> None:
    assert two_sided_z(0.95) == pytest.approx(1.959963984540054, abs=1e-12)
    with pytest.raises(ValueError, match="confidence"):
        two_sided_z(95)


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize("t", [-12.0, -3.5, -1.0, 0.0, 0.3, 2.0, 6.0])
def test_t_cdf(t: float, degrees: int) -> None:
    assert t_cdf(t, degrees) == pytest.approx(stats.t.cdf(t, degrees), rel=2e-9)


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize("probability", [0.0005, 0.025, 0.5, 0.9, 0.95, 0.975, 0.995, 0.9999])
def test_t_quantile(probability: float, degrees: int) -> None:
    assert t_quantile(probability, degrees) == pytest.approx(stats.t.ppf(probability, degrees), abs=1e-10)


@pytest.mark.parametrize("trials", [1, 2, 40, 999, 1000, 1001, 5000, 100_000])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.49, 0.5, 0.501, 0.6, 1.0])
def test_a_fair_coin(trials: int, share: float) -> None:
    heads = round(trials * share)
    assert binomial_half_cdf(heads, trials) == pytest.approx(stats.binom.cdf(heads, trials, 0.5), rel=1e-9, abs=1e-300)
    assert binomial_half_pmf(heads, trials) == pytest.approx(stats.binom.pmf(heads, trials, 0.5), rel=1e-9, abs=1e-300)


def test_a_coin_never_falls_outside() -> None:
    assert (binomial_half_cdf(-1, 5), binomial_half_cdf(5, 5), binomial_half_cdf(9, 5)) == (0.0, 1.0, 1.0)
    assert (binomial_half_pmf(-1, 5), binomial_half_pmf(6, 5)) == (0.0, 0.0)


def test_beta_quantile() -> None:
    assert beta_quantile(0.025, 0.5, 30.5) == pytest.approx(stats.beta.ppf(0.025, 0.5, 30.5), rel=1e-9)
