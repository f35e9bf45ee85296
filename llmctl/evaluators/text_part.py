"""What `contains`, `starts_with` and `ends_with` share: one text, looked for in the output."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from llmctl.canonical import written
from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.texts import as_texts, expected_texts, normalise, texts_problem
from llmctl.evaluators.wording import listed, place_in, quote

__all__ = ["PartText", "TextPart"]

_EMPTY = "is empty, and an empty text stands in every output"


def _part(value: object) -> str:
    if isinstance(value, list | tuple):
        raise PydanticCustomError("one_text", "must be one text; write `any:` or `all:` with one entry for each text")
    if not isinstance(value, str | int | float):
        raise PydanticCustomError("one_text", "must be a text")
    text = written(value)
    if not text.strip():
        raise PydanticCustomError("one_text", _EMPTY)
    return text


PartText = Annotated[
    str, BeforeValidator(_part), WithJsonSchema({"type": ["string", "number", "boolean"], "minLength": 1})
]
"""One text that is not blank."""


@dataclass(frozen=True, slots=True)
class TextPart(Evaluator):
    """Looks for a text in the output; with several expected answers one of them is enough."""

    value_field: ClassVar = "text"
    reads: ClassVar = ("expected",)
    where: ClassVar[str]
    """How the place is called in explanations: `in the output`."""
    outer: ClassVar[str | None] = None
    """The characters at both ends of the text that do not count; None: all white space."""

    text: PartText | None = None
    """The text; default: the case's `expected`."""
    ignore_case: bool = False

    def score(self, context: Context) -> Score:
        """Look for each text."""
        texts = expected_texts(None if self.text is None else (self.text,), context)
        output = normalise(context.output, ignore_case=self.ignore_case)
        for text in texts:
            at = self.find(output, self._needle(text, self.ignore_case))
            if at is not None:
                around = quote(output[max(0, at - 40) : at + len(text) + 40], 120)
                return Score(1.0, True, f"{quote(text, 80)} stands at {place_in(output, at)}: {around}.")
        return Score(0.0, False, f"{self._absent(texts)} {self.where}: {quote(output)}.{self._hint(context, texts)}")

    @abstractmethod
    def find(self, output: str, text: str) -> int | None:
        """Where the text stands, as an index into the output; None: nowhere that counts."""

    def needs_expected(self) -> bool:
        """Without a text of its own."""
        return self.text is None

    def expected_problem(self, expected: object) -> str | None:
        """Only text, and not an empty one."""
        if self.text is not None:
            return None
        problem = texts_problem(expected)
        if problem is None and not all(text.strip() for text in as_texts(expected) or ()):
            return f"it {_EMPTY}"
        return problem

    def _needle(self, text: str, ignore_case: bool) -> str:
        needle = normalise(text, ignore_case=ignore_case, outer=self.outer)
        if not needle.strip():
            raise EvaluatorError(f"the text to look for {_EMPTY}")
        return needle

    def _absent(self, texts: Sequence[str]) -> str:
        return f"{quote(texts[0])} does not stand" if len(texts) == 1 else f"None of {listed(texts)} stands"

    def _hint(self, context: Context, texts: Sequence[str]) -> str:
        output = normalise(context.output, ignore_case=True)
        if not self.ignore_case and any(self.find(output, self._needle(text, True)) is not None for text in texts):
            return " It does in another case: `ignore_case: true` accepts it."
        return ""
