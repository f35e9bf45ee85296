"""What `contains`, `starts_with`, `ends_with` and those of several texts share: a text, looked for in the output."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from llmctl.canonical import written
from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.text_form import TextForm, form_hint, form_of
from llmctl.evaluators.texts import as_texts, expected_texts, texts_problem
from llmctl.evaluators.wording import listed, place_in, quote

__all__ = ["LINE_ENDS", "Needle", "PartText", "PartTexts", "TextPart", "needles_of", "parts_problem", "stands_at"]

LINE_ENDS = "\r\n"
"""All that does not count around a text that may stand anywhere: its outer spaces do."""

_SEVERAL = "must be one text; write `contains_any`, `contains_all`, or `any:` or `all:` with one entry for each text"
_EMPTY = "is empty, and an empty text stands in every output"


def _part(value: object) -> str:
    if isinstance(value, list | tuple):
        raise PydanticCustomError("one_text", _SEVERAL)
    if not isinstance(value, str | int | float):
        raise PydanticCustomError("one_text", "must be a text")
    text = written(value)
    if not text.strip():
        raise PydanticCustomError("one_text", _EMPTY)
    return text


def _parts(value: object) -> tuple[str, ...]:
    texts = as_texts(value)
    if texts is None:
        raise PydanticCustomError("texts", "must be a text or a list of texts")
    if not all(text.strip() for text in texts):
        raise PydanticCustomError("texts", f"holds a text that {_EMPTY}")
    return texts


_NOT_EMPTY = {"type": ["string", "number", "boolean"], "minLength": 1}

PartText = Annotated[str, BeforeValidator(_part), WithJsonSchema(_NOT_EMPTY)]
"""One text that is not blank."""

PartTexts = Annotated[
    tuple[str, ...],
    BeforeValidator(_parts),
    WithJsonSchema({"anyOf": [_NOT_EMPTY, {"type": "array", "items": _NOT_EMPTY, "minItems": 1}]}),
]
"""One text that is not blank, or a list of them."""


@dataclass(frozen=True, slots=True)
class Needle:
    """A text to look for: as its author wrote it, and in the form in which it is looked for."""

    text: str
    form: str


def needles_of(texts: Sequence[str], form: TextForm, outer: str | None) -> tuple[Needle, ...]:
    """The texts, ready to be looked for.

    Raises:
        EvaluatorError: one of them is empty.
    """
    needles = tuple(Needle(text, form(text, outer)) for text in texts)
    if not all(needle.form.strip() for needle in needles):
        raise EvaluatorError(f"the text to look for {_EMPTY}")
    return needles


def parts_problem(expected: object) -> str | None:
    """Why an expected answer cannot be looked for: it is no text, or an empty one."""
    problem = texts_problem(expected)
    if problem is None and not all(text.strip() for text in as_texts(expected) or ()):
        return f"it {_EMPTY}"
    return problem


def stands_at(output: str, needle: Needle, at: int) -> str:
    """Where a text was found, with what stands around it."""
    around = quote(output[max(0, at - 40) : at + len(needle.form) + 40], 120)
    return f"{quote(needle.text, 80)} stands at {place_in(output, at)}: {around}."


@dataclass(frozen=True, slots=True)
class TextPart(Evaluator):
    """Looks for a text in the output; with several expected answers one of them is enough."""

    value_field: ClassVar = "text"
    reads: ClassVar = ("expected",)
    where: ClassVar[str]
    """How the place is called in explanations: `in the output`."""
    outer: ClassVar[str | None] = None
    """The characters at both ends of output and text that do not count; None: all white space."""

    text: PartText | None = None
    """The text; default: the case's `expected`."""
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
        own = () if self.text is None else needles_of((self.text,), self.form, self.outer)
        object.__setattr__(self, "needles", own)

    def score(self, context: Context) -> Score:
        """Look for each text."""
        needles = self.needles or needles_of(expected_texts(None, context), self.form, self.outer)
        output = self.form(context.output, self.outer)
        for needle in needles:
            at = self.find(output, needle.form)
            if at is not None:
                return Score(1.0, True, stands_at(output, needle, at))
        texts = [needle.text for needle in needles]
        absent = f"{quote(texts[0])} does not stand" if len(texts) == 1 else f"None of {listed(texts)} stands"
        hint = form_hint(self.form, len(output), lambda looser: self._stands(looser, context.output, texts))
        return Score(0.0, False, f"{absent} {self.where}: {quote(output)}.{hint}")

    @abstractmethod
    def find(self, output: str, text: str) -> int | None:
        """Where the text stands, as an index into the output; None: nowhere that counts."""

    def needs_expected(self) -> bool:
        """Without a text of its own."""
        return self.text is None

    def expected_problem(self, expected: object) -> str | None:
        """Only text, and not an empty one."""
        return None if self.text is not None else parts_problem(expected)

    def _stands(self, form: TextForm, output: str, texts: Sequence[str]) -> bool:
        formed = form(output, self.outer)
        return any(self.find(formed, form(text, self.outer)) is not None for text in texts)
