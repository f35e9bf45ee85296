"""What a test looks for: a change in either direction, a drop, or a gain."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Alternative"]


class Alternative(StrEnum):
    """The direction of a change that would be evidence; a difference is always candidate minus baseline."""

    TWO_SIDED = "two-sided"
    LESS = "less"
    """A drop: the candidate is worse."""
    GREATER = "greater"
    """A gain: the candidate is better."""
