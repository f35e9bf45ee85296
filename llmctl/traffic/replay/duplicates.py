"""Groups calls of which one can stand for the others: equal ones, and nearly equal ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmctl.traffic.replay.shingles import PLACES, Places

__all__ = ["NEAR_SHARE", "Groups", "exact_groups", "near_groups"]

NEAR_SHARE = 0.9
"""Of two near duplicates' shingles, how many they have in common (Jaccard), as estimated."""
_BANDS = 16
_PLACES_PER_BAND = PLACES // _BANDS
_MOST_COMPARED = 64
"""Of one bucket: so that texts that are all alike, but not near enough, do not cost n x n comparisons."""

Indexes = NDArray[np.int64]
Numbers = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Groups:
    """Each call belongs to one group; the earliest of a group stands for it."""

    members: Indexes
    """Shape (g,): the calls that stand for their groups, ascending."""
    sizes: Indexes
    """Shape (g,): how many calls each stands for, itself among them."""

    @classmethod
    def single(cls, count: int) -> Groups:
        """Each call for itself."""
        return cls(np.arange(count), np.ones(count, dtype=np.int64))

    def weights_of(self, picked: Indexes) -> Iterator[tuple[int, int]]:
        """Each of the picked calls, and how many it stands for."""
        places = np.searchsorted(self.members, picked)
        return zip(picked.tolist(), self.sizes[places].tolist(), strict=True)


def exact_groups(digests: Numbers, order: Indexes) -> Groups:
    """Groups of equal digests.

    Args:
        digests: shape (n, 2).
        order: shape (n,): the first of a group by this stands for it.
    """
    arranged = np.lexsort((order, digests[:, 1], digests[:, 0]))
    placed = digests[arranged]
    begins = np.flatnonzero(np.append(True, (placed[1:] != placed[:-1]).any(axis=1)))
    return _ascending(arranged[begins], np.diff(np.append(begins, len(arranged))))


def near_groups(groups: Groups, signatures: Places, contexts: Numbers, order: Indexes) -> Groups:
    """Join groups whose signatures agree in `NEAR_SHARE` of their places, and whose contexts are equal.

    In the order given, each joins the most similar one of those that stand for others already, or stands for itself.
    Candidates share all 8 places of one of 16 bands (Leskovec, Rajaraman and Ullman, ch. 3.4): at a share of 0.9 all
    but one in 10,000 pairs do. Texts that are alike by the thousand may miss each other, and are then asked twice.
    """
    inward = np.argsort(order[groups.members], kind="stable")
    members = groups.members[inward]
    marks = signatures[members]
    buckets = _buckets(marks, contexts[members])
    sizes = groups.sizes[inward].copy()
    leads: defaultdict[int, list[int]] = defaultdict(list)
    stands = np.ones(len(members), dtype=bool)
    for at in np.flatnonzero((buckets >= 0).any(axis=1)).tolist():
        shared = [bucket for bucket in buckets[at].tolist() if bucket >= 0]
        nearest = _nearest(marks, at, sorted({lead for bucket in shared for lead in leads[bucket]}))
        if nearest is not None:
            sizes[nearest] += sizes[at]
            stands[at] = False
            continue
        for bucket in shared:
            if len(leads[bucket]) < _MOST_COMPARED:
                leads[bucket].append(at)
    return _ascending(members[stands], sizes[stands])


def _nearest(marks: Places, at: int, leads: list[int]) -> int | None:
    """The most similar of these that is near enough; of equals the first."""
    if not leads:
        return None
    shares = (marks[leads] == marks[at]).mean(axis=1)
    best = int(shares.argmax())
    return leads[best] if shares[best] >= NEAR_SHARE else None


def _buckets(marks: Places, contexts: Numbers) -> NDArray[np.int64]:
    """Shape (n, _BANDS): a number that all share whose band and context are equal; -1 where nobody else has it."""
    found = np.full((len(marks), _BANDS), -1, dtype=np.int64)
    used = 0
    for band in range(_BANDS):
        places = np.ascontiguousarray(marks[:, band * _PLACES_PER_BAND : (band + 1) * _PLACES_PER_BAND])
        keys = np.hstack([places.view(np.uint64), contexts])
        arranged = np.lexsort(keys.T)
        placed = keys[arranged]
        begins = np.append(True, (placed[1:] != placed[:-1]).any(axis=1))
        numbers = np.cumsum(begins) - 1
        shared = np.bincount(numbers)[numbers] > 1
        found[arranged, band] = np.where(shared, numbers + used, -1)
        used += len(marks)
    return found


def _ascending(members: Indexes, sizes: Indexes) -> Groups:
    arranged = np.argsort(members)
    return Groups(members[arranged], sizes[arranged])
