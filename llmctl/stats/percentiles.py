"""Percentiles and the mean of measured values."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["mean", "p50", "p95", "percentile"]


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile: the smallest value that at least this share of the values do not exceed.

    It is always a value that occurred (DuckDB's `quantile_disc`), so a p95 of ten latencies is the slowest of them and
    not a number between two. None where there are no values.

    Raises:
        ValueError: a share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share lies above 0 and up to 1, not {share}")
    if not values:
        return None
    # 0.95 * 20 is 19.0 but 0.55 * 100 is 55.00000000000001, whose ceiling would be one rank too high.
    rank = math.ceil(round(share * len(values), 9))
    return sorted(values)[rank - 1]


def p50(values: Sequence[float]) -> float | None:
    """The median, by nearest rank."""
    return percentile(values, 0.50)


def p95(values: Sequence[float]) -> float | None:
    """The value that 95 % do not exceed, by nearest rank."""
    return percentile(values, 0.95)


def mean(values: Sequence[float]) -> float | None:
    """The arithmetic mean; None where there are no values."""
    return math.fsum(values) / len(values) if values else None
