"""The output is the accepted answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.findings import ArgumentError, Finding
from llmctl.evaluators.patterns import Pattern, compile_pattern
from llmctl.evaluators.text_form import TextForm, form_hint, form_of
from llmctl.evaluators.texts import Texts, expected_texts, texts_problem
from llmctl.evaluators.wording import QUOTE_CHARACTERS, difference, listed, quote, quote_pattern

__all__ = ["Exact", "is_one_of"]


@dataclass(frozen=True, slots=True)
class Exact(Evaluator):
    """The whole output is the accepted answer, or one of several; by default outer white space is not compared."""

    name: ClassVar = "exact"
    value_field: ClassVar = "value"
    reads: ClassVar = ("expected",)

    value: Texts | None = None
    """Accepted answers; default: the case's `expected`."""
    ignore_case: bool = False
    collapse_space: bool = False
    """Runs of inner white space count as one space."""
    ignore_punctuation: bool = False
    ignore_articles: bool = False
    nfkc: bool = False
    trim: bool = True
    """False: outer white space is compared too."""
    trim_punctuation: bool = False
    ignore: Texts | None = None
    """RE2 patterns: what they match is taken out of both texts before anything else."""
    either_contains: bool = False
    """It is enough that one of the two texts, not empty, contains the other."""
    form: TextForm = field(init=False, repr=False, compare=False)
    removed: tuple[Pattern, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "form", form_of(self))
        object.__setattr__(self, "removed", tuple(map(_pattern, self.ignore or ())))

    def score(self, context: Context) -> Score:
        """Compare the output with each accepted answer."""
        accepted, output = expected_texts(self.value, context), context.output
        for pattern in self.removed:
            accepted, output = [pattern.remove(text) for text in accepted], pattern.remove(output)
        score = is_one_of(output, accepted, self.form)
        return score if score.passed or not self.either_contains else self._either(output, accepted) or score

    def needs_expected(self) -> bool:
        """Without a value of its own."""
        return self.value is None

    def expected_problem(self, expected: object) -> str | None:
        """Only text compares with text."""
        return None if self.value is not None else texts_problem(expected)

    def reads_labels(self) -> bool:
        """Unless a part of the answer is enough."""
        return not self.either_contains

    def accepted_labels(self, texts: Sequence[str]) -> tuple[str, ...]:
        """The accepted answers as they are compared."""
        return tuple(map(self._compared, texts))

    def label_of(self, output: str, accepted: tuple[str, ...]) -> str:
        """The output as it is compared."""
        del accepted
        return self._compared(output)

    def _compared(self, text: str) -> str:
        for pattern in self.removed:
            text = pattern.remove(text)
        return self.form(text)

    def _either(self, output: str, accepted: Sequence[str]) -> Score | None:
        got = self.form(output)
        wanted = map(self.form, accepted)
        found = next((text for text in wanted if got and text and (text in got or got in text)), None)
        if found is None:
            return None
        how = "contains" if found in got else "is contained in"
        return Score(1.0, True, f"The output {quote(got)} {how} {quote(found)}.")


def _pattern(source: str) -> Pattern:
    try:
        return compile_pattern(source)
    except ValueError as error:
        raise ArgumentError([Finding(f"the pattern {quote_pattern(source)} {error}", ("ignore",))]) from None


def is_one_of(output: str, accepted: Sequence[str], form: TextForm) -> Score:
    """Score the output by whether it equals one of the accepted texts, both in the form."""
    got = form(output)
    wanted = [form(text) for text in accepted]
    if got in wanted:
        return Score(1.0, True, f"The output is {quote(got)}, as accepted.")
    hint = form_hint(form, len(got), lambda looser: looser(output) in map(looser, accepted))
    return Score(0.0, False, _unequal(got, wanted) + hint)


def _unequal(got: str, wanted: Sequence[str]) -> str:
    if not got:
        return f"The output is empty; accepted is {listed(wanted)}."
    if len(wanted) > 1:
        return f"The output is {quote(got)}, which is none of {listed(wanted)}."
    if len(got) + len(wanted[0]) < QUOTE_CHARACTERS and "\n" not in got:
        return f"The output is {quote(got)}, not {quote(wanted[0])}: {difference(got, wanted[0])}."
    return f"The output, {quote(got, 80)}, is not {quote(wanted[0], 80)}: {difference(got, wanted[0])}."
