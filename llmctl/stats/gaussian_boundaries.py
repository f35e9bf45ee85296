"""Boundaries for a normal statistic that is looked at several times, by alpha spending."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from llmctl.stats.checks import Floats
from llmctl.stats.spending import DEFAULT_SPENDING, SpendingFunction

__all__ = ["gaussian_boundaries"]

_NODES = 256
_FAR = 8.0
"""Standard deviations beyond which a path is not followed: 1e-15 of them."""


@lru_cache(maxsize=64)
def gaussian_boundaries(
    fractions: Sequence[float], alpha: float, spend: SpendingFunction = DEFAULT_SPENDING
) -> tuple[float, ...]:
    """The one-sided boundary of z at each look, so that a path of no effect crosses any with probability alpha.

    By the recursion of Armitage, McPherson and Rowe (1969) with the spending of Lan and DeMets (1983): what has not
    crossed before is carried on as a density of the Brownian motion `W(t) = z sqrt(t)`, here on Gauss-Legendre nodes.

    Args:
        fractions: shares of the evidence at the looks, a tuple, rising, the last at most 1.
        alpha: one-sided. For a symmetric two-sided test of 0.05, 0.025.
        spend: what may be spent by each share.

    Returns:
        One boundary for each look; infinite where nothing may be spent.

    Raises:
        ValueError: fractions that do not rise within (0, 1], or alpha outside (0, 1).
    """
    _check(fractions, alpha)
    path = _Path()
    boundaries, spent = [], 0.0
    for fraction in fractions:
        allowed = spend(fraction, alpha)
        boundaries.append(path.step(fraction, max(0.0, allowed - spent)))
        spent = max(spent, allowed)
    return tuple(boundaries)


class _Path:
    """The density of the motion at the last look, of the paths that have not crossed."""

    def __init__(self) -> None:
        self._time = 0.0
        self._places: Floats = np.zeros(1)
        self._masses: Floats = np.ones(1)

    def step(self, time: float, crossing: float) -> float:
        """Go on to a time; the boundary of z above which `crossing` of all paths lie there for the first time."""
        width = np.sqrt(time - self._time)
        boundary = self._boundary(time, width, crossing)
        top = min(boundary, _FAR) * np.sqrt(time)
        bottom = -_FAR * np.sqrt(time)
        nodes, weights = _legendre()
        places = bottom + (top - bottom) * (nodes + 1) / 2
        distances = (places[:, None] - self._places[None, :]) / width
        density = np.exp(-0.5 * distances**2) @ self._masses / (width * np.sqrt(2 * np.pi))
        self._time, self._places, self._masses = time, places, density * weights * (top - bottom) / 2
        return boundary

    def _boundary(self, time: float, width: Any, crossing: float) -> float:
        from scipy.optimize import brentq
        from scipy.special import ndtr

        def excess(boundary: float) -> float:
            above = ndtr((self._places - boundary * np.sqrt(time)) / width)
            return float(above @ self._masses) - crossing

        if crossing <= 0 or excess(2 * _FAR) >= 0:
            return float("inf")
        return float(brentq(excess, -_FAR, 2 * _FAR, xtol=1e-12))


@lru_cache(maxsize=1)
def _legendre() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return nodes, weights


def _check(fractions: Sequence[float], alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, not {alpha}.")
    rising = all(low < high for low, high in zip((0.0, *fractions), fractions, strict=False))
    if not fractions or not rising or fractions[-1] > 1:
        raise ValueError("Looks come at rising shares of the evidence, above 0 and up to 1.")
