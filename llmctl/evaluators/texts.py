"""How texts are made comparable: outer white space, line ends and Unicode forms never decide; case where asked."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from llmctl.canonical import written
from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context

__all__ = ["Texts", "as_texts", "expected_texts", "normalise", "texts_problem"]


def as_texts(value: object) -> tuple[str, ...] | None:
    """One text, or a list of texts, as a tuple; numbers and truth values as written. None: it is neither."""
    if isinstance(value, str | int | float):
        return (written(value),)
    if not isinstance(value, list | tuple) or not value:
        return None
    if not all(isinstance(item, str | int | float) for item in value):
        return None
    return tuple(written(item) for item in value)


def _texts(value: object) -> tuple[str, ...]:
    texts = as_texts(value)
    if texts is None:
        raise PydanticCustomError("texts", "must be a text or a list of texts")
    return texts


_SCALAR = {"type": ["string", "number", "boolean"]}

Texts = Annotated[
    tuple[str, ...],
    BeforeValidator(_texts),
    WithJsonSchema({"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR, "minItems": 1}]}),
]
"""One accepted text or a list of them."""


def texts_problem(expected: object) -> str | None:
    """Why `expected` cannot be compared as text, as the end of a sentence; None when it can."""
    if type(expected) is str or as_texts(expected) is not None:
        return None
    return f"it is {_kind(expected)}, and text is compared; use `json`, or `against: {{from: expected/...}}`"


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case list() | tuple():
            return "a list that holds more than texts" if value else "an empty list"
        case _:
            return "a mapping"


def expected_texts(own: Sequence[str] | None, context: Context) -> Sequence[str]:
    """The accepted texts: the evaluator's own, else the expected answer's.

    Raises:
        EvaluatorError: the expected answer is missing or no text.
    """
    if own is not None:
        return own
    if not context.has_expected:
        raise EvaluatorError("the case has no expected answer")
    texts = as_texts(context.expected)
    if texts is None:
        raise EvaluatorError(f"the expected answer cannot be used: {texts_problem(context.expected)}")
    return texts


def normalise(text: str, *, ignore_case: bool = False, collapse_space: bool = False, outer: str | None = None) -> str:
    """The form in which texts are compared.

    Outer white space goes, line ends become LF, equivalent Unicode spellings become one (NFC: `e` + accent is `é`);
    where asked, case is folded (`STRASSE` is `straße`) and inner white space becomes single spaces. `outer` are the
    characters that go at both ends; None: all white space.
    """
    text = text.strip(outer)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if ignore_case:
        text = text.casefold()
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.split()) if collapse_space else text
