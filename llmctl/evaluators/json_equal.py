"""The output is JSON, and equal to the accepted JSON value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from llmctl.canonical import plain
from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.json_text import json_difference, read_json
from llmctl.evaluators.wording import quote

__all__ = ["Json"]


class _Absent:
    """No value given; None would be JSON's null."""

    def __repr__(self) -> str:
        return "absent"


_ABSENT = _Absent()


def _value(value: object) -> object:
    wanted = _as_json(value)
    if isinstance(wanted, _Absent):
        raise PydanticCustomError("json_text", "is a text that is not JSON; a JSON text has its own quotes: '\"yes\"'")
    return wanted


def _as_json(value: object) -> object:
    """JSON data; a text is read as JSON (spreadsheets and files hold it so). `_ABSENT`: it is none."""
    if not isinstance(value, str):
        return plain(value)
    read = read_json(value)
    return _ABSENT if read.problem else read.value


@dataclass(frozen=True, slots=True)
class Json(Evaluator):
    """The output is JSON and equals a JSON value: the order of keys is free, 1 equals 1.0, `true` is not 1."""

    name: ClassVar = "json"
    value_field: ClassVar = "value"
    reads: ClassVar = ("expected",)

    value: Annotated[Any, BeforeValidator(_value)] = field(default_factory=lambda: _ABSENT)
    """The accepted value; default: the case's `expected`, where it has one."""
    compare: bool = True
    """`false`: it is enough that the output is JSON."""

    def score(self, context: Context) -> Score:
        """Read the output and compare."""
        read = read_json(context.output)
        if read.problem:
            return Score(0.0, False, f"The output is {read.problem}.")
        shown = quote(context.output.strip(), 80)
        if not self.compare or (isinstance(self.value, _Absent) and not context.has_expected):
            return Score(1.0, True, f"The output is JSON: {shown}.")
        wanted = _as_json(context.expected) if isinstance(self.value, _Absent) else self.value
        if isinstance(wanted, _Absent):
            raise EvaluatorError("the expected answer is a text that is not JSON")
        problem = json_difference(read.value, wanted)
        if problem:
            return Score(0.0, False, f"The output is JSON, but {problem}.")
        return Score(1.0, True, f"The output equals the accepted JSON: {shown}.")

    def expected_problem(self, expected: object) -> str | None:
        """A text must be JSON."""
        if not self.compare or not isinstance(self.value, _Absent) or not isinstance(_as_json(expected), _Absent):
            return None
        return "it is a text that is not JSON; for outputs that only must be JSON write `json: {compare: false}`"
