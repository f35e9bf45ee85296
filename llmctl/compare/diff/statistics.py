"""The statistics of a cell: which method fits its pairs, and what it says. Pure functions on columns of numbers."""

from __future__ import annotations

import numpy as np

from llmctl.compare.diff.pair_table import Flags, PairTable
from llmctl.compare.diff_report import Difference, Rate, RatioDiff, Sensitivity
from llmctl.stats.checks import Floats, Integers
from llmctl.stats.clustered import estimate_difference, estimate_mean
from llmctl.stats.intervals import Interval, wilson
from llmctl.stats.paired import mcnemar
from llmctl.stats.permutation import sign_flip
from llmctl.stats.power import cases_to_pass, smallest_drop
from llmctl.stats.ratio import ratio_of_medians
from llmctl.stats.tango import tango_interval

__all__ = ["clusters_of", "difference_of", "rate_of", "ratio_of", "sensitivity_of"]

_RESAMPLES = 1_000
"""For the bounds of a ratio of medians."""
_TANGO = "Tango score interval, McNemar mid-p"
_UNVARIED = "Tango score interval with no pair that differs"


def clusters_of(pairs: int, groups: Integers | None) -> int:
    """How many independent units the pairs are."""
    return pairs if groups is None else int(np.unique(groups).size)


def rate_of(rates: Floats, answers: int, groups: Integers | None) -> Rate:
    """The mean over cases of the share of their repeats that passed.

    Wilson's interval; where cases have repeats or groups, at the effective number of results, as in
    `stats.intervals.clustered_wilson`.
    """
    passed, cases = float(rates.sum()), int(rates.size)
    if _binary(rates) and groups is None:
        return Rate(passed, cases, wilson(round(passed), cases))
    estimate = estimate_mean(rates, groups)
    if estimate is None:
        return Rate(passed, cases, None)
    error, mean = estimate.standard_error, min(1.0, max(0.0, estimate.mean))
    effective = mean * (1 - mean) / error**2 if error else float(estimate.clusters)
    effective = min(effective, float(answers))
    return Rate(passed, cases, wilson(mean * effective, effective) if effective else None)


def difference_of(before: Floats, after: Floats, groups: Integers | None) -> Difference | None:
    """B minus A over the pairs; None where there is none.

    Pairs of passed and failed, each its own: Tango's interval and McNemar's mid-p. Else the paired or clustered t
    interval over the means of the cases, and the p-value of flipping signs. Where no pair differs, t says nothing, and
    Tango's interval still bounds a change of passed and failed.
    """
    if before.size == 0:
        return None
    if groups is None and _binary(before) and _binary(after):
        return _of_counts(before, after)
    estimate = estimate_difference(before, after, groups)
    flipped = sign_flip(after - before, groups)
    if estimate is None or flipped is None:
        return None
    interval = estimate.interval()
    method = f"{'paired' if groups is None else 'clustered'} t, sign-flip p"
    if interval is None and not (after - before).any():
        interval, method = tango_interval(0, 0, estimate.clusters), _UNVARIED
    low, high = (max(-1.0, interval.low), min(1.0, interval.high)) if interval else (None, None)
    return Difference(estimate.mean, low, high, flipped.p_value, method)


def _of_counts(before: Floats, after: Floats) -> Difference:
    losses, gains = int(np.count_nonzero(before > after)), int(np.count_nonzero(after > before))
    pairs = int(before.size)
    interval, test = tango_interval(losses, gains, pairs), mcnemar(losses, gains)
    low, high = (interval.low, interval.high) if interval else (None, None)
    return Difference((gains - losses) / pairs, low, high, test.mid_p, _TANGO, p_exact=test.exact)


def sensitivity_of(before: Floats, after: Floats, groups: Integers | None, margin: float) -> Sensitivity | None:
    """What as many pairs that differ as these do could show; None without a pair.

    Groups and repeats enter by the share of single pairs whose differences would vary as much: psi with
    psi - d^2 = n SE^2 (Connor 1987 with the variance of these pairs).
    """
    if before.size == 0:
        return None
    discordance = _discordance(before, after, groups)
    drop = smallest_drop(int(before.size), discordance)
    needed = cases_to_pass(margin, discordance).cases if discordance else None
    return Sensitivity(drop, needed, margin, discordance)


def _discordance(before: Floats, after: Floats, groups: Integers | None) -> float:
    if groups is None and _binary(before) and _binary(after):
        return float(np.count_nonzero(before != after)) / before.size
    estimate = estimate_difference(before, after, groups)
    if estimate is None or estimate.standard_error is None:
        return 0.0
    return min(1.0, before.size * estimate.standard_error**2 + estimate.mean**2)


def ratio_of(table: PairTable, before: Floats, after: Floats) -> RatioDiff | None:
    """B over A of a measure, over the pairs whose calls are not the same and of which it is known; None without one."""
    known: Flags = np.isfinite(before) & np.isfinite(after) & (before >= 0) & (after >= 0) & ~table.same_calls
    chosen = table.where(known)
    found = ratio_of_medians(before[known], after[known], chosen.groups, resamples=_RESAMPLES)
    if found is None:
        return None
    bounds: Interval | None = found.interval
    low, high = (bounds.low, bounds.high) if bounds else (None, None)
    return RatioDiff(found.ratio, low, high, found.pairs, found.baseline, found.candidate)


def _binary(values: Floats) -> bool:
    return bool(((values == 0) | (values == 1)).all())
