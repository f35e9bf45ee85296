"""What `contains_any` and `contains_all` share: several texts, looked for in the output."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.text_form import TextForm, form_hint, form_of
from llmctl.evaluators.text_part import LINE_ENDS, Needle, PartTexts, needles_of, parts_problem, stands_at
from llmctl.evaluators.texts import expected_texts
from llmctl.evaluators.wording import listed, quote

__all__ = ["TextParts"]


@dataclass(frozen=True, slots=True)
class TextParts(Evaluator):
    """Looks for each of several texts; their outer spaces count, their line ends do not."""

    value_field: ClassVar = "texts"
    reads: ClassVar = ("expected",)

    texts: PartTexts | None = None
    """The texts; default: the case's `expected`."""
    ignore_case: bool = False
    collapse_space: bool = False
    ignore_punctuation: bool = False
    ignore_articles: bool = False
    nfkc: bool = False
    trim: bool = True
    trim_punctuation: bool = False
    form: TextForm = field(init=False, repr=False, compare=False)
    needles: tuple[Needle, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "form", form_of(self))
        object.__setattr__(self, "needles", needles_of(self.texts or (), self.form, LINE_ENDS))

    def score(self, context: Context) -> Score:
        """Look for each text."""
        needles = self.needles or needles_of(expected_texts(None, context), self.form, LINE_ENDS)
        output = self.form(context.output, LINE_ENDS)
        missing = [needle.text for needle in needles if needle.form not in output]
        if self.enough(len(missing), len(needles)):
            return Score(1.0, True, _found(output, needles, missing))
        hint = form_hint(self.form, len(output), lambda looser: self._would_do(looser, context.output, needles))
        return Score(0.0, False, f"{_lacking(missing, len(needles))} in the output: {quote(output)}.{hint}")

    @abstractmethod
    def enough(self, missing: int, of: int) -> bool:
        """Whether it passes with so many texts missing."""

    def needs_expected(self) -> bool:
        """Without texts of its own."""
        return self.texts is None

    def expected_problem(self, expected: object) -> str | None:
        """Only texts, and no empty one."""
        return None if self.texts is not None else parts_problem(expected)

    def _would_do(self, form: TextForm, output: str, needles: Sequence[Needle]) -> bool:
        formed = form(output, LINE_ENDS)
        missing = sum(form(needle.text, LINE_ENDS) not in formed for needle in needles)
        return self.enough(missing, len(needles))


def _found(output: str, needles: Sequence[Needle], missing: Sequence[str]) -> str:
    if not missing and len(needles) > 1:
        return f"{listed(needle.text for needle in needles)} all stand in the output."
    first = next(needle for needle in needles if needle.text not in missing)
    return stands_at(output, first, output.find(first.form))


def _lacking(missing: Sequence[str], of: int) -> str:
    if len(missing) == 1:
        return f"{quote(missing[0])} does not stand"
    return f"None of {listed(missing)} stands" if len(missing) == of else f"{listed(missing)} do not stand"
