"""Many tests at once: p-values adjusted after Holm, and after Benjamini and Hochberg."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["benjamini_hochberg", "holm"]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the given order: to reject those up to alpha is wrong anywhere with at most alpha.

    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 65-70.
    Holds however the tests depend on each other.

    Raises:
        ValueError: a p-value outside [0, 1], or one that is not a number.
    """
    order = _ascending(p_values)
    adjusted, reached = [0.0] * len(order), 0.0
    for place, index in enumerate(order):
        reached = max(reached, min(1.0, (len(order) - place) * p_values[index]))
        adjusted[index] = reached
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the given order: of those up to q, at most a share q is wrong on average.

    Benjamini and Hochberg (1995), Controlling the false discovery rate, Journal of the Royal Statistical Society B 57,
    289-300. Holds for independent tests and for such as depend on each other positively.

    Raises:
        ValueError: a p-value outside [0, 1], or one that is not a number.
    """
    order = _ascending(p_values)
    adjusted, reached = [0.0] * len(order), 1.0
    for place in range(len(order) - 1, -1, -1):
        reached = min(reached, p_values[order[place]] * (len(order) / (place + 1)))
        adjusted[order[place]] = reached
    return adjusted


def _ascending(p_values: Sequence[float]) -> list[int]:
    """The places of the p-values, the smallest first."""
    if not all(0 <= value <= 1 for value in p_values):
        raise ValueError("a p-value lies between 0 and 1")
    return sorted(range(len(p_values)), key=p_values.__getitem__)
