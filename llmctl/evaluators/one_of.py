"""The output is one of a list of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.exact import is_one_of
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
    """Runs of inner white space count as one space."""

    def score(self, context: Context) -> Score:
        """Compare the output with each text."""
        return is_one_of(context.output, self.values, ignore_case=self.ignore_case, collapse_space=self.collapse_space)
