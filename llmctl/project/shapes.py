"""The bricks of the file shapes: strict pydantic types that say what they want in plain words.

A shape describes a file as users write it. It is checked once, and everything behind it works with the frozen
dataclasses of `llmctl.project.models`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, TypeGuard, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from llmctl.canonical import WrittenBool, plain, written

__all__ = [
    "TAGS",
    "WRONG_TYPE",
    "Content",
    "FileShape",
    "Fraction",
    "Items",
    "Mapping",
    "Maybe",
    "Name",
    "Number",
    "PlainMapping",
    "Shape",
    "Text",
    "TextList",
    "Truth",
    "Whole",
    "given",
    "reference_to_file",
    "wrong_type",
]

WRONG_TYPE = "llmctl_wrong_type"
"""The type of the errors of this module; `want` in their context says what should stand there."""

TAGS = frozenset(
    {
        "<text>",
        "<list>",
        "<file>",
        "<mapping>",
        "<number>",
        "<message>",
        "<parts>",
        "<placeholder>",
        "<program>",
        "<rate>",
        "<secret>",
    }
)
"""What the branches of a union are called; no part of a value's path."""


class Shape(BaseModel):
    """A mapping with known keys and no others."""

    # Built when it is first used: half of the shapes only stand in others, which build them as parts of themselves.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    reserved: ClassVar[frozenset[str]] = frozenset()
    """Keys that are kept for later, refused with a sentence of their own."""
    tag: ClassVar[str] = ""
    """What the shape is called as a branch of a union."""


def given(shape: Shape, field: str) -> bool:
    """Whether the file names this key, whatever its value."""
    return field in shape.model_fields_set


def wrong_type(want: str) -> PydanticCustomError:
    """The error that says what should stand in a place: `a list of texts`."""
    return PydanticCustomError(WRONG_TYPE, "must be {want}", {"want": want})


def _text(value: object) -> object:
    if isinstance(value, str | int | float):  # a truth value is an int
        return written(value)
    raise wrong_type("text")


def _number(value: object) -> object:
    if isinstance(value, bool | WrittenBool) or not isinstance(value, int | float):
        raise wrong_type("a number")
    return float(value)


def _whole(value: object) -> object:
    if isinstance(value, bool | WrittenBool) or not isinstance(value, int):
        raise wrong_type("a whole number")
    return int(value)


def _truth(value: object) -> object:
    if not isinstance(value, bool | WrittenBool):
        raise wrong_type("true or false")
    return bool(value)


def _instance(kind: type, want: str) -> Callable[[object], object]:
    def check(value: object) -> object:
        if not isinstance(value, kind):
            raise wrong_type(want)
        return value

    return check


def _not_null(value: object) -> object:
    if value is None:
        raise PydanticCustomError("llmctl_null", "is null")
    return value


def _plain(value: object) -> object:
    return plain(value) if isinstance(value, dict) else value


_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}
T = TypeVar("T")

Text = Annotated[str, BeforeValidator(_text), WithJsonSchema(_SCALAR)]
"""Text; a number or truth value counts as the text its author wrote."""
Name = Annotated[Text, Field(min_length=1), WithJsonSchema({**_SCALAR, "minLength": 1})]
"""Text that is not empty."""
Number = Annotated[float, BeforeValidator(_number)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
"""A number from 0 to 1."""
Whole = Annotated[int, BeforeValidator(_whole)]
Truth = Annotated[bool, BeforeValidator(_truth)]
TextList = Annotated[list[Text], BeforeValidator(_instance(list, "a list of texts"))]
Items = Annotated[list[Any], BeforeValidator(_instance(list, "a list"))]
Mapping = Annotated[dict[str, Any], BeforeValidator(_instance(dict, "a mapping"))]
PlainMapping = Annotated[dict[str, Any], BeforeValidator(_instance(dict, "a mapping")), BeforeValidator(_plain)]
"""A mapping for a provider: numbers are numbers, however they were written."""
Maybe = Annotated[T | None, BeforeValidator(_not_null)]
"""A key that may be left out; null is not a way to leave it out."""


class FileShape(Shape):
    """`{file: path}` in place of a long value."""

    tag: ClassVar[str] = "<file>"

    file: Name


def _text_or_file(value: object) -> str:
    return "<file>" if isinstance(value, dict | FileShape) else "<text>"


Content = Annotated[
    Annotated[Text, Tag("<text>")] | Annotated[FileShape, Tag("<file>")],
    Discriminator(_text_or_file),
]
"""A text, or the file that holds it."""


def reference_to_file(value: object) -> TypeGuard[dict[str, object]]:
    """Whether a value is written `{file: path}`."""
    return isinstance(value, dict) and value.keys() == {"file"}
