"""How many cases a comparison needs, and the smallest change that it can see, by formula."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from llmctl.stats.distributions import normal_quantile
from llmctl.stats.tango import gain_rate

__all__ = [
    "SampleSize",
    "ScoreNoise",
    "Sides",
    "cases_for_difference",
    "cases_for_drop",
    "cases_to_pass",
    "design_effect",
    "smallest_difference",
    "smallest_drop",
]

Sides = Literal[1, 2]
"""Of a test: 1 looks for a drop only, 2 for a change."""


@dataclass(frozen=True, slots=True)
class SampleSize:
    """A number of cases."""

    raw: float
    """What the formula gives."""

    @property
    def cases(self) -> int:
        """Rounded up. What is a whole number but for rounding is not raised."""
        return max(1, math.ceil(round(self.raw, 9)))


def cases_for_drop(
    loss: float, gain: float, *, alpha: float = 0.05, power: float = 0.8, sides: Sides = 1
) -> SampleSize | None:
    """Pairs for McNemar's test to see that more is lost than gained; None where as much is gained as lost.

    Connor (1987), Sample size for testing differences in proportions for the paired-sample design, Biometrics 43,
    207-211: n = ((z_alpha sqrt(psi) + z_beta sqrt(psi - d^2)) / d)^2 with psi = loss + gain and d = loss - gain. A
    little too few where n is small: `exact_power.cases_for_drop_exact` says how many it takes.

    Args:
        loss: share of pairs that pass in the baseline and fail in the candidate.
        gain: share of pairs that fail in the baseline and pass in the candidate.
        alpha: of a false alarm.
        power: probability that the drop is seen.
        sides: of the test.

    Raises:
        ValueError: shares that are none, or alpha or power outside (0, 1).
    """
    if not (loss >= 0 and gain >= 0 and loss + gain <= 1):
        raise ValueError(f"a share {loss} of losses and {gain} of gains are no shares of pairs")
    z_alpha, z_beta = _z(alpha, power, sides)
    drop, discordance = abs(loss - gain), loss + gain
    if drop == 0:
        return None
    return SampleSize(((z_alpha * math.sqrt(discordance) + z_beta * math.sqrt(discordance - drop**2)) / drop) ** 2)


def smallest_drop(
    cases: int, discordance: float, *, alpha: float = 0.05, power: float = 0.8, sides: Sides = 1
) -> float | None:
    """The smallest drop that this many pairs show with this power: `cases_for_drop`, solved for the drop.

    None where there is none: even if every pair that differs were a loss it would not be seen so often.

    Args:
        cases: pairs.
        discordance: share of pairs that differ (psi).
        alpha: of a false alarm.
        power: probability that the drop is seen.
        sides: of the test.

    Raises:
        ValueError: a negative number of cases, or a share outside its range.
    """
    z_alpha, z_beta = _z(alpha, power, sides)
    if cases < 0 or not 0 <= discordance <= 1:
        raise ValueError(f"{cases} cases of which a share {discordance} differs cannot be")
    if cases == 0 or discordance == 0:
        return None
    # (sqrt(n) d - z_alpha sqrt(psi))^2 = z_beta^2 (psi - d^2); of its two roots the one on z_beta's side.
    middle = z_alpha * math.sqrt(cases * discordance)
    square = cases + z_beta**2
    root = math.sqrt(max(0.0, middle**2 - square * discordance * (z_alpha**2 - z_beta**2)))
    drop = (middle + math.copysign(root, z_beta)) / square
    return drop if 0 < drop <= discordance else None


def cases_to_pass(margin: float, discordance: float, *, alpha: float = 0.05, power: float = 0.8) -> SampleSize:
    """Pairs for a candidate without any change to pass a margin by Tango's test with this probability.

    n = ((z_alpha sqrt(2q + m (1 - m)) + z_beta sqrt(psi)) / m)^2: the statistic of Tango (1998) has the variance in the
    first root where the drop is the margin m, and psi where there is none; q is the gain rate most likely under the
    margin when psi/2 are lost and psi/2 gained. With a discordance of 0 it is the number below which no result passes.

    Args:
        margin: the largest drop that is tolerated, a share.
        discordance: share of pairs that differ by chance alone (psi).
        alpha: of passing although the drop is the margin.
        power: probability of passing without any drop.

    Raises:
        ValueError: a share outside its range.
    """
    if not 0 < margin < 1:
        raise ValueError(f"a margin lies between 0 and 1, not {margin}")
    if not 0 <= discordance <= 1:
        raise ValueError(f"the share of pairs that differ lies between 0 and 1, not {discordance}")
    z_alpha, z_beta = _z(alpha, power, 1)
    variance = 2 * gain_rate(discordance / 2, discordance / 2, 1, margin) + margin * (1 - margin)
    return SampleSize(((z_alpha * math.sqrt(variance) + z_beta * math.sqrt(discordance)) / margin) ** 2)


@dataclass(frozen=True, slots=True)
class ScoreNoise:
    """The variance of a paired difference of scores, by source."""

    between: float
    """Of the true difference of a case, over cases (omega squared)."""
    baseline: float = 0.0
    """Of one answer of the baseline to one case (sigma_A squared)."""
    candidate: float = 0.0
    baseline_repeats: int = 1
    candidate_repeats: int = 1

    @property
    def variance(self) -> float:
        """Of the difference of one case.

        Raises:
            ValueError: a negative variance, or fewer than 1 repeat.
        """
        if min(self.between, self.baseline, self.candidate) < 0:
            raise ValueError("a variance is 0 or more")
        if min(self.baseline_repeats, self.candidate_repeats) < 1:
            raise ValueError("each case is answered at least once")
        return self.between + self.baseline / self.baseline_repeats + self.candidate / self.candidate_repeats


def cases_for_difference(
    difference: float, noise: ScoreNoise, *, alpha: float = 0.05, power: float = 0.8, sides: Sides = 2
) -> SampleSize:
    """Cases to see a difference of mean scores.

    Miller (2024), Adding Error Bars to Evals, arXiv:2411.00640, equation 9: n = (z_alpha + z_beta)^2 (omega^2 +
    sigma_A^2 / K_A + sigma_B^2 / K_B) / delta^2.

    Raises:
        ValueError: a difference of 0, or alpha or power outside (0, 1).
    """
    if not difference:
        raise ValueError("no number of cases shows a difference of 0")
    return SampleSize(sum(_z(alpha, power, sides)) ** 2 * noise.variance / difference**2)


def smallest_difference(
    cases: int, noise: ScoreNoise, *, alpha: float = 0.05, power: float = 0.8, sides: Sides = 2
) -> float | None:
    """The smallest difference of mean scores that this many cases show: equation 9 for delta; None without cases.

    Raises:
        ValueError: alpha or power outside (0, 1).
    """
    return sum(_z(alpha, power, sides)) * math.sqrt(noise.variance / cases) if cases > 0 else None


def design_effect(cluster_size: float, intraclass_correlation: float) -> float:
    """By how much clusters raise the number of cases: 1 + (m - 1) ICC.

    Kish (1965), Survey Sampling, section 5.4.

    Raises:
        ValueError: a cluster below 1, or a correlation outside [0, 1].
    """
    if cluster_size < 1 or not 0 <= intraclass_correlation <= 1:
        raise ValueError(f"clusters of {cluster_size} with a correlation of {intraclass_correlation} cannot be")
    return 1 + (cluster_size - 1) * intraclass_correlation


def _z(alpha: float, power: float, sides: Sides) -> tuple[float, float]:
    """The quantiles of a false alarm and of a drop that is seen."""
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"alpha and power lie between 0 and 1, not {alpha} and {power}")
    return -normal_quantile(alpha / sides), normal_quantile(power)
