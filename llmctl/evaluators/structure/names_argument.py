"""The type of an argument that takes one name or a list of names."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from llmctl.evaluators.texts import as_texts

__all__ = ["Names"]


def _names(value: object) -> tuple[str, ...]:
    names = () if value in ((), []) else as_texts(value)
    if names is None or not all(name.strip() for name in names):
        raise PydanticCustomError("names", "must be a name or a list of names")
    return tuple(name.strip() for name in names)


_SCALAR = {"type": ["string", "number", "boolean"]}

Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_names),
    WithJsonSchema({"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}),
]
"""One name, or several; none is an empty list."""
