"""The output is JSON that keeps to a schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from llmctl.canonical import plain
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.findings import ArgumentError, Finding
from llmctl.evaluators.json_text import read_json
from llmctl.evaluators.schema_check import schema_errors, schema_warnings
from llmctl.evaluators.schema_validator import make_validator, violations
from llmctl.evaluators.wording import quote

__all__ = ["JsonSchema"]

_SHOWN = 5


def _schema(value: object) -> object:
    """The schema as plain data; a text (from a file) is read as JSON."""
    if not isinstance(value, str):
        return plain(value)
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise PydanticCustomError("schema", "is no JSON: {reason}", {"reason": str(error)}) from None


@dataclass(frozen=True, slots=True)
class JsonSchema(Evaluator):
    """The output is JSON and keeps to a JSON Schema (2020-12), formats included."""

    name: ClassVar = "json_schema"
    value_field: ClassVar = "schema"
    reads: ClassVar = ()

    schema: Annotated[Any, BeforeValidator(_schema), WithJsonSchema({"type": ["object", "boolean", "string"]})]
    """The schema. References lead only inside it: nothing is fetched or opened."""
    validator: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        errors = schema_errors(self.schema)
        if errors:
            raise ArgumentError([Finding(one.message, ("schema", *one.path), one.hint) for one in errors])
        validator = make_validator(self.schema)
        probes: tuple[object, ...] = (None, 0, "", [], {})
        for probe in probes:
            try:
                violations(validator, probe, 1)
            except Exception as error:  # what checking the schema did not foresee must not end the command
                raise ArgumentError([Finding(f"the schema cannot be used: {error}", ("schema",))]) from None
        object.__setattr__(self, "validator", validator)

    def warnings(self) -> Sequence[Finding]:
        """Unknown keywords and formats."""
        return [Finding(one.message, ("schema", *one.path), one.hint) for one in schema_warnings(self.schema)]

    def score(self, context: Context) -> Score:
        """Read the output and list its violations."""
        read = read_json(context.output)
        if read.problem:
            return Score(0.0, False, f"The output is {read.problem}.")
        found = violations(self.validator, read.value, _SHOWN + 1)
        if not found:
            return Score(1.0, True, f"The output keeps to the schema: {quote(context.output.strip(), 80)}.")
        lines = [f"- {violation}" for violation in found[:_SHOWN]]
        more = ["- and more"] if len(found) > _SHOWN else []
        return Score(0.0, False, "\n".join(["The output breaks the schema:", *lines, *more]))
