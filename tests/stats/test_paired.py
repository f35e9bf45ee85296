"""Pairs: McNemar against scipy and Fagerland, Newcombe and Tango against published values, and the laws."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmctl.stats.alternative import Alternative
from llmctl.stats.distributions import normal_cdf
from llmctl.stats.intervals import Interval
from llmctl.stats.paired import PairedCounts, mcnemar, newcombe_interval
from llmctl.stats.tango import gain_rate, largest_drop, noninferiority_p, tango_interval, tango_z

COUNTS = st.integers(0, 60)


def known(interval: Interval | None) -> Interval:
    assert interval is not None
    return interval


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_mcnemar_is_a_binomial_test(losses: int, gains: int) -> None:
    test = mcnemar(losses, gains)
    total = losses + gains
    assert test.exact == pytest.approx(stats.binomtest(losses, max(1, total)).pvalue if total else 1.0, rel=1e-8)
    drop, gain = mcnemar(losses, gains, Alternative.LESS), mcnemar(losses, gains, Alternative.GREATER)
    if total:
        assert drop.exact == pytest.approx(stats.binomtest(losses, total, alternative="greater").pvalue, rel=1e-8)
        assert gain.exact == pytest.approx(stats.binomtest(gains, total, alternative="greater").pvalue, rel=1e-8)
        assert drop.mid_p + gain.mid_p == pytest.approx(1.0)
    assert test == mcnemar(gains, losses)
    assert 0 <= test.mid_p <= test.exact <= 1


@pytest.mark.parametrize("pairs", range(1, 60))
def test_one_more_loss_is_more_evidence(pairs: int) -> None:
    for alternative in (Alternative.LESS, Alternative.TWO_SIDED):
        start = pairs // 2 + 1 if alternative is Alternative.TWO_SIDED else 0
        tests = [mcnemar(losses, pairs - losses, alternative) for losses in range(start, pairs + 1)]
        for sooner, later in pairwise(tests):
            assert later.exact < sooner.exact or later.exact == pytest.approx(1)
            assert later.mid_p < sooner.mid_p or later.mid_p == pytest.approx(1)


def test_evenness_is_no_evidence() -> None:
    assert mcnemar(0, 0).mid_p == 1.0
    assert mcnemar(0, 0, Alternative.LESS).exact == 1.0
    assert mcnemar(5, 5).mid_p == pytest.approx(1 - stats.binom.pmf(5, 10, 0.5) / 2)  # Fagerland et al. (2013)
    assert mcnemar(5, 5).exact == 1.0


def test_pairs_are_counted() -> None:
    counts = PairedCounts.of([True, True, True, False, False, True], [1, 0, 0, 1, 0, 1])
    assert counts == PairedCounts(both=2, losses=2, gains=1, neither=1)
    assert (counts.pairs, counts.discordant) == (6, 3)
    assert counts.difference == pytest.approx(-1 / 6)
    assert PairedCounts.of([], []).difference is None


def test_pairs_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        PairedCounts.of([True], [True, False])
    with pytest.raises(ValueError, match="verdict"):
        PairedCounts.of([1.0, math.nan], [1.0, 1.0])
    with pytest.raises(ValueError, match="verdict"):
        PairedCounts.of([1.0, 0.5], [1.0, 1.0])
    with pytest.raises(ValueError, match="0 or more"):
        PairedCounts(1, -1, 0, 0)
    with pytest.raises(ValueError, match="no counts"):
        mcnemar(-1, 2)


@given(COUNTS, COUNTS, COUNTS, COUNTS, st.floats(0.5, 0.99))
def test_intervals_hold_the_difference_and_turn_with_the_sides(
    both: int, losses: int, gains: int, neither: int, confidence: float
) -> None:
    counts = PairedCounts(both, losses, gains, neither)
    turned = PairedCounts(both, gains, losses, neither)
    if not counts.pairs:
        assert newcombe_interval(counts) is None
        assert tango_interval(0, 0, 0) is None
        assert largest_drop(0, 0, 0) is None
        return
    for one, other in (
        (newcombe_interval(counts, confidence), newcombe_interval(turned, confidence)),
        (
            tango_interval(losses, gains, counts.pairs, confidence),
            tango_interval(gains, losses, counts.pairs, confidence),
        ),
    ):
        assert counts.difference is not None
        assert -1 <= known(one).low <= counts.difference + 1e-12
        assert counts.difference - 1e-12 <= known(one).high <= 1
        assert known(one).low == pytest.approx(-known(other).high, abs=1e-12)


@given(COUNTS, COUNTS, st.integers(0, 200), st.floats(0.01, 0.5), st.sampled_from([0.01, 0.05, 0.2]))
def test_interval_and_test_of_tango_agree(losses: int, gains: int, rest: int, margin: float, alpha: float) -> None:
    pairs = losses + gains + rest + 1
    bound = largest_drop(losses, gains, pairs, 1 - alpha)
    assert bound is not None
    p_value = noninferiority_p(losses, gains, pairs, margin)
    if abs(bound - margin) > 1e-9:
        assert (p_value < alpha) == (bound < margin)
    interval = known(tango_interval(losses, gains, pairs, 1 - alpha))
    if abs(z := tango_z(losses, gains, pairs)) and min(abs(interval.low), abs(interval.high)) > 1e-9:
        assert (2 * normal_cdf(-abs(z)) < alpha) == (not interval.low <= 0 <= interval.high)


@given(COUNTS, COUNTS, st.integers(0, 200))
def test_the_statistic_falls_as_the_drop_grows(losses: int, gains: int, rest: int) -> None:
    pairs = losses + gains + rest + 1
    statistics = [tango_z(losses, gains, pairs, drop) for drop in np.linspace(-1, 1, 81)]
    assert all(later <= sooner + 1e-9 for sooner, later in pairwise(statistics))
    if losses + gains:
        assert tango_z(losses, gains, pairs) == pytest.approx((losses - gains) / math.sqrt(losses + gains))


def test_the_statistic_at_its_ends_is_exact() -> None:
    assert tango_z(7, 0, 7, 1.0) == tango_z(0, 7, 7, -1.0) == 0
    assert tango_z(6, 1, 7, 1.0) == -math.inf
    assert tango_z(1, 6, 7, -1.0) == tango_z(3, 4, 8, -1.0) == math.inf


def test_the_gain_rate_keeps_its_digits_where_it_is_small() -> None:
    losses, gains, pairs, drop = map(Decimal, (0, 1, 100_000, 0.8737))
    b = -losses - gains + (2 * pairs - losses + gains) * drop
    exact = ((b * b + 8 * pairs * gains * drop * (1 - drop)).sqrt() - b) / (4 * pairs)
    assert gain_rate(0, 1, 100_000, 0.8737) == pytest.approx(float(exact), rel=1e-13, abs=0)


def test_the_gain_rate_of_tango_is_the_most_likely_one() -> None:
    losses, gains, pairs, drop = 12, 5, 80, 0.07
    rates = np.linspace(1e-6, (1 - drop) / 2 - 1e-6, 200_001)
    likelihood = (
        losses * np.log(rates + drop) + gains * np.log(rates) + (pairs - losses - gains) * np.log(1 - 2 * rates - drop)
    )
    best = float(rates[likelihood.argmax()])
    z = (losses - gains - pairs * drop) / math.sqrt(pairs * (2 * best + drop * (1 - drop)))
    assert tango_z(losses, gains, pairs, drop) == pytest.approx(z, abs=1e-5)


@pytest.mark.parametrize(("losses", "gains", "pairs"), [(0, 0, 1), (0, 0, 100), (3, 0, 3), (1, 0, 1), (0, 7, 7)])
def test_extremes_have_an_interval(losses: int, gains: int, pairs: int) -> None:
    interval = known(tango_interval(losses, gains, pairs))
    assert interval.low < interval.high
    if not losses + gains:
        assert interval.low == -interval.high
        assert tango_z(0, 0, pairs) == 0
    if losses == pairs:
        assert interval.low == -1


def test_a_published_interval() -> None:
    # Newcombe (1998), Statistics in Medicine 17, 2635, table II, method 10: 36, 12, 2, 0 -> .0569 to .3404.
    interval = known(newcombe_interval(PairedCounts(both=36, losses=2, gains=12, neither=0)))
    assert (interval.low, interval.high) == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_without_any_difference_52_pairs_exclude_a_drop_of_five_points() -> None:
    assert noninferiority_p(0, 0, 52, 0.05) < 0.05 < noninferiority_p(0, 0, 51, 0.05)


@pytest.mark.parametrize(
    ("losses", "gains", "pairs", "drop"),
    [(-1, 0, 5, 0.0), (3, 3, 5, 0.0), (0, 0, 0, 0.0), (math.nan, 0, 5, 0.0), (1, 1, 5, 1.5), (1, 1, 5, math.nan)],
)
def test_tango_refuses_what_is_no_count(losses: float, gains: float, pairs: float, drop: float) -> None:
    with pytest.raises(ValueError, match=r"counts|drop"):
        tango_z(losses, gains, pairs, drop)


def test_margins_and_confidences_are_shares() -> None:
    with pytest.raises(ValueError, match="margin"):
        noninferiority_p(1, 1, 10, -0.1)
    with pytest.raises(ValueError, match="bound"):
        largest_drop(1, 1, 10, 0.4)
    with pytest.raises(ValueError, match="confidence"):
        tango_interval(1, 1, 10, 1.0)
