"""The output is one of a list of texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.exact import is_one_of
from llmctl.evaluators.text_form import TextForm, form_of
from llmctl.evaluators.texts import Texts

__all__ = ["OneOf"]


@dataclass(frozen=True, slots=True)
class OneOf(Evaluator):
    """The whole output is one of the listed texts, whatever the case expects."""

    name: ClassVar = "one_of"
    value_field: ClassVar = "values"
    reads: ClassVar = ()

    values: Texts
    """The texts, compared as `exact` compares."""
    ignore_case: bool = False
    collapse_space: bool = False
    ignore_punctuation: bool = False
    ignore_articles: bool = False
    nfkc: bool = False
    trim: bool = True
    trim_punctuation: bool = False
    form: TextForm = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "form", form_of(self))

    def score(self, context: Context) -> Score:
        """Compare the output with each text."""
        return is_one_of(context.output, self.values, self.form)
