"""How much better or worse, for pairs of passed and failed: Tango's score statistic, its interval and its test."""

from __future__ import annotations

import math

from llmctl.stats.distributions import normal_cdf, two_sided_z
from llmctl.stats.intervals import Interval

__all__ = ["gain_rate", "largest_drop", "noninferiority_p", "tango_interval", "tango_z"]


def tango_z(losses: float, gains: float, pairs: float, drop: float = 0.0) -> float:
    """The score statistic of the hypothesis that the pass rate falls by `drop`; normal where it does.

    Positive: more is lost than that. At 0 it is McNemar's z. Tango (1998), Equivalence test and confidence interval for
    the difference in proportions for the paired-sample design, Statistics in Medicine 17, 891-908:
    (b - c - nD) / sqrt(n (2q + D (1 - D))), where q is the probability of a gain that is most likely under the
    hypothesis. It is defined without any discordant pair. Counts may be fractions, for an effective number of pairs.

    Args:
        losses: pairs that pass in the baseline only (b).
        gains: pairs that pass in the candidate only (c).
        pairs: all pairs (n), 1 or more.
        drop: loss rate minus gain rate (D), in [-1, 1]; negative for an improvement.

    Raises:
        ValueError: counts that are none, or a drop outside [-1, 1].
    """
    if not (losses >= 0 and gains >= 0 and pairs > 0 and losses + gains <= pairs):
        raise ValueError(f"{losses} losses and {gains} gains in {pairs} pairs are no counts")
    if not -1 <= drop <= 1:
        raise ValueError(f"a drop lies between -1 and 1, not {drop}")
    excess = losses - gains - pairs * drop
    variance = pairs * (2 * gain_rate(losses, gains, pairs, drop) + drop * (1 - drop))
    if variance <= 0:  # a drop of 0 without discordant pairs, or of everything
        return 0.0 if excess == 0 else math.copysign(math.inf, excess)
    return excess / math.sqrt(variance)


def tango_interval(losses: float, gains: float, pairs: float, confidence: float = 0.95) -> Interval | None:
    """The interval of the difference candidate minus baseline, in [-1, 1]: all that `tango_z` does not reject.

    None where there is no pair. Both bounds at this confidence; each alone holds with (1 + confidence) / 2.

    Raises:
        ValueError: counts that are none, or a confidence outside (0, 1).
    """
    z = two_sided_z(confidence)
    if pairs == 0:
        return None
    tango_z(losses, gains, pairs)  # refuses what are no counts
    return Interval(-_upper_drop(losses, gains, pairs, z), _upper_drop(gains, losses, pairs, z))


def largest_drop(losses: float, gains: float, pairs: float, confidence: float = 0.95) -> float | None:
    """The upper bound of the drop: "no drop larger than this", one-sided at this confidence. None without a pair.

    A margin passes `noninferiority_p` at 1 - confidence exactly where this bound lies below it. Negative where even the
    smallest plausible change is a gain.

    Raises:
        ValueError: counts that are none, or a confidence outside [0.5, 1).
    """
    if not 0.5 < confidence < 1:
        raise ValueError(f"the confidence of a bound lies between 0.5 and 1, not {confidence}")
    interval = tango_interval(losses, gains, pairs, 2 * confidence - 1)
    return None if interval is None else -interval.low


def noninferiority_p(losses: float, gains: float, pairs: float, margin: float) -> float:
    """The p-value against "the drop is `margin` or larger": small where such a drop is excluded.

    The lower tail of `tango_z` at the margin, by the normal distribution.

    Raises:
        ValueError: counts that are none, or a margin outside [0, 1).
    """
    if not 0 <= margin < 1:
        raise ValueError(f"a margin lies between 0 and 1, not {margin}")
    return normal_cdf(tango_z(losses, gains, pairs, margin))


def gain_rate(losses: float, gains: float, pairs: float, drop: float) -> float:
    """The most likely probability of a gain, given the drop: the larger root of A q^2 + B q + C."""
    a = 2 * pairs
    b = -losses - gains + (2 * pairs - losses + gains) * drop
    c = -gains * drop * (1 - drop)
    root = math.sqrt(max(0.0, b * b - 4 * a * c))
    if b <= 0:
        return (root - b) / (2 * a)
    return -2 * c / (root + b)  # the same root, without a difference of two numbers that are nearly equal


def _upper_drop(losses: float, gains: float, pairs: float, z: float) -> float:
    """The largest drop whose statistic is -z or more, to the last bit: the statistic falls as the drop grows."""
    low, high = (losses - gains) / pairs, 1.0
    if tango_z(losses, gains, pairs, high) >= -z:
        return high
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return high
        if tango_z(losses, gains, pairs, middle) >= -z:
            low = middle
        else:
            high = middle
