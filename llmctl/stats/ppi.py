"""Prediction-powered inference: a mean by a judge over many cases, corrected by people over a few of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from llmctl.stats.checks import Floats, finite
from llmctl.stats.distributions import two_sided_z
from llmctl.stats.intervals import Interval

__all__ = ["PairedLabels", "PpiEstimate", "ppi_difference", "ppi_mean"]


@dataclass(frozen=True, slots=True)
class PpiEstimate:
    """A mean as people would have scored it."""

    mean: float
    standard_error: float
    weight: float
    """Of the judge (lambda): 0 is people alone, 1 is the judge as if it could be trusted."""
    labelled: int
    unlabelled: int

    def interval(self, confidence: float = 0.95) -> Interval:
        """By the normal distribution: for some 50 labels or more.

        Raises:
            ValueError: a confidence outside (0, 1).
        """
        reach = two_sided_z(confidence) * self.standard_error
        return Interval(self.mean - reach, self.mean + reach)


@dataclass(frozen=True, slots=True)
class PairedLabels:
    """Scores of the same cases on both sides, by one who scores."""

    baseline: ArrayLike
    candidate: ArrayLike

    @property
    def differences(self) -> Floats:
        """Candidate minus baseline.

        Raises:
            ValueError: the sides differ in length, or a score is not finite.
        """
        before, after = finite(self.baseline), finite(self.candidate)
        if before.size != after.size:
            raise ValueError(f"pairs need as many scores on both sides, not {before.size} and {after.size}")
        return after - before


def ppi_mean(
    human: ArrayLike, judge_labelled: ArrayLike, judge_unlabelled: ArrayLike, weight: float | None = None
) -> PpiEstimate | None:
    """The mean of human scores, from few of them and many of a judge, right whatever the judge's bias.

    Angelopoulos, Bates, Fannjiang, Jordan and Zrnic (2023), Prediction-powered inference, Science 382, 669-674, with
    the weight of PPI++: Angelopoulos, Duchi and Zrnic (2023), PPI++, arXiv:2311.01453. The mean is that of weight x
    judge over the unlabelled cases, plus that of human - weight x judge over the labelled ones; its variance the sum of
    theirs, as ppi-python 0.2.3 computes it. The labelled cases must be a random sample.

    Args:
        human: scores by people.
        judge_labelled: the judge's, of the same cases in the same order.
        judge_unlabelled: the judge's, of cases that no person has scored.
        weight: of the judge; None chooses the one of least variance in [0, 1]. 1 is PPI as of 2023, 0 people alone.

    Returns:
        None with fewer than two labelled or no unlabelled case.

    Raises:
        ValueError: a score that is not finite, or not a judge's score for each of people's.
    """
    y, f, others = finite(human), finite(judge_labelled), finite(judge_unlabelled)
    if y.size != f.size:
        raise ValueError(f"{y.size} scores by people and {f.size} by the judge are not of the same cases")
    if y.size < 2 or others.size == 0:
        return None
    chosen = _least_variance(y, f, others) if weight is None else weight
    rest = y - chosen * f
    mean = chosen * float(others.mean()) + float(rest.mean())
    variance = chosen**2 * float(others.var()) / others.size + float(rest.var()) / y.size
    return PpiEstimate(mean, math.sqrt(variance), chosen, y.size, others.size)


def ppi_difference(
    human: PairedLabels, judge_labelled: PairedLabels, judge_unlabelled: PairedLabels, weight: float | None = None
) -> PpiEstimate | None:
    """Candidate minus baseline as people would have scored it: `ppi_mean` of the paired differences.

    It takes out what agreement cannot show: that a judge favours one of the two versions.

    Raises:
        ValueError: as `ppi_mean`, or sides that differ in length.
    """
    return ppi_mean(human.differences, judge_labelled.differences, judge_unlabelled.differences, weight)


def _least_variance(human: Floats, judge: Floats, others: Floats) -> float:
    """Cov(Y, F) / ((1 + m/N) Var(F)), clipped to [0, 1]; 0 where the judge says always the same."""
    spread = float(np.concatenate([judge, others]).var(ddof=1))
    if spread == 0:
        return 0.0
    together = float(((human - human.mean()) * (judge - judge.mean())).mean())
    return min(1.0, max(0.0, together / ((1 + human.size / others.size) * spread)))
