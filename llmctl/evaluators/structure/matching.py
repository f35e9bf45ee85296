"""Pairs of things that fit: as many as there can be, whatever their order, or in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["in_order", "most_pairs"]


def most_pairs(fits: Sequence[Sequence[int]]) -> dict[int, int]:
    """A largest matching (augmenting paths; Kuhn 1955): left number to right number.

    `fits[left]` are the numbers on the right that the left one may be paired with, the best first.
    """
    taken: dict[int, int] = {}

    def pair(left: int, seen: set[int]) -> bool:
        free = next((right for right in fits[left] if right not in taken), None)
        if free is not None:
            taken[free] = left
            return True
        for right in fits[left]:
            if right not in seen:
                seen.add(right)
                if pair(taken[right], seen):
                    taken[right] = left
                    return True
        return False

    for left in range(len(fits)):
        pair(left, set())
    return {left: right for right, left in taken.items()}


def in_order(left: int, right: int, fits: Callable[[int, int], bool]) -> int:
    """The length of the longest common subsequence of two sequences of these lengths."""
    row = [0] * (right + 1)
    for one in range(left):
        before = row
        row = [0]
        for other in range(right):
            row.append(before[other] + 1 if fits(one, other) else max(before[other + 1], row[other]))
    return row[right]
