"""Rates and differences of columns of calls, and how sure they are. Pure functions on numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmctl.compare.diff_report import Difference, RatioDiff
from llmctl.stats.checks import Floats, Integers
from llmctl.stats.distributions import two_sided_z
from llmctl.stats.intervals import ClusterSums, Interval, clustered_wilson
from llmctl.stats.paired import mcnemar
from llmctl.stats.paired_score import PairedSums, largest_drop, smallest_drop
from llmctl.stats.ratio import ratio_of_medians
from llmctl.traffic.replay.findings.report import Share

__all__ = ["Calls", "difference_of", "ratio_of", "share_of"]

_CONFIDENCE = 0.95
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Calls:
    """Weights and clusters of some calls."""

    weights: Integers
    groups: Integers
    """Any numbers; equal ones are one cluster."""

    def where(self, chosen: Flags) -> Calls:
        """Some of them."""
        return Calls(self.weights[chosen], self.groups[chosen])

    @property
    def size(self) -> int:
        """How many calls."""
        return int(self.weights.size)

    @property
    def weight(self) -> int:
        """How many logged calls they stand for."""
        return int(self.weights.sum())

    @property
    def codes(self) -> Integers:
        """The cluster of each call, from 0 up."""
        return np.unique(self.groups, return_inverse=True)[1].astype(np.int64)

    @property
    def clusters(self) -> int:
        """Independent ones."""
        return int(np.unique(self.groups).size)

    @property
    def plain(self) -> bool:
        """Whether each call stands for itself alone, and is its own cluster."""
        return self.clusters == self.size and self.weight == self.size

    @property
    def method(self) -> str:
        """What the interval of a share of them is."""
        return "Wilson" if self.plain else "Wilson, at the effective number of calls"


def share_of(found: Flags, calls: Calls) -> Share:
    """How many of the calls are found, weighted.

    Wilson's interval at the effective number of logged calls (`clustered_wilson`): a call that stands for many, and the
    calls of one conversation, are clusters. Where each call stands for itself it is Wilson's own.
    """
    if not calls.size:
        return Share(0, 0, None)
    weight = int(calls.weights[found].sum())
    return Share(int(np.count_nonzero(found)), weight, weight / calls.weight, _interval(found, calls))


def _interval(found: Flags, calls: Calls) -> Interval | None:
    codes = calls.codes
    totals = _sums(codes, calls.weights)
    passed = _sums(codes, np.where(found, calls.weights, 0))
    sums = ClusterSums(
        int(totals.size),
        int(totals.sum()),
        int(passed.sum()),
        int((passed * passed).sum()),
        int((passed * totals).sum()),
        int((totals * totals).sum()),
    )
    return clustered_wilson(sums, _CONFIDENCE)


def difference_of(before: Flags, after: Flags, calls: Calls) -> Difference | None:
    """The share of `after` less that of `before`, of the same calls; None where there is none.

    Tango's score interval, and McNemar's mid-p; where calls are weighted or clustered the same score statistic over
    clusters (`stats.paired_score`), without a p-value.
    """
    if not calls.size:
        return None
    codes = calls.codes
    signs = after.astype(np.int64) - before.astype(np.int64)
    sums = PairedSums.of(_sums(codes, signs * calls.weights), _sums(codes, calls.weights))
    z = two_sided_z(_CONFIDENCE)
    low, high = -largest_drop(sums, z), -smallest_drop(sums, z)
    value = sums.total / sums.draws
    if not calls.plain:
        return Difference(value, low, high, None, "paired score interval over clusters")
    test = mcnemar(int(np.count_nonzero(signs < 0)), int(np.count_nonzero(signs > 0)))
    return Difference(value, low, high, test.mid_p, "Tango score interval, McNemar mid-p", test.exact)


def ratio_of(before: Floats, after: Floats, calls: Calls) -> RatioDiff | None:
    """The median of `after` over that of `before`, of the calls of which both are known; every call counts once."""
    known = np.isfinite(before) & np.isfinite(after) & (before >= 0) & (after >= 0)
    chosen = calls.where(known)
    groups = None if chosen.clusters == chosen.size else chosen.groups
    found = ratio_of_medians(before[known], after[known], groups)
    if found is None:
        return None
    low, high = (found.interval.low, found.interval.high) if found.interval else (None, None)
    return RatioDiff(found.ratio, low, high, found.pairs, found.baseline, found.candidate)


def _sums(codes: Integers, values: Integers) -> Integers:
    # Sums of whole numbers below 2^53, which floats hold exactly.
    return np.rint(np.bincount(codes, weights=values)).astype(np.int64)
