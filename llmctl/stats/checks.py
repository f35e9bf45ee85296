"""Numbers that a statistic may be computed from; all others are refused."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Floats", "Groups", "Integers", "cluster_codes", "finite", "share", "sums_of_clusters"]

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Groups: TypeAlias = Sequence[Hashable] | NDArray[np.generic]
"""For each value the cluster that it belongs to, by any label; integer arrays are quickest."""


def finite(values: ArrayLike) -> Floats:
    """The values as an array of one dimension.

    Raises:
        ValueError: a value that is not a number or not finite, or more than one dimension.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"values stand in one row, not in {array.ndim} dimensions")
    if not np.isfinite(array).all():
        raise ValueError("a value is not a finite number: missing values are left out before, never counted")
    return array


def share(name: str, value: float) -> float:
    """The value, a share strictly between 0 and 1.

    Raises:
        ValueError: it is none.
    """
    if not 0 < value < 1:
        raise ValueError(f"{name} lies between 0 and 1, not {value}")
    return value


def cluster_codes(groups: Groups | None, size: int) -> Integers:
    """The cluster of each of `size` values as a number from 0 up; without groups each value is its own cluster.

    Raises:
        ValueError: not one group for each value.
    """
    if groups is None:
        return np.arange(size, dtype=np.int64)
    if len(groups) != size:
        raise ValueError(f"{size} values in {len(groups)} groups: each value has one group")
    if isinstance(groups, np.ndarray):
        return np.unique(groups, return_inverse=True)[1].astype(np.int64)
    places: dict[Hashable, int] = {}
    return np.fromiter((places.setdefault(group, len(places)) for group in groups), dtype=np.int64, count=size)


def sums_of_clusters(values: Floats, codes: Integers) -> Floats:
    """The sum of the values of each cluster, in the order of its number."""
    return np.bincount(codes, weights=values).astype(np.float64)
