"""A share that is stated of this bank exactly: decided by the least and the most that missing answers could make it."""

from __future__ import annotations

from dataclasses import dataclass

from llmctl.compare.verdict import Verdict

__all__ = ["Bounds"]

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many of `total` count for sure, how many could once missing answers come, and how many nobody asked for."""

    total: int
    sure: int
    missing: int = 0
    unasked: int = 0

    @property
    def least(self) -> float:
        """The share if nothing that could count does."""
        return self.sure / self.total

    @property
    def most(self) -> float:
        """The share if all that could count does."""
        return (self.sure + self.missing + self.unasked) / self.total

    def at_least(self, limit: float) -> Verdict:
        """Whether the share reaches the limit, whatever is missing."""
        if self.least >= limit - _ROUNDING:
            return Verdict.PASS
        return Verdict.FAIL if self.most < limit - _ROUNDING else self._undecided

    def at_most(self, limit: float) -> Verdict:
        """Whether the share stays within the limit, whatever is missing."""
        if self.most <= limit + _ROUNDING:
            return Verdict.PASS
        return Verdict.FAIL if self.least > limit + _ROUNDING else self._undecided

    @property
    def _undecided(self) -> Verdict:
        """Missing answers are no evidence; what nobody has asked for yet only leaves the matter open."""
        return Verdict.INCONCLUSIVE if self.unasked else Verdict.NOT_EVALUATED
