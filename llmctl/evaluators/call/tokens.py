"""The answer used no more tokens, and no fewer, than it should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.call.run_facts import whose

__all__ = ["Tokens"]


@dataclass(frozen=True, slots=True)
class Tokens(Evaluator):
    """The call used at most `max` tokens, and at least `min`, as the provider counted them."""

    name: ClassVar = "tokens"
    value_field: ClassVar = "max"

    max: int | None = None
    min: int | None = None
    of: Literal["output", "input", "total"] = "output"
    """Which tokens count: the answer's, the request's, or both together."""

    def __post_init__(self) -> None:
        if self.max is None and self.min is None:
            raise ValueError("needs `max` or `min`")
        if min(self.max or 0, self.min or 0) < 0:
            raise ValueError("counts from 0: `max` and `min` cannot be below it")
        if self.max is not None and self.min is not None and self.max < self.min:
            raise ValueError(f"has a `max` ({self.max}) below its `min` ({self.min}): nothing passes")

    @property
    def reads(self) -> tuple[str, ...]:
        """Only the counts that are compared are part of the score key."""
        return ("input_tokens", "output_tokens") if self.of == "total" else (f"{self.of}_tokens",)

    def score(self, context: Context) -> Score:
        """Compare the count."""
        count = self._count(context)
        passed = (self.max is None or count <= self.max) and (self.min is None or count >= self.min)
        of = "in all" if self.of == "total" else f"of {self.of}"
        return Score(
            float(passed), passed, f"{whose(context.cached)} used {count:,} tokens {of}, {self._limit(count)}."
        )

    def _count(self, context: Context) -> int:
        counts = {"input": context.input_tokens, "output": context.output_tokens}
        wanted = counts if self.of == "total" else {self.of: counts[self.of]}
        unknown = [name for name, count in wanted.items() if count is None]
        if unknown:
            raise EvaluatorError(f"the provider did not say how many {unknown[0]} tokens this answer used")
        return sum(count for count in wanted.values() if count is not None)

    def _limit(self, count: int) -> str:
        """What the count is measured against: the limit that is broken, else those that there are."""
        if self.max is not None and count > self.max:
            return f"over the {self.max:,} allowed"
        if self.min is not None and count < self.min:
            return f"below the {self.min:,} required"
        limits = [f"at most {self.max:,}"] if self.max is not None else []
        limits += [f"at least {self.min:,}"] if self.min is not None else []
        return f"and {' and '.join(limits)} are allowed"
