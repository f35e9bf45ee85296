"""The output is the accepted answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.texts import Texts, expected_texts, normalise, texts_problem
from llmctl.evaluators.wording import QUOTE_CHARACTERS, difference, listed, quote

__all__ = ["Exact", "is_one_of"]


@dataclass(frozen=True, slots=True)
class Exact(Evaluator):
    """The whole output is the accepted answer, or one of several; outer white space is never compared."""

    name: ClassVar = "exact"
    value_field: ClassVar = "value"
    reads: ClassVar = ("expected",)

    value: Texts | None = None
    """Accepted answers; default: the case's `expected`."""
    ignore_case: bool = False
    collapse_space: bool = False
    """Runs of inner white space count as one space."""

    def score(self, context: Context) -> Score:
        """Compare the output with each accepted answer."""
        accepted = expected_texts(self.value, context)
        return is_one_of(context.output, accepted, ignore_case=self.ignore_case, collapse_space=self.collapse_space)

    def needs_expected(self) -> bool:
        """Without a value of its own."""
        return self.value is None

    def expected_problem(self, expected: object) -> str | None:
        """Only text compares with text."""
        return None if self.value is not None else texts_problem(expected)


def is_one_of(output: str, accepted: Sequence[str], *, ignore_case: bool, collapse_space: bool) -> Score:
    """Score the output by whether it equals one of the accepted texts, after normalising both."""
    got = normalise(output, ignore_case=ignore_case, collapse_space=collapse_space)
    wanted = [normalise(text, ignore_case=ignore_case, collapse_space=collapse_space) for text in accepted]
    if got in wanted:
        return Score(1.0, True, f"The output is {quote(got)}, as accepted.")
    return Score(0.0, False, _unequal(got, wanted) + _hint(got, wanted))


def _unequal(got: str, wanted: Sequence[str]) -> str:
    if not got:
        return f"The output is empty; accepted is {listed(wanted)}."
    if len(wanted) > 1:
        return f"The output is {quote(got)}, which is none of {listed(wanted)}."
    if len(got) + len(wanted[0]) < QUOTE_CHARACTERS and "\n" not in got:
        return f"The output is {quote(got)}, not {quote(wanted[0])}: {difference(got, wanted[0])}."
    return f"The output, {quote(got, 80)}, is not {quote(wanted[0], 80)}: {difference(got, wanted[0])}."


def _hint(got: str, wanted: Sequence[str]) -> str:
    """Which switch would accept the output, where one would."""
    if normalise(got, ignore_case=True) in [normalise(text, ignore_case=True) for text in wanted]:
        return " Only the case differs: `ignore_case: true` accepts it."
    if normalise(got, collapse_space=True) in [normalise(text, collapse_space=True) for text in wanted]:
        return " Only white space differs: `collapse_space: true` accepts it."
    return ""
