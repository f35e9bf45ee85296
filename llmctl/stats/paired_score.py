"""Is a drop of a given size excluded? Tango's score statistic, for answers, repeats and clusters alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["PairedSums", "score_z"]

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
        pairs = np.column_stack([np.asarray(differences), np.asarray(sizes)]).astype(np.int64)
        if pairs.size and (np.abs(pairs[:, 0]) > pairs[:, 1]).any():
            raise ValueError("A cluster's difference is no larger than its number of paired draws.")
        kinds, counts = np.unique(pairs[pairs[:, 1] > 0], axis=0, return_counts=True)
        return cls(tuple(kinds[:, 0].tolist()), tuple(kinds[:, 1].tolist()), tuple(counts.tolist()))

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


def score_z(sums: PairedSums, drop: float) -> float:
    """The score statistic of the hypothesis that the true drop is `drop`: positive where less is seen.

    With `u_c = D_c + drop * s_c`, which has mean 0 under the hypothesis, it is `sum(u) / sqrt(n * v)`. The variance v is
    the one under the hypothesis: of the likeliest law of u, among all with mean 0, on the values that were seen and the
    most extreme one that could have been. For one answer a case this is exactly Tango's statistic (1998, Statistics in
    Medicine 17, 891-908, eq. 4); for repeats and clusters it is the same idea with more than three values (empirical
    likelihood, Owen 1988). A variance estimated without the hypothesis, as in a t statistic, is 0 where
    nothing differs, and would exclude any drop after a few clusters.

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
        return -_score([-value for value in values], sums.counts, -total, (1 + drop) * max(sums.sizes))
    return _score(values, sums.counts, total, (1 - drop) * max(sums.sizes))


def _score(values: list[float], counts: tuple[int, ...], total: float, extreme: float) -> float:
    """For a positive total; `-extreme` is the lowest value that there can be."""
    clusters = sum(counts)
    tilt = _tilt(values, counts, 1 / extreme)
    masses = [count / (clusters * (1 + tilt * value)) if 1 + tilt * value > 0 else 0.0
              for count, value in zip(counts, values, strict=True)]
    variance = math.fsum(mass * value * value for mass, value in zip(masses, values, strict=True))
    left = math.fsum(mass * value for mass, value in zip(masses, values, strict=True))
    variance += max(0.0, left) * extreme
    return total / math.sqrt(clusters * variance)


def _tilt(values: list[float], counts: tuple[int, ...], limit: float) -> float:
    """The Lagrange multiplier of mean 0, at most `limit`: Newton's method inside a shrinking bracket."""
    low, high, tilt = 0.0, limit, limit
    for _ in range(_STEPS):
        slope = mean = 0.0
        for count, value in zip(counts, values, strict=True):
            factor = 1 + tilt * value
            if factor <= _CLOSE:
                mean = -math.inf
                break
            mean += count * value / factor
            slope += count * (value / factor) ** 2
        if mean >= 0:
            low = tilt
        else:
            high = tilt
        if mean == 0 or high - low <= _CLOSE * limit or low == limit:
            return low
        tilt = tilt + mean / slope if mean > -math.inf else low
        if not low < tilt < high:
            tilt = (low + high) / 2
    return tilt
