"""Prediction-powered means: bias of the judge is taken out, and the interval holds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from llmctl.stats.ppi import PairedLabels, PpiEstimate, ppi_difference, ppi_mean


def known(found: PpiEstimate | None) -> PpiEstimate:
    assert found is not None
    return found


def biased(
    generator: np.random.Generator, size: int, rate: float = 0.7
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """People's verdicts, and those of a judge that passes a quarter of what fails."""
    human = (generator.random(size) < rate).astype(float)
    judge = np.where(generator.random(size) < 0.25, 1.0, human)
    return human, judge


def test_the_interval_holds_the_truth_that_the_judge_misses() -> None:
    held = naive = 0
    for seed in range(400):
        generator = np.random.default_rng(seed)
        human, judge = biased(generator, 100)
        _, others = biased(generator, 1000)
        interval = known(ppi_mean(human, judge, others)).interval()
        held += interval.low <= 0.7 <= interval.high
        naive += abs(others.mean() - 0.7) < 1.96 * others.std() / math.sqrt(1000)
    assert held / 400 == pytest.approx(0.95, abs=0.04)
    assert naive < 20


def test_a_good_judge_makes_the_interval_narrower_and_a_blind_one_no_wider() -> None:
    generator = np.random.default_rng(0)
    human, judge = biased(generator, 200)
    _, others = biased(generator, 5000)
    alone, with_judge = known(ppi_mean(human, judge, others, 0.0)), known(ppi_mean(human, judge, others))
    assert with_judge.standard_error < 0.8 * alone.standard_error
    assert alone.mean == human.mean()
    noise = known(ppi_mean(human, generator.random(200), generator.random(5000)))
    assert noise.standard_error == pytest.approx(alone.standard_error, rel=0.02)


def test_the_weight_is_the_best_one() -> None:
    generator = np.random.default_rng(3)
    human, judge = biased(generator, 300)
    _, others = biased(generator, 900)
    best = known(ppi_mean(human, judge, others))
    errors = [known(ppi_mean(human, judge, others, weight)).standard_error for weight in np.linspace(0, 1, 101)]
    assert best.standard_error <= min(errors) * 1.001
    assert 0 < best.weight < 1


def test_full_weight_is_the_first_form() -> None:
    human, judge, others = np.array([1.0, 0, 1, 1]), np.array([1.0, 1, 1, 0]), np.array([1.0, 0, 1, 1, 1])
    found = known(ppi_mean(human, judge, others, 1.0))
    assert found.mean == pytest.approx(others.mean() + (human - judge).mean())
    assert found.standard_error == pytest.approx(math.sqrt(others.var() / 5 + (human - judge).var() / 4))


def test_a_favourite_of_the_judge_is_found_out() -> None:
    generator = np.random.default_rng(6)
    truth = (generator.random(3000) < 0.6).astype(float)
    flattered = np.where(generator.random(3000) < 0.3, 1.0, truth)  # the judge likes the candidate's style
    labelled = slice(0, 300)
    found = known(
        ppi_difference(
            PairedLabels(truth[labelled], truth[labelled]),
            PairedLabels(truth[labelled], flattered[labelled]),
            PairedLabels(truth[300:], flattered[300:]),
        )
    )
    assert (flattered - truth).mean() > 0.1
    assert found.mean == pytest.approx(0, abs=1e-12)


@given(st.integers(2, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_exchanging_the_versions_turns_the_difference(labelled: int, others: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    human, judge, rest = (PairedLabels(*generator.random((2, size))) for size in (labelled, labelled, others))
    turned = [PairedLabels(one.candidate, one.baseline) for one in (human, judge, rest)]
    one, other = known(ppi_difference(human, judge, rest)), known(ppi_difference(turned[0], turned[1], turned[2]))
    assert one.mean == pytest.approx(-other.mean)
    assert one.standard_error == pytest.approx(other.standard_error)
    assert (one.labelled, one.unlabelled) == (labelled, others)


def test_too_little_gives_nothing() -> None:
    assert ppi_mean([1.0], [1.0], [1.0]) is None
    assert ppi_mean([1.0, 0.0], [1.0, 0.0], []) is None
    assert known(ppi_mean([1.0, 0.0], [1.0, 1.0], [1.0])).weight == 0  # a judge that always says the same


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="same cases"):
        ppi_mean([1.0, 0.0], [1.0], [1.0])
    with pytest.raises(ValueError, match="finite"):
        ppi_mean([1.0, math.nan], [1.0, 0.0], [1.0])
    with pytest.raises(ValueError, match="both sides"):
        ppi_difference(PairedLabels([1.0], []), PairedLabels([1.0], [1.0]), PairedLabels([1.0], [1.0]))
    with pytest.raises(ValueError, match="confidence"):
        known(ppi_mean([1.0, 0.0], [1.0, 1.0], [1.0])).interval(2)
