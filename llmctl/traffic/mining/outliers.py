"""Calls that took far longer or cost far more than others of their model, by a robust measure.

On the scale of logarithms, since latency and cost are skewed: a value counts as an outlier above the median + k times
the median absolute deviation, scaled by 1.4826 so that it estimates a normal distribution's standard deviation
(Hampel, 1974; k = 3.5 as Iglewicz and Hoaglin, 1993, advise). Where more than half of the values are equal, the mean
absolute deviation, scaled by 1.2533, stands in (ibid.).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["ENOUGH", "Outlier", "Spread", "upper_fence"]

ENOUGH = 30
"""So many calls of a model are needed before one of them is called an outlier."""
_K = 3.5
_MAD_SCALE, _MEAN_SCALE = 1.4826, 1.2533
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True, slots=True)
class Outlier:
    """A value far above the others of its model."""

    number: int
    """Of the call, in the order in which calls were added."""
    value: float
    typical: float
    """The median."""


def upper_fence(logarithms: Sequence[float]) -> float | None:
    """Above which a logarithm is an outlier; None: there are too few, or they do not differ.

    Args:
        logarithms: natural logarithms of positive values.
    """
    if len(logarithms) < ENOUGH:
        return None
    values = np.asarray(logarithms, dtype=np.float64)
    median = float(np.median(values))
    away = np.abs(values - median)
    spread = _MAD_SCALE * float(np.median(away))
    if spread <= _NEGLIGIBLE:
        spread = _MEAN_SCALE * float(np.mean(away))
    return median + _K * spread if spread > _NEGLIGIBLE else None


@dataclass(slots=True)
class Spread:
    """One measure of calls, by model: 12 bytes a call."""

    _values: dict[str, array[float]] = field(default_factory=dict)
    _numbers: dict[str, array[int]] = field(default_factory=dict)

    def add(self, number: int, model: str, value: float | None) -> None:
        """Take in a call; one whose value is unknown or not positive is left out."""
        if value is None or not value > 0 or not math.isfinite(value):
            return
        self._values.setdefault(model, array("f")).append(math.log(value))
        self._numbers.setdefault(model, array("q")).append(number)

    def outliers(self, most: int) -> list[Outlier]:
        """The farthest above the others of their model, at most so many."""
        found = sorted(self._outliers(), key=lambda one: (-one.value / one.typical, one.number))
        return found[:most]

    def _outliers(self) -> Iterator[Outlier]:
        for model, values in self._values.items():
            fence = upper_fence(values)
            if fence is None:
                continue
            logarithms = np.frombuffer(values, dtype=np.float32)
            typical = math.exp(float(np.median(logarithms)))
            for index in np.flatnonzero(logarithms > fence):
                yield Outlier(self._numbers[model][index], math.exp(float(logarithms[index])), typical)
