"""Why a call would make a good test case."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Reason", "rank"]


class Reason(StrEnum):
    """A reason; those that say more about what the answer should have been weigh more."""

    CORRECTED = "corrected"
    """Somebody wrote what the answer should have been."""
    THUMBS_DOWN = "thumbs down"
    LARGE_EDIT = "large edit"
    """What somebody made of the answer is far from it."""
    JUDGED_FAILED = "failed by a judge"
    SCHEMA = "breaks its schema"
    """The answer is not what `response_format` asks for."""
    ABANDONED = "abandoned"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    ERROR = "error"
    UNLIKE = "unlike the bank"
    """The input is less like any case than cases are like each other."""
    COSTLY = "costly"
    SLOW = "slow"

    @property
    def weight(self) -> float:
        """What it counts for in the ranking."""
        return _WEIGHTS[self]


_WEIGHTS = {
    Reason.CORRECTED: 10.0,
    Reason.THUMBS_DOWN: 8.0,
    Reason.LARGE_EDIT: 7.0,
    Reason.JUDGED_FAILED: 7.0,
    Reason.SCHEMA: 6.0,
    Reason.ABANDONED: 5.0,
    Reason.REFUSED: 4.0,
    Reason.TRUNCATED: 4.0,
    Reason.EMPTY: 4.0,
    Reason.UNLIKE: 3.0,
    Reason.COSTLY: 1.5,
    Reason.SLOW: 1.5,
    Reason.ERROR: 1.0,
}
_OTHERS = 0.1
"""What every further reason adds, in shares of its weight."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason, and what was seen."""

    reason: Reason
    said: str = ""
    """`edited 62 %`; may hold words of a model."""
    strength: float = 0.0
    """Among findings of one reason, 0 to 1."""


def rank(findings: tuple[Finding, ...]) -> float:
    """How good a case they make: the best reason counts, the others a little."""
    weights = sorted((one.reason.weight + 0.9 * one.strength for one in findings), reverse=True)
    return weights[0] + _OTHERS * sum(weights[1:]) if weights else 0.0
