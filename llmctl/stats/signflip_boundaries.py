"""Exact boundaries for a sum of paired differences that is looked at several times: the signs are fair coins."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from llmctl.stats.checks import Floats, Integers
from llmctl.stats.spending import DEFAULT_SPENDING, SpendingFunction

__all__ = ["SignFlipBoundary", "SignFlipLook", "signflip_tail"]

_EXACT_COINS = 300
_NEGLIGIBLE = 1e-20
"""Mass below this, at the ends of a law, is left out of it."""


@dataclass(frozen=True, slots=True)
class SignFlipLook:
    """A look: where the boundary lies and what it costs."""

    critical: int | None
    """The smallest sum that rejects here; None: none can."""
    spent: float
    """The probability, under no change, of having crossed at this look or before: at most `allowed`."""
    allowed: float


class SignFlipBoundary:
    """Boundaries for S, the sum of losses less gains over independent clusters, look by look.

    If the change does nothing to a cluster, both sides are drawn alike, so given how large its difference is, its sign
    is a fair coin: whatever the flakiness, the difficulty and the correlation within the cluster, and whatever the
    other clusters. The law of S given all sizes of differences is therefore known exactly. It is carried from look
    to look without the part that has crossed, and each boundary is the smallest sum whose tail fits into what may
    be spent by then. With one answer a case this is McNemar's exact test, spent over looks. The false alarm is at most
    alpha by construction, for any number of looks and for any order of the cases that was fixed beforehand.

    It is exact for the null hypothesis that nothing changes for any cluster. Where differences are unsymmetric with
    mean 0 it is approximate.
    """

    def __init__(self, alpha: float, spend: SpendingFunction = DEFAULT_SPENDING) -> None:
        """With nothing seen and nothing spent.

        Raises:
            ValueError: alpha outside (0, 1).
        """
        if not 0 < alpha < 1:
            raise ValueError(f"alpha lies between 0 and 1, not {alpha}.")
        self._alpha, self._spend = alpha, spend
        self._law: Floats = np.ones(1)
        self._lowest = 0
        self._spent = 0.0

    @property
    def spent(self) -> float:
        """So far."""
        return self._spent

    def look(self, magnitudes: ArrayLike, fraction: float) -> SignFlipLook:
        """Take in the clusters since the last look.

        Args:
            magnitudes: of their differences, as integers; signs are not looked at and zeros change nothing.
            fraction: the share of all planned clusters that has been run by now, from a schedule fixed beforehand.

        Raises:
            ValueError: differences that are no integers, or a fraction outside [0, 1].
        """
        self._law, self._lowest = _flipped(self._law, self._lowest, _integers(magnitudes))
        allowed = self._spend(fraction, self._alpha)
        tails = np.cumsum(self._law[::-1])[::-1]
        (fitting,) = np.nonzero((tails <= allowed - self._spent) & (self._law > 0))
        if not len(fitting):
            return SignFlipLook(None, self._spent, allowed)
        first = int(fitting[0])
        self._spent += float(tails[first])
        self._law = self._law[:first] if first else np.zeros(1)
        return SignFlipLook(self._lowest + first, self._spent, allowed)


def signflip_tail(magnitudes: ArrayLike, total: int) -> float:
    """`P(S >= total)` for the sum of the magnitudes under fair signs, without any look before."""
    law, lowest = _flipped(np.ones(1), 0, _integers(magnitudes))
    return float(law[max(0, total - lowest) :].sum())


def _integers(values: ArrayLike) -> Integers:
    array = np.asarray(values)
    whole = array.astype(np.int64)
    if array.size and not np.array_equal(whole, array):
        raise ValueError("Differences are counted in whole numbers: scores go on a grid first.")
    return np.abs(whole.ravel())


def _flipped(law: Floats, lowest: int, magnitudes: Integers) -> tuple[Floats, int]:
    """A law and its lowest sum, with more fair signs added."""
    sizes, counts = np.unique(magnitudes[magnitudes > 0], return_counts=True)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        kernel = np.zeros(2 * size * count + 1)
        kernel[:: 2 * size] = _coins(count)
        law, lowest = _trimmed(np.convolve(law, kernel), lowest - size * count)
    return law, lowest


def _coins(count: int) -> Floats:
    """The law of the number of heads among fair coins; exact to the last bit while whole numbers are affordable."""
    if count <= _EXACT_COINS:
        return np.array([math.comb(count, heads) / 2**count for heads in range(count + 1)])
    from scipy.special import gammaln

    heads = np.arange(count + 1)
    logs = gammaln(count + 1) - gammaln(heads + 1) - gammaln(count - heads + 1) - count * math.log(2)
    return np.asarray(np.exp(logs), dtype=np.float64)


def _trimmed(law: Floats, lowest: int) -> tuple[Floats, int]:
    (kept,) = np.nonzero(law > _NEGLIGIBLE)
    if not len(kept):
        return np.zeros(1), lowest
    return law[kept[0] : kept[-1] + 1], lowest + int(kept[0])
