"""Counting results one at a time: constant work and no memory per result."""

from __future__ import annotations

import math

from llmctl.outcome import Outcome
from llmctl.report.model import Amount, has_evidence
from llmctl.runs.records import ResultEvent

__all__ = ["Counts", "RunningSum"]

_NOT_SENT = (Outcome.SKIPPED, Outcome.POLICY_BLOCKED)


class RunningSum:
    """A sum that remembers how many of its parts were unknown."""

    __slots__ = ("known", "unknown")

    def __init__(self) -> None:
        self.known = 0.0
        self.unknown = 0

    def add(self, value: float | None) -> None:
        """Add a part; None (or a number that is none) counts as unknown, never as 0."""
        if value is None or not math.isfinite(value):
            self.unknown += 1
        else:
            self.known += value

    def merge(self, other: RunningSum) -> None:
        """Add all parts of another sum."""
        self.known += other.known
        self.unknown += other.unknown

    @property
    def amount(self) -> Amount:
        """The sum so far."""
        return Amount(self.known, self.unknown)


class Counts:
    """Running counts over results."""

    __slots__ = (
        "cached",
        "cost",
        "done",
        "errors",
        "failed",
        "input_tokens",
        "output_tokens",
        "passed",
        "sent",
        "spent",
        "unjudged",
    )

    def __init__(self) -> None:
        self.done = self.passed = self.failed = self.errors = self.cached = self.sent = 0
        self.unjudged = 0
        """Of `errors`: answers that no evaluator was there for."""
        self.input_tokens = RunningSum()
        self.output_tokens = RunningSum()
        self.cost = RunningSum()
        self.spent = RunningSum()

    def add(self, result: ResultEvent, *, evidence: bool | None = None) -> None:
        """Count a result; `evidence` where it is known already."""
        self.done += 1
        if not (has_evidence(result) if evidence is None else evidence):
            self.errors += 1
            self.unjudged += result.outcome.evidence and not result.scores
        elif result.passed:
            self.passed += 1
        else:
            self.failed += 1
        if result.call_id is None or result.outcome in _NOT_SENT:  # nothing is unknown about its cost
            return
        self.input_tokens.add(result.input_tokens)
        self.output_tokens.add(result.output_tokens)
        self.cost.add(result.cost_usd)
        if result.cached:
            self.cached += 1
        else:
            self.sent += 1
            self.spent.add(result.cost_usd)

    def merge(self, other: Counts) -> None:
        """Count everything that the other has counted."""
        for name in ("done", "passed", "failed", "errors", "unjudged", "cached", "sent"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.input_tokens.merge(other.input_tokens)
        self.output_tokens.merge(other.output_tokens)
        self.cost.merge(other.cost)
        self.spent.merge(other.spent)
