"""Pairs of passed and failed: the four counts, McNemar's test, and Newcombe's interval of the difference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmctl.stats.alternative import Alternative
from llmctl.stats.distributions import binomial_half_cdf, binomial_half_pmf
from llmctl.stats.intervals import Interval, wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["McNemar", "PairedCounts", "mcnemar", "newcombe_interval"]


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """Cases that both sides have judged, by what each side says of them.

    Raises:
        ValueError: a count below 0.
    """

    both: int
    """Passed on both sides."""
    losses: int
    """Passed in the baseline, failed in the candidate."""
    gains: int
    """Failed in the baseline, passed in the candidate."""
    neither: int
    """Failed on both sides."""

    def __post_init__(self) -> None:
        if min(self.both, self.losses, self.gains, self.neither) < 0:
            raise ValueError(f"counts of pairs are 0 or more, not {self}")

    @classmethod
    def of(cls, baseline: ArrayLike, candidate: ArrayLike) -> PairedCounts:
        """Count two rows of booleans, a pair at each place.

        Raises:
            ValueError: the rows differ in length, or hold anything but yes and no (a missing value, say).
        """
        import numpy as np

        before, after = np.asarray(baseline), np.asarray(candidate)
        if before.shape != after.shape or before.ndim != 1:
            raise ValueError(f"pairs need two rows of one length, not {before.shape} and {after.shape}")
        if not all(np.isin(side, (0, 1)).all() for side in (before, after)):
            raise ValueError("a pair is passed or failed on either side: pairs without a verdict are left out before")
        before, after = before.astype(bool), after.astype(bool)
        both = int(np.count_nonzero(before & after))
        passed_before, passed_after = int(np.count_nonzero(before)), int(np.count_nonzero(after))
        losses, gains = passed_before - both, passed_after - both
        return cls(both, losses, gains, before.size - both - losses - gains)

    @property
    def pairs(self) -> int:
        """All of them."""
        return self.both + self.losses + self.gains + self.neither

    @property
    def discordant(self) -> int:
        """Pairs whose sides differ."""
        return self.losses + self.gains

    @property
    def difference(self) -> float | None:
        """Pass rate of the candidate minus that of the baseline; None where there is no pair."""
        return (self.gains - self.losses) / self.pairs if self.pairs else None


@dataclass(frozen=True, slots=True)
class McNemar:
    """The p-values of one test."""

    exact: float
    """Never above its level, and clearly below it with few discordant pairs."""
    mid_p: float
    """Half of the probability of what was observed; on average at its level. The one to show."""


def mcnemar(losses: int, gains: int, alternative: Alternative = Alternative.TWO_SIDED) -> McNemar:
    """Whether losses and gains are as even as the throws of a fair coin.

    McNemar (1947), Psychometrika 12, 153-157; exact and mid-p as in Fagerland, Lydersen and Laake (2013), The McNemar
    test for binary matched-pairs data, BMC Medical Research Methodology 13:91: with X ~ Bin(losses + gains, 1/2) and f
    the probability of what was observed, the exact p is 2 P(X <= the smaller count), at most 1, and the mid-p that less
    f, or 1 - f/2 where both counts are equal. One-sided: P(X >= losses) for a drop, less f/2. Without any discordant
    pair every p is 1.

    Raises:
        ValueError: a count below 0.
    """
    if losses < 0 or gains < 0:
        raise ValueError(f"{losses} losses and {gains} gains are no counts")
    total = losses + gains
    if total == 0:
        return McNemar(1.0, 1.0)
    observed = binomial_half_pmf(losses, total)
    if alternative is not Alternative.TWO_SIDED:
        fewer = gains if alternative is Alternative.LESS else losses
        tail = binomial_half_cdf(fewer, total)
        return McNemar(tail, tail - observed / 2)
    if losses == gains:
        return McNemar(1.0, 1 - observed / 2)
    tail = binomial_half_cdf(min(losses, gains), total)
    return McNemar(min(1.0, 2 * tail), 2 * tail - observed)


def newcombe_interval(counts: PairedCounts, confidence: float = 0.95) -> Interval | None:
    """Newcombe's interval of the difference candidate minus baseline, in [-1, 1]; None where there is no pair.

    Newcombe (1998), Improved confidence intervals for the difference between binomial proportions based on paired data,
    Statistics in Medicine 17, 2635-2650, method 10: Wilson's limits of both rates, combined with their correlation,
    which is corrected for continuity. Closed form; the displayed interval is Tango's (`tango.py`).

    Raises:
        ValueError: a confidence outside (0, 1).
    """
    pairs = counts.pairs
    before = wilson(counts.both + counts.losses, pairs, confidence)
    after = wilson(counts.both + counts.gains, pairs, confidence)
    if before is None or after is None:
        return None
    rate_before, rate_after = (counts.both + counts.losses) / pairs, (counts.both + counts.gains) / pairs
    difference, phi = rate_after - rate_before, _correlation(counts)
    down = _root_of_squares(rate_after - after.low, before.high - rate_before, phi)
    up = _root_of_squares(after.high - rate_after, rate_before - before.low, phi)
    return Interval(max(-1.0, difference - down), min(1.0, difference + up))


def _correlation(counts: PairedCounts) -> float:
    """Phi of the 2 x 2 table, its numerator corrected for continuity; 0 where a side never varies."""
    both, losses, gains, neither = counts.both, counts.losses, counts.gains, counts.neither
    margins = (both + losses) * (gains + neither) * (both + gains) * (losses + neither)
    if margins == 0:
        return 0.0
    product = float(both * neither - losses * gains)
    if product > 0:
        product = max(product - counts.pairs / 2, 0.0)
    return product / math.sqrt(margins)


def _root_of_squares(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))
