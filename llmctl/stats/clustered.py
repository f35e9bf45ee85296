"""The mean of values that come in clusters, how sure it is, and Student's t on it: also for paired differences."""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike

from llmctl.stats.alternative import Alternative
from llmctl.stats.checks import Groups, cluster_codes, finite, sums_of_clusters
from llmctl.stats.distributions import t_cdf, t_quantile
from llmctl.stats.intervals import Interval

__all__ = ["MeanEstimate", "estimate_difference", "estimate_mean", "standard_error"]


@dataclass(frozen=True, slots=True)
class MeanEstimate:
    """A mean, its standard error, and what both rest on.

    Where nothing varies the error is 0 and says nothing: there is no interval and no p-value then (None), nor are there
    with a single cluster. For differences of passed and failed that are all 0, `tango.tango_interval(0, 0, clusters)`
    still bounds the change.
    """

    mean: float
    standard_error: float | None
    """None with one cluster."""
    cases: int
    clusters: int
    """Independent ones; equal to `cases` where each case is its own."""

    @property
    def degrees_of_freedom(self) -> int:
        """Clusters less one."""
        return self.clusters - 1

    def interval(self, confidence: float = 0.95) -> Interval | None:
        """The two-sided t interval of the mean; None where nothing varies.

        Raises:
            ValueError: a confidence outside (0, 1).
        """
        if not 0 < confidence < 1:
            raise ValueError(f"a confidence lies between 0 and 1, not {confidence}")
        if not self.standard_error:
            return None
        reach = t_quantile((1 + confidence) / 2, self.degrees_of_freedom) * self.standard_error
        return Interval(self.mean - reach, self.mean + reach)

    def t(self, against: float = 0.0) -> float | None:
        """Student's t of the hypothesis that the true mean is `against`; None where nothing varies."""
        return (self.mean - against) / self.standard_error if self.standard_error else None

    def p_value(self, alternative: Alternative = Alternative.TWO_SIDED, against: float = 0.0) -> float | None:
        """Of that hypothesis; None where nothing varies.

        A drop of `margin` or more is excluded by `p_value(Alternative.GREATER, against=-margin)`.
        """
        t = self.t(against)
        if t is None:
            return None
        if alternative is Alternative.TWO_SIDED:
            return 2 * t_cdf(-abs(t), self.degrees_of_freedom)
        return t_cdf(t if alternative is Alternative.LESS else -t, self.degrees_of_freedom)


def estimate_mean(values: ArrayLike, groups: Groups | None = None) -> MeanEstimate | None:
    """The mean of all values, with the standard error that holds where values of one group are alike.

    Miller (2024), Adding Error Bars to Evals, arXiv:2411.00640, equation 4, its variance times C/(C - 1) for C clusters
    (as inspect_ai does, unlike the paper); Student's t with C - 1 degrees of freedom. Without groups that is the plain
    standard error of a mean, and the t interval of its textbook.

    Args:
        values: one for each case: a pass rate over its repeats, a score, a difference of two sides.
        groups: the cluster of each value; None where all are independent.

    Returns:
        None where there are no values.

    Raises:
        ValueError: a value that is not finite, or not one group for each value.
    """
    array = finite(values)
    if array.size == 0:
        return None
    mean = float(array.mean())
    if float(array.min()) == float(array.max()):
        mean = float(array[0])  # the mean of equal values may differ from them in the last bit, and seem to vary
    sums = sums_of_clusters(array - mean, cluster_codes(groups, array.size))
    clusters = int(sums.size)
    if clusters < 2:
        return MeanEstimate(mean, None, array.size, clusters)
    error = math.sqrt(float(sums @ sums) * clusters / (clusters - 1)) / array.size
    return MeanEstimate(mean, error, array.size, clusters)


def estimate_difference(baseline: ArrayLike, candidate: ArrayLike, groups: Groups | None = None) -> MeanEstimate | None:
    """The mean of candidate minus baseline, case by case: the paired t interval and test, clustered where groups are.

    Raises:
        ValueError: the sides differ in length, a value that is not finite, or not one group for each pair.
    """
    before, after = finite(baseline), finite(candidate)
    if before.size != after.size:
        raise ValueError(f"pairs need as many values on both sides, not {before.size} and {after.size}")
    return estimate_mean(after - before, groups)


def standard_error(values: ArrayLike, groups: Groups | None = None, *, small_sample: bool = True) -> float | None:
    """Of the mean: with the factor C/(C - 1) in the variance, or as equation 4 of Miller (2024) has it; None below two.

    Raises:
        ValueError: a value that is not finite, or not one group for each value.
    """
    estimate = estimate_mean(values, groups)
    if estimate is None or estimate.standard_error is None:
        return None
    factor = 1.0 if small_sample else math.sqrt((estimate.clusters - 1) / estimate.clusters)
    return estimate.standard_error * factor
