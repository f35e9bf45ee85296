"""In which order the cases of a cell are sent, so that any first part of them stands for the whole."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from llmctl.compare.gate.evidence import GateCase

__all__ = ["Cluster", "clusters_in_order"]

Cluster = tuple[int, ...]
"""Positions of the cases, in the cell, that are not independent: one case, or the cases of a group."""


def clusters_in_order(cases: Sequence[GateCase], seed: str, *, stratified: bool = True) -> list[Cluster]:
    """The clusters of a cell in a random order that is spread evenly over the tags; else in a plainly random one.

    The same seed gives the same order on every machine. Clusters with the same tags are a stratum: they are shuffled,
    and dealt out at even distances from a random start, so that about the right share of every first part comes from
    each.
    """
    draw = random.Random(seed)  # a text as seed is hashed with SHA-512: the same everywhere
    strata: dict[tuple[str, ...], list[Cluster]] = defaultdict(list)
    for cluster in _clusters(cases):
        strata[tuple(sorted(cases[cluster[0]].tags)) if stratified else ()].append(cluster)
    dealt: list[tuple[float, float, Cluster]] = []
    for _, stratum in sorted(strata.items()):
        draw.shuffle(stratum)
        start = draw.random()
        dealt += [((rank + start) / len(stratum), draw.random(), cluster) for rank, cluster in enumerate(stratum)]
    return [cluster for *_, cluster in sorted(dealt)]


def _clusters(cases: Sequence[GateCase]) -> list[Cluster]:
    """The cases by group, in an order that does not depend on the file's."""
    by_name: dict[tuple[bool, str], list[int]] = defaultdict(list)
    for position, case in enumerate(cases):
        by_name[case.group is not None, case.group if case.group is not None else case.case_id].append(position)
    return [tuple(positions) for _, positions in sorted(by_name.items())]
