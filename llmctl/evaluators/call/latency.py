"""The answer came in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.call.run_facts import check_limit, time_score, whose

__all__ = ["Latency"]


@dataclass(frozen=True, slots=True)
class Latency(Evaluator):
    """The call took at most `max_ms` milliseconds; a reused answer keeps the time of its own call."""

    name: ClassVar = "latency"
    value_field: ClassVar = "max_ms"
    reads: ClassVar = ("latency_ms",)

    max_ms: float

    def __post_init__(self) -> None:
        check_limit("max_ms", self.max_ms)

    def score(self, context: Context) -> Score:
        """Compare the measured time."""
        if context.latency_ms is None:
            raise EvaluatorError("the latency of this answer is not known")
        return time_score(f"{whose(context.cached)} took", context.latency_ms, self.max_ms)
