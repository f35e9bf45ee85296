"""The output is not too short and not too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from llmctl.evaluators.base import Context, Evaluator, Score

__all__ = ["Length"]


@dataclass(frozen=True, slots=True)
class Length(Evaluator):
    """The output's length lies between `min` and `max`, both included; outer white space does not count."""

    name: ClassVar = "length"
    value_field: ClassVar = "max"
    reads: ClassVar = ()

    max: int | None = None
    min: int | None = None
    unit: Literal["characters", "words", "lines"] = "characters"
    """Characters are Unicode code points; words stand between white space."""

    def __post_init__(self) -> None:
        if self.max is None and self.min is None:
            raise ValueError("needs `max`, `min` or both")
        if (self.max is not None and self.max < 0) or (self.min is not None and self.min < 0):
            raise ValueError("takes no negative length")
        if self.max is not None and self.min is not None and self.min > self.max:
            raise ValueError(f"has a `min` of {self.min} above its `max` of {self.max}")

    def score(self, context: Context) -> Score:
        """Count and compare."""
        count = self._count(context.output.strip())
        said = f"The output has {count:,} {self.unit if count != 1 else self.unit[:-1]}"
        if self.max is not None and count > self.max:
            return Score(0.0, False, f"{said}, {count - self.max:,} more than the {self.max:,} allowed.")
        if self.min is not None and count < self.min:
            return Score(0.0, False, f"{said}, {self.min - count:,} fewer than the {self.min:,} required.")
        return Score(1.0, True, f"{said}.")

    def _count(self, text: str) -> int:
        if self.unit == "words":
            return len(text.split())
        return len(text.splitlines()) if self.unit == "lines" else len(text)
