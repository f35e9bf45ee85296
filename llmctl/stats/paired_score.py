"""Is a drop of a given size excluded? Tango's score statistic, for answers, repeats and clusters alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from llmctl.stats.decision import whole_numbers

__all__ = ["PairedSums", "largest_drop", "score_z", "smallest_drop"]

_ALMOST_ALL = 1 - 1e-9
_STEPS = 60
_CLOSE = 1e-13


@dataclass(frozen=True, slots=True)
class PairedSums:
    """Differences of independent clusters, counted: all that the statistic needs."""

    differences: tuple[int, ...]
    """Candidate's passes less the baseline's in a cluster; distinct together with `sizes`."""
    sizes: tuple[int, ...]
    """Paired draws of such a cluster: cases times repeats."""
    counts: tuple[int, ...]
    """Clusters that are like this."""

    @classmethod
    def of(cls, differences: ArrayLike, sizes: ArrayLike) -> PairedSums:
        """From one difference and one size for each cluster; clusters without a draw are left out.

        Raises:
            ValueError: a difference larger than its cluster, or not whole.
        """
        values, draws = whole_numbers(differences), whole_numbers(sizes)
        if (np.abs(values) > draws).any():
            raise ValueError("A cluster's difference is no larger than its number of paired draws.")
        largest = int(draws.max(initial=0))
        # Each pair is one number, so that counting is one sort.
        kinds, counts = np.unique((draws * (2 * largest + 1) + values + largest)[draws > 0], return_counts=True)
        size, shifted = np.divmod(kinds, 2 * largest + 1)
        return cls(tuple((shifted - largest).tolist()), tuple(size.tolist()), tuple(counts.tolist()))

    @property
    def clusters(self) -> int:
        """Independent clusters."""
        return sum(self.counts)

    @property
    def draws(self) -> int:
        """Paired draws."""
        return sum(count * size for count, size in zip(self.counts, self.sizes, strict=True))

    @property
    def total(self) -> int:
        """The sum of all differences."""
        return sum(count * value for count, value in zip(self.counts, self.differences, strict=True))

    @property
    def drop(self) -> float | None:
        """The observed drop, as a share of draws; None without any."""
        return -self.total / self.draws if self.draws else None

    @property
    def typical_size(self) -> float:
        """Draws of the cluster of a random draw: where whole clusters fail, failing comes in pieces so large."""
        squares = sum(count * size * size for count, size in zip(self.counts, self.sizes, strict=True))
        return squares / self.draws if self.draws else 0.0

    @property
    def mirrored(self) -> PairedSums:
        """The same with the sides exchanged."""
        return PairedSums(tuple(-value for value in self.differences), self.sizes, self.counts)


def score_z(sums: PairedSums, drop: float) -> float:
    """The score statistic of the hypothesis that the true drop is `drop`: positive where less is seen.

    With `u_c = D_c + drop * s_c`, which has mean 0 under the hypothesis, it is `sum(u) / sqrt(n * v)`. The variance v
    is the one under the hypothesis: of the likeliest law of u, among all with mean 0, on the values that were seen and
    a most extreme one that could have been: everything lost in a cluster of `typical_size`. For one answer a case this
    is exactly Tango's statistic (1998, Statistics in Medicine 17, 891-908, eq. 4); for repeats and clusters it is the
    same idea with more than three values (empirical likelihood, Owen 1988). A variance estimated without the
    hypothesis, as in a t statistic, is 0 where nothing differs, and would exclude any drop after a few clusters.

    Raises:
        ValueError: a drop outside (-1, 1).
    """
    if not -1 < drop < 1:
        raise ValueError(f"A drop lies between -1 and 1, not {drop}.")
    values = [value + drop * size for value, size in zip(sums.differences, sums.sizes, strict=True)]
    total = math.fsum(count * value for count, value in zip(sums.counts, values, strict=True))
    if total == 0 or not values:
        return 0.0
    if total < 0:
        values, sign, room = [-value for value in values], -1, 1 + drop
    else:
        sign, room = 1, 1 - drop
    return sign * _score(values, sums.counts, abs(total), room * sums.typical_size)


def largest_drop(sums: PairedSums, z: float) -> float:
    """The upper bound of the drop: the smallest that `score_z` excludes as too large, by `z` or more; at most 1."""
    return _inverted(sums, z)


def smallest_drop(sums: PairedSums, z: float) -> float:
    """The lower bound of the drop: the largest that `score_z` excludes as too small; at least -1."""
    return -_inverted(sums.mirrored, z)


def _inverted(sums: PairedSums, z: float) -> float:
    """The drop at which the statistic, which grows with it, reaches z."""
    from scipy.optimize import brentq

    if sums.drop is None or math.isinf(z) or sums.drop >= _ALMOST_ALL or score_z(sums, _ALMOST_ALL) < z:
        return 1.0
    start = max(sums.drop, -_ALMOST_ALL)
    return float(brentq(lambda drop: score_z(sums, drop) - z, start, _ALMOST_ALL, xtol=1e-10))


def _score(values: list[float], counts: tuple[int, ...], total: float, extreme: float) -> float:
    """For a positive total; `-extreme` is where mass goes that was not seen."""
    clusters = sum(counts)
    tilt = _tilt(values, counts, 1 / extreme)
    variance = left = 0.0
    for count, value in zip(counts, values, strict=True):
        factor = 1 + tilt * value
        if factor > _CLOSE:
            mass = count / (clusters * factor)
            left += mass * value
            variance += mass * value * value
    variance += max(0.0, left) * extreme  # what mean 0 lacks is mass at the extreme
    return total / math.sqrt(clusters * variance)


def _tilt(values: list[float], counts: tuple[int, ...], limit: float) -> float:
    """The Lagrange multiplier of mean 0, in (0, limit]: Newton's method inside a shrinking bracket.

    The mean of the tilted law falls as the tilt grows. Where it is still positive at the limit, the limit is it: the
    rest of the mass lies at the extreme.
    """
    low, high, tilt = 0.0, limit, limit
    for _ in range(_STEPS):
        mean, slope = _tilted(values, counts, tilt)
        if mean >= 0:
            low = tilt
        else:
            high = tilt
        if low == limit or mean == 0 or high - low <= _CLOSE * limit:
            return low
        if tilt == limit:  # the first step is that of a normal law
            mean, slope = _tilted(values, counts, 0.0)
            tilt = mean / slope
        else:
            tilt += mean / slope
        if not low < tilt < high:
            tilt = (low + high) / 2
        elif abs(mean) <= _CLOSE * slope * limit:
            return tilt
    return tilt


def _tilted(values: list[float], counts: tuple[int, ...], tilt: float) -> tuple[float, float]:
    """The sum of the values under the tilted law, and how fast it falls with the tilt."""
    mean = slope = 0.0
    for count, value in zip(counts, values, strict=True):
        factor = 1 + tilt * value
        if factor <= _CLOSE:
            return -math.inf, math.inf
        share = value / factor
        mean += count * share
        slope += count * share * share
    return mean, slope
