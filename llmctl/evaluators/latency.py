"""The answer came in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score

__all__ = ["Latency"]


@dataclass(frozen=True, slots=True)
class Latency(Evaluator):
    """The call took at most `max_ms` milliseconds; a reused answer keeps the time of its own call."""

    name: ClassVar = "latency"
    value_field: ClassVar = "max_ms"
    reads: ClassVar = ("latency_ms",)

    max_ms: float

    def __post_init__(self) -> None:
        if not 0 < self.max_ms < float("inf"):
            raise ValueError("needs a `max_ms` above 0")

    def score(self, context: Context) -> Score:
        """Compare the measured time."""
        if context.latency_ms is None:
            raise EvaluatorError("the latency of this answer is not known")
        passed = context.latency_ms <= self.max_ms
        limit = "within" if passed else "over"
        return Score(
            float(passed),
            passed,
            f"The answer took {context.latency_ms:,.1f} ms, {limit} the {self.max_ms:,g} ms allowed.",
        )
