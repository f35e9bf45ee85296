"""The sign-flip test: whether paired differences are as likely with the other sign."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llmctl.stats.alternative import Alternative
from llmctl.stats.checks import Floats, Groups, Integers, cluster_codes, finite, sums_of_clusters
from llmctl.stats.paired import mcnemar

__all__ = ["SignFlip", "SignFlipMethod", "sign_flip"]

_ENUMERATED_UP_TO = 16
"""Units, of which all 65,536 patterns of signs are tried."""
_GRIDS = (*range(1, 121), 200, 250, 300, 400, 500, 1000)
"""Numbers of steps in 1 that differences may stand on: passes in k repeats, scores with two or three decimals."""
_LATTICE_WORK = 10_000_000
"""Points of the characteristic function times distinct magnitudes, up to which the exact law is computed: 0.3 s."""
_SMALLEST_P = 1e-12
"""The least that the characteristic function can tell from 0."""
_ROUNDING = 1e-12
"""Sums closer than this share of the largest are equal."""


class SignFlipMethod(StrEnum):
    """How the p-value was found."""

    EXACT = "exact"
    """Over all patterns of signs."""
    MONTE_CARLO = "Monte Carlo"
    """Over patterns drawn by chance, with a seed."""


@dataclass(frozen=True, slots=True)
class SignFlip:
    """The p-value, and what it counts."""

    p_value: float
    method: SignFlipMethod
    units: int
    """Differences, or clusters of them, that were flipped."""
    count: int | None = None
    """Patterns at least as extreme as the one observed; None where they were not tried one by one."""
    total: int | None = None
    """Patterns that were tried."""


def sign_flip(
    differences: ArrayLike,
    groups: Groups | None = None,
    alternative: Alternative = Alternative.TWO_SIDED,
    *,
    draws: int = 10_000,
    seed: int = 0,
) -> SignFlip | None:
    """Whether the sum of paired differences is what chance would make of their magnitudes.

    If the change did nothing, each difference was as likely with the other sign. Fisher (1935), The Design of
    Experiments, section 21. Exact for up to 16 units, by trying all patterns; exact for any number of differences that
    are equal but for the sign (McNemar's test); and, down to 1e-12, for differences on a grid (passes in k repeats,
    rounded scores), by the characteristic function of their sum, the product of cos(|d| t). Else from patterns drawn by
    chance, p = (count + 1) / (draws + 1): Phipson and Smyth (2010), Permutation p-values should never be zero,
    Statistical Applications in Genetics and Molecular Biology 9:39.

    Args:
        differences: candidate minus baseline, one for each case.
        groups: cases of one group are flipped together; None where all are independent.
        alternative: the direction that is evidence.
        draws: patterns that are drawn where the exact law is out of reach.
        seed: of those draws.

    Returns:
        None where there are no differences. Where all are 0 the p-value is 1.

    Raises:
        ValueError: a difference that is not finite, not one group for each, or fewer than 1 draw.
    """
    array = finite(differences)
    if draws < 1:
        raise ValueError(f"at least one pattern has to be drawn, not {draws}")
    if array.size == 0:
        return None
    sums = array if groups is None else sums_of_clusters(array, cluster_codes(groups, array.size))
    if sums.size <= _ENUMERATED_UP_TO:
        return _enumerated(sums, alternative)
    magnitudes = np.abs(sums)
    magnitudes = magnitudes[magnitudes > _ROUNDING * float(magnitudes.max(initial=0.0))]
    if magnitudes.size == 0:
        return SignFlip(1.0, SignFlipMethod.EXACT, sums.size)
    exact = _on_lattice(magnitudes, float(sums.sum()), alternative)
    if exact is not None:
        return SignFlip(exact, SignFlipMethod.EXACT, sums.size)
    drawn = _drawn_sums(magnitudes, draws, np.random.default_rng(seed))
    count = _as_extreme(drawn, float(sums.sum()), float(magnitudes.sum()), alternative)
    return SignFlip((count + 1) / (draws + 1), SignFlipMethod.MONTE_CARLO, sums.size, count, draws)


def _enumerated(sums: Floats, alternative: Alternative) -> SignFlip:
    flipped = np.zeros(1)
    for value in sums:
        flipped = np.concatenate([flipped + value, flipped - value])
    count = _as_extreme(flipped, float(sums.sum()), float(np.abs(sums).sum()), alternative)
    return SignFlip(count / flipped.size, SignFlipMethod.EXACT, sums.size, count, int(flipped.size))


def _as_extreme(flipped: Floats, observed: float, largest: float, alternative: Alternative) -> int:
    """How many sums are at least as extreme; those that differ by rounding only are equal."""
    tolerance = _ROUNDING * largest
    if alternative is Alternative.TWO_SIDED:
        return int(np.count_nonzero(np.abs(flipped) >= abs(observed) - tolerance))
    if alternative is Alternative.LESS:
        return int(np.count_nonzero(flipped <= observed + tolerance))
    return int(np.count_nonzero(flipped >= observed - tolerance))


def _on_lattice(magnitudes: Floats, observed: float, alternative: Alternative) -> float | None:
    """The exact p-value where all magnitudes are whole multiples of one step and few enough; else None."""
    distinct, counts = np.unique(magnitudes, return_counts=True)
    if distinct.size == 1:
        return _coin_p(magnitudes.size, round(observed / float(distinct[0])), alternative)
    if distinct.size * magnitudes.size > _LATTICE_WORK:
        return None
    for steps in _GRIDS:
        scaled = distinct * steps
        whole = np.rint(scaled)
        if np.abs(scaled - whole).max() < 1e-9 * max(1.0, float(whole[-1])) and whole[0] >= 1:
            return _lattice_p(whole.astype(np.int64), counts, round(observed * steps), alternative)
    return None


def _coin_p(coins: int, observed: int, alternative: Alternative) -> float:
    """P-value where all magnitudes are equal: McNemar's exact test."""
    losses = (coins - observed) // 2
    return mcnemar(losses, coins - losses, alternative).exact


