"""Made-up banks: cases that are stable, flaky, broken or fixed, alone or in groups, drawn many times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = ["Drawn", "World", "draw"]

_PASSING = 0.8
"""Of the stable cases."""
_FOLLOWING = 0.5
"""Of the cases in a group, the share that all answer like one another."""
_GROUP_SIZES = (2, 3, 4, 5, 6, 7, 8)

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class World:
    """A bank and what a change does to it."""

    cases: int
    repeats: int
    clustered: bool
    discordance: float
    """The share of pairs of single answers that differ; at least the drop."""
    drop: float
    """The true one: the share of answers that pass in the baseline, less the candidate's."""

    @property
    def differing(self) -> float:
        """The discordance, or the drop where that is larger."""
        return max(self.discordance, self.drop)

    @property
    def shares(self) -> tuple[float, float, float]:
        """Broken, fixed and flaky cases. A flaky one passes every other time on both sides: half its pairs differ."""
        noise = self.differing - self.drop
        return self.drop + noise / 4, noise / 4, noise

    @property
    def groups(self) -> Counts:
        """How many cases the clusters have."""
        if not self.clustered:
            return np.ones(self.cases, np.int64)
        sizes = np.resize(np.array(_GROUP_SIZES), self.cases)
        ends = np.cumsum(sizes)
        count = int(np.searchsorted(ends, self.cases)) + 1
        sizes = sizes[:count].copy()
        sizes[-1] -= ends[count - 1] - self.cases
        return np.asarray(sizes[sizes > 0], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Answers that passed, by round and cluster."""

    baseline: Counts
    candidate: Counts
    sizes: Counts
    """Paired draws of each cluster."""


def draw(world: World, rounds: int, random: Generator) -> Drawn:
    """Banks of a world, each with its clusters in a random order."""
    groups = world.groups
    clusters = len(groups)
    sizes = random.permuted(np.broadcast_to(groups, (rounds, clusters)), axis=1)
    shared = _cases(world, (rounds, clusters), random)
    if not world.clustered:
        return Drawn(shared[0], shared[1], sizes * world.repeats)
    following = random.binomial(sizes, _FOLLOWING)
    before, after = (side * following for side in shared)
    alone = sizes - following
    for place in range(int(groups.max())):  # the cases that answer on their own, one in each cluster at a time
        there = alone > place
        own = _cases(world, (rounds, clusters), random)
        before = before + np.where(there, own[0], 0)
        after = after + np.where(there, own[1], 0)
    return Drawn(before, after, sizes * world.repeats)


def _cases(world: World, shape: tuple[int, int], random: Generator) -> tuple[Counts, Counts]:
    """Passed answers of one case in each place, in the baseline and the candidate."""
    broken, fixed, flaky = world.shares
    kind = random.random(shape)
    stable = np.where(random.random(shape) < _PASSING, 1.0, 0.0)
    is_flaky = (kind >= broken + fixed) & (kind < broken + fixed + flaky)
    rest = np.where(is_flaky, 0.5, stable)
    before = np.where(kind < broken, 1.0, np.where(kind < broken + fixed, 0.0, rest))
    after = np.where(kind < broken, 0.0, np.where(kind < broken + fixed, 1.0, rest))
    return random.binomial(world.repeats, before), random.binomial(world.repeats, after)
