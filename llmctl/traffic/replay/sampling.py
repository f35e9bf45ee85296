"""A sample of calls: seeded, the same whatever order they come in, and divided among strata by their sizes."""

from __future__ import annotations

from heapq import heapify, heapreplace

import numpy as np
from numpy.typing import NDArray

__all__ = ["allotted", "sampled"]

Indexes = NDArray[np.int64]


def sampled(picked: Indexes, strata: NDArray[np.int32], ids: NDArray[np.uint64], size: int, seed: int) -> Indexes:
    """Some of the calls `picked`, ascending: `size` of them, at most all.

    Each call has a random number that hangs on its id and the seed only; the smallest numbers of each stratum are
    taken. So a larger sample, or one of more calls, keeps most of a smaller one.

    Args:
        picked: shape (n,).
        strata: shape (n,): the stratum of each of them.
        ids: shape (n,): the id of each of them.
        size: how many are wanted.
        seed: another seed, another sample.
    """
    luck = _luck(ids, seed)
    arranged = np.lexsort((luck, strata))
    begins = np.flatnonzero(np.append(True, np.diff(strata[arranged]) != 0))
    sizes = np.diff(np.append(begins, len(arranged)))
    shares = allotted(sizes.tolist(), luck[arranged[begins]].tolist(), min(size, len(picked)))
    taken = [arranged[begin : begin + share] for begin, share in zip(begins.tolist(), shares, strict=True)]
    return np.sort(picked[np.concatenate(taken)])


def allotted(sizes: list[int], luck: list[int], size: int) -> list[int]:
    """How many of each stratum: one of each where there is room for that, the rest by the Webster method.

    The method (Sainte-Laguë; Balinski and Young 1982) gives each next place to the largest size / (2 * places + 1).
    """
    shares = [1 if len(sizes) <= size else 0] * len(sizes)
    waiting = [(-sizes[at] / (2 * shares[at] + 1), luck[at], at) for at in range(len(sizes))]
    heapify(waiting)
    for _ in range(size - sum(shares)):
        at = waiting[0][2]
        while shares[at] == sizes[at]:
            heapreplace(waiting, (1.0, luck[at], at))  # it has no call left
            at = waiting[0][2]
        shares[at] += 1
        heapreplace(waiting, (-sizes[at] / (2 * shares[at] + 1), luck[at], at))
    return shares


def _luck(ids: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Random numbers by id: splitmix64 (Steele, Lea and Flood 2014), keyed by the seed."""
    mixed = ids ^ _mixed(np.array([seed & (2**64 - 1)], dtype=np.uint64))
    return _mixed(mixed)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
