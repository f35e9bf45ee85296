"""An argument that holds JSON data; a text is read as JSON, as spreadsheets and files hold it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from llmctl.canonical import plain
from llmctl.evaluators.structure.json_text import read_json

__all__ = ["ABSENT", "Absent", "JsonValue", "as_json"]


class Absent:
    """No value given; None would be JSON's null."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent()


def as_json(value: object) -> object:
    """JSON data; `ABSENT` for a text that is none."""
    if not isinstance(value, str):
        return plain(value)
    read = read_json(value)
    return ABSENT if read.problem else read.value


def _value(value: object) -> object:
    wanted = as_json(value)
    if isinstance(wanted, Absent):
        raise PydanticCustomError("json_text", "is a text that is not JSON; a JSON text has its own quotes: '\"yes\"'")
    return wanted


JsonValue = Annotated[Any, BeforeValidator(_value)]
"""JSON data."""
