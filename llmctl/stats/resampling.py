"""Resampling the mean of many values quickly, with the law that drawing them one by one has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmctl.stats.checks import Floats, Integers, sums_of_clusters

__all__ = ["Units", "resampled_means"]

_DISTINCT = 512
"""Distinct units up to which their counts in a resample are drawn, instead of the units."""
_ONE_BY_ONE = 5000
"""Units up to which they are drawn one by one."""
_BLOCK = 1_000_000
"""Units that are drawn at a time."""
_EXTREMES = 64
"""On each side, units that keep their own value among strata."""
_STRATA = 384
"""Between the extremes."""


@dataclass(frozen=True, slots=True)
class Units:
    """What is resampled: values, or clusters of them. The mean is that of all values, not of clusters."""

    mean: float
    rest: Floats
    """For each unit the sum of its values less the mean."""
    sizes: Floats
    """For each unit its number of values."""

    @classmethod
    def of(cls, values: Floats, codes: Integers | None) -> Units:
        """From values and the number of the cluster of each, None where each is its own."""
        mean = float(values.mean())
        if codes is None:
            return cls(mean, values - mean, np.ones(values.size))
        return cls(mean, sums_of_clusters(values - mean, codes), np.bincount(codes).astype(np.float64))

    @property
    def count(self) -> int:
        """Of units."""
        return self.rest.size

    @property
    def vary(self) -> bool:
        """Whether resamples can differ: rounding apart, some unit is not like the mean."""
        return float(np.abs(self.rest).max()) > 1e-12 * max(abs(self.mean), float(np.abs(self.rest).max()))

    def means(self, chosen: NDArray[np.integer]) -> Floats:
        """Of resamples, a row of places of units for each."""
        means: Floats = self.mean + self.rest[chosen].sum(axis=1) / self.sizes[chosen].sum(axis=1)
        return means

    def means_without_one(self) -> Floats:
        """The jackknife: the mean without each unit in turn."""
        means: Floats = self.mean + (self.rest.sum() - self.rest) / (self.sizes.sum() - self.sizes)
        return means


def resampled_means(units: Units, resamples: int, generator: np.random.Generator) -> Floats:
    """Means of as many units drawn with replacement.

    Where few units are distinct (passed and failed, passes in k repeats) the counts of each are multinomial, which is
    the very law of drawing them one by one, at any number of cases. Many thousands of units that differ are sorted into
    384 strata of equal size and the 64 most extreme on each side: the counts are multinomial again, and what units of
    one stratum differ by is added as a normal deviate of its variance. Mean, variance and nearly all of the skewness
    are those of drawing one by one.
    """
    distinct, counts = np.unique(units.rest + 1j * units.sizes, return_counts=True)
    if distinct.size <= _DISTINCT:
        drawn = _multinomial(counts, resamples, generator)
        means: Floats = units.mean + (drawn @ distinct.real) / (drawn @ distinct.imag)
        return means
    if units.count <= _ONE_BY_ONE:
        rows = max(1, _BLOCK // units.count)
        blocks = [min(rows, resamples - start) for start in range(0, resamples, rows)]
        return np.concatenate([units.means(generator.integers(0, units.count, (size, units.count))) for size in blocks])
    return _stratified(units, resamples, generator)


def _stratified(units: Units, resamples: int, generator: np.random.Generator) -> Floats:
    order = np.argsort(units.rest)
    rest, sizes = units.rest[order], units.sizes[order]
    inner = np.linspace(_EXTREMES, units.count - _EXTREMES, _STRATA + 1).astype(np.int64)
    starts = np.concatenate([np.arange(_EXTREMES), inner[:-1], np.arange(inner[-1], units.count)])
    counts = np.diff(starts, append=units.count)
    means = np.add.reduceat(rest, starts) / counts
    variances = np.maximum(0.0, np.add.reduceat((rest - np.repeat(means, counts)) ** 2, starts) / counts)
    drawn = _multinomial(counts, resamples, generator)
    within = np.sqrt(drawn @ variances) * generator.standard_normal(resamples)
    result: Floats = units.mean + (drawn @ means + within) / (drawn @ (np.add.reduceat(sizes, starts) / counts))
    return result


def _multinomial(counts: NDArray[np.integer], resamples: int, generator: np.random.Generator) -> Floats:
    """How often each kind is drawn, a row for each resample."""
    total = int(counts.sum())
    return generator.multinomial(total, counts / total, size=resamples).astype(np.float64)
