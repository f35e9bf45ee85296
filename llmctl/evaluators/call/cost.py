"""The answer was cheap enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.call.run_facts import whose

__all__ = ["Cost"]


@dataclass(frozen=True, slots=True)
class Cost(Evaluator):
    """The call cost at most `max_usd` US dollars; an unknown cost is an error, never a pass."""

    name: ClassVar = "cost"
    value_field: ClassVar = "max_usd"
    reads: ClassVar = ("cost_usd",)

    max_usd: float

    def __post_init__(self) -> None:
        if not 0 <= self.max_usd < float("inf"):
            raise ValueError("needs a `max_usd` of 0 or more")

    def score(self, context: Context) -> Score:
        """Compare the cost."""
        if context.cost_usd is None:
            raise EvaluatorError("the cost of this answer is not known; give the model a `price` in llmctl.toml")
        passed = context.cost_usd <= self.max_usd
        limit = "within" if passed else "over"
        return Score(
            float(passed),
            passed,
            f"{whose(context.cached)} cost {context.cost_usd:.6f} USD, {limit} the {self.max_usd:g} USD allowed.",
        )
