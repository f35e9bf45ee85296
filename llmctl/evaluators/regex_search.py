"""A regular expression finds something in the output, or matches all of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.findings import ArgumentError, Finding
from llmctl.evaluators.patterns import Engine, Pattern, compile_pattern
from llmctl.evaluators.wording import place_in, quote

__all__ = ["Regex"]


@dataclass(frozen=True, slots=True)
class Regex(Evaluator):
    """A pattern matches somewhere in the output, or, with `full`, the whole output; outer white space is left out."""

    name: ClassVar = "regex"
    value_field: ClassVar = "pattern"
    reads: ClassVar = ()

    pattern: str
    """In RE2's syntax, where no pattern can hang."""
    full: bool = False
    """The pattern must match the whole output."""
    ignore_case: bool = False
    engine: Literal["re2", "python"] = "re2"
    """`python` takes lookaround and backreferences, and stops after 1 s."""
    compiled: Pattern = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            compiled = compile_pattern(self.pattern, ignore_case=self.ignore_case, engine=Engine(self.engine))
        except ValueError as error:
            message = f"the pattern {quote(self.pattern, 80)} {error}"
            raise ArgumentError([Finding(message, ("pattern",))]) from None
        object.__setattr__(self, "compiled", compiled)

    def score(self, context: Context) -> Score:
        """Search the output."""
        output = context.output.strip()
        found = self.compiled.search(output, full=self.full)
        if found is not None:
            return Score(1.0, True, f"The pattern matches at {place_in(output, found.start)}: {quote(found.text)}.")
        if not self.full:
            return Score(0.0, False, f"The pattern {quote(self.pattern, 80)} matches nowhere in {quote(output)}.")
        part = self.compiled.search(output)
        hint = f" It matches a part, {quote(part.text, 80)}." if part else ""
        return Score(0.0, False, f"The pattern {quote(self.pattern, 80)} does not match all of {quote(output)}.{hint}")