def _lattice_p(values: Integers, counts: NDArray[np.intp], observed: int, alternative: Alternative) -> float | None:
    """P-value of a sum of `counts[i]` coins that are worth plus or minus `values[i]`; None where there is too much."""
    largest = int(values @ counts)
    size = 1 << (2 * largest + 1).bit_length()
    if size * values.size > 2 * _LATTICE_WORK:
        return None
    frequencies = np.arange(size // 2 + 1, dtype=np.int64)
    characteristic = np.ones(frequencies.size)
    for value, count in zip(values, counts, strict=True):
        # The angle is reduced as a whole number: 2 pi times a large float would lose its last digits.
        characteristic *= np.cos(2 * np.pi / size * (frequencies * value % size)) ** count
    law = np.fft.irfft(characteristic, size)  # the probability of a sum s stands at s modulo size
    if alternative is Alternative.TWO_SIDED:
        tail = min(1.0, 2 * _upper_tail(law, abs(observed), largest)) if observed else 1.0
    else:
        tail = _upper_tail(law, -observed if alternative is Alternative.LESS else observed, largest)
    return min(1.0, max(tail, _SMALLEST_P))


def _upper_tail(law: Floats, least: int, largest: int) -> float:
    """P(S >= least) of a law that is symmetric around 0."""
    if least > 0:
        return float(law[least : largest + 1].sum())
    return 1 - float(law[1 - least : largest + 1].sum())


def _drawn_sums(magnitudes: Floats, draws: int, generator: np.random.Generator) -> Floats:
    """Sums under random signs, eight units at a time: a random byte picks one of their 256 signed sums."""
    padded = np.zeros(-(-magnitudes.size // 8) * 8)
    padded[: magnitudes.size] = magnitudes
    signs = 1.0 - 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    tables = padded.reshape(-1, 8) @ signs.T
    totals = np.zeros(draws)
    for table in tables:
        totals += table.take(np.frombuffer(generator.bytes(draws), dtype=np.uint8))
    return totals
