"""An argument that holds a JSON Schema: read, checked when the bank is read, and made ready to validate with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from llmctl.canonical import plain
from llmctl.evaluators.findings import ArgumentError, Finding
from llmctl.evaluators.structure.schema_check import schema_errors, schema_warnings
from llmctl.evaluators.structure.schema_validator import make_validator, violations

__all__ = ["SchemaArgument", "ready_validator", "schema_findings"]


def _schema(value: object) -> object:
    """The schema as plain data; a text (from a file) is read as JSON."""
    if not isinstance(value, str):
        return plain(value)
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise PydanticCustomError("schema", "is no JSON: {reason}", {"reason": str(error)}) from None


SchemaArgument = Annotated[Any, BeforeValidator(_schema), WithJsonSchema({"type": ["object", "boolean", "string"]})]
"""A JSON Schema (2020-12). References lead only inside it: nothing is fetched or opened."""


def ready_validator(schema: object) -> Any:
    """A validator for the argument `schema`.

    Raises:
        ArgumentError: the schema is wrong, or cannot be used.
    """
    errors = schema_errors(schema)
    if errors:
        raise ArgumentError(_below(errors))
    validator = make_validator(schema)
    probes: tuple[object, ...] = (None, 0, "", [], {})
    for probe in probes:
        try:
            violations(validator, probe, 1)
        except Exception as error:  # what checking the schema did not foresee must not end the command
            raise ArgumentError([Finding(f"the schema cannot be used: {error}", ("schema",))]) from None
    return validator


def schema_findings(schema: object) -> Sequence[Finding]:
    """What is odd in the argument `schema`, but allowed."""
    return _below(schema_warnings(schema))


def _below(findings: Sequence[Finding]) -> list[Finding]:
    return [Finding(one.message, ("schema", *one.path), one.hint) for one in findings]
