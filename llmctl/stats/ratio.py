"""How much slower or dearer: the ratio of the medians of paired values, with a bootstrap interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from llmctl.stats.checks import Floats, Groups, Integers, cluster_codes, finite, share
from llmctl.stats.intervals import Interval

__all__ = ["MedianRatio", "ratio_of_medians"]

_BLOCK = 500_000
"""Counts of units that are held at a time."""
_DEVIATIONS = 4
"""Standard deviations within which medians of resamples are told apart; one in 16,000 lies beyond, and is moved in."""


@dataclass(frozen=True, slots=True)
class MedianRatio:
    """Candidate over baseline, for values such as latency and cost."""

    baseline: float
    """The median."""
    candidate: float
    ratio: float | None
    """None where the median of the baseline is 0."""
    interval: Interval | None
    """None where there are too few pairs for any interval at this confidence, or the baseline may well be 0."""
    pairs: int
    clusters: int


def ratio_of_medians(
    baseline: ArrayLike,
    candidate: ArrayLike,
    groups: Groups | None = None,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> MedianRatio | None:
    """The median of the candidate over that of the baseline; pairs are resampled together, clusters whole.

    The percentile interval of Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 13.3. There is
    none below 6 clusters at 95 %: the smallest and the largest of n values enclose the median with 1 - 2^(1-n) only.

    Of each resample only the medians are needed. They lie within a few standard deviations of the middle ranks: so
    pairs there are drawn one by one, and of all others only how many lie below the middle, on either side.

    Args:
        baseline: one value for each pair, 0 or more.
        candidate: in the same order.
        groups: the cluster of each pair; None where all are independent.
        confidence: of both sides.
        resamples: to draw.
        seed: of the draws.

    Returns:
        None where there are no pairs.

    Raises:
        ValueError: values that are negative or not finite, sides that differ in length, or a confidence that is none.
    """
    share("a confidence", confidence)
    before, after = finite(baseline), finite(candidate)
    if before.size != after.size:
        raise ValueError(f"pairs need as many values on both sides, not {before.size} and {after.size}")
    if before.size == 0:
        return None
    if min(before.min(), after.min()) < 0:
        raise ValueError("a latency or a cost is 0 or more")
    codes = cluster_codes(groups, before.size)
    clusters = int(codes.max()) + 1
    medians = float(np.median(before)), float(np.median(after))
    ratio = medians[1] / medians[0] if medians[0] else None
    interval = None
    if ratio is not None and 2.0 ** (1 - clusters) <= 1 - confidence:
        tail = (1 - confidence) / 2
        interval = _percentiles(_resampled(before, after, codes, resamples, np.random.default_rng(seed)), tail)
    return MedianRatio(*medians, ratio, interval, before.size, clusters)


def _percentiles(medians: tuple[Floats, Floats], tail: float) -> Interval | None:
    before, after = medians
    if not before.all():
        return None
    low, high = np.quantile(after / before, [tail, 1 - tail])
    return Interval(float(low), float(high))


@dataclass(frozen=True, slots=True)
class _Side:
    """One side, cut into what lies below the middle ranks, in them, and above."""

    below: Floats
    """For each cluster its values below."""
    values: Floats
    """Those in the middle, ascending."""
    clusters: Integers
    """Of each of them."""

    @classmethod
    def of(cls, values: Floats, codes: Integers, sizes: Integers) -> _Side:
        order = np.argsort(values, kind="stable")
        middle = values.size / 2
        under = np.bincount(codes[order[: int(middle)]], minlength=sizes.size) - sizes / 2
        reach = _DEVIATIONS * float(np.sqrt(under @ under)) + 2
        first, last = max(0, int(middle - reach)), min(values.size, int(middle + reach) + 1)
        below = np.bincount(codes[order[:first]], minlength=sizes.size).astype(np.float64)
        return cls(below, values[order[first:last]], codes[order[first:last]])


def _resampled(
    before: Floats, after: Floats, codes: Integers, resamples: int, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """Medians of both sides, for each resample of clusters."""
    sizes = np.bincount(codes).astype(np.int64)
    sides = [_Side.of(values, codes, sizes) for values in (before, after)]
    touched = np.zeros(sizes.size, dtype=bool)
    for side in sides:
        touched[side.clusters] = True
    # A cluster is its size and its counts below; of those without a value in the middle nothing else matters.
    features = np.column_stack([sizes, sides[0].below, sides[1].below])
    kinds, kind_counts = _distinct_rows(features[~touched])
    shares = np.append(kind_counts, np.count_nonzero(touched)) / sizes.size
    place = np.cumsum(touched) - 1
    found: list[list[Floats]] = [[], []]
    width = int(np.count_nonzero(touched))
    rows = max(1, _BLOCK // max(1, width))
    for start in range(0, resamples, rows):
        drawn = generator.multinomial(sizes.size, shares, size=min(rows, resamples - start))
        counts = _counts_one_by_one(drawn[:, -1], width, generator)
        totals = drawn[:, :-1] @ kinds + counts @ features[touched]
        for number, side in enumerate(sides):
            found[number].append(_medians(side, counts[:, place[side.clusters]], totals[:, 0], totals[:, number + 1]))
    return np.concatenate(found[0]), np.concatenate(found[1])


def _distinct_rows(rows: Floats) -> tuple[Floats, Integers]:
    """Distinct rows and how often each occurs; a fifth of the time of `np.unique` along an axis."""
    ordered = rows[np.lexsort(rows.T)]
    first = np.ones(len(rows), dtype=bool)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    starts = np.flatnonzero(first)
    return ordered[starts], np.diff(starts, append=len(rows))


def _counts_one_by_one(draws: Integers, width: int, generator: np.random.Generator) -> Floats:
    """How often each of `width` clusters is drawn, a row for each resample with its number of draws."""
    rows = np.repeat(np.arange(draws.size), draws)
    picked = rows * width + generator.integers(0, max(1, width), rows.size)
    return np.bincount(picked, minlength=draws.size * width).reshape(draws.size, width).astype(np.float64)


def _medians(side: _Side, counts: Floats, sizes: Floats, below: Floats) -> Floats:
    """The mean of the two middle values of each resample, which are one and the same where its size is odd."""
    reached = below[:, None] + np.cumsum(counts, axis=1)
    last = side.values.size - 1
    middle = [
        side.values[np.minimum(np.count_nonzero(reached <= rank[:, None], axis=1), last)]
        for rank in ((sizes - 1) // 2, sizes // 2)
    ]
    medians: Floats = (middle[0] + middle[1]) / 2
    return medians
