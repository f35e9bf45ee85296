"""The schema of a logged request, ready to check answers with; one that cannot be used checks nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmctl.canonical import digest
from llmctl.errors import EvaluatorError
from llmctl.evaluators.findings import ArgumentError
from llmctl.evaluators.structure.schema_argument import ready_validator
from llmctl.evaluators.structure.schema_validator import violations

__all__ = ["LoggedSchema", "LoggedSchemas"]

_KEPT = 256
"""Validators that are held at a time."""


class LoggedSchema:
    """One schema."""

    def __init__(self, validator: Any) -> None:
        self._validator = validator

    def violation(self, value: object) -> str | None:
        """The first violation, as a sentence with its place; None: there is none, or checking took too long."""
        try:
            found = violations(self._validator, value, 1)
        except EvaluatorError:
            return None  # undecided on both sides of a comparison is no difference
        return found[0] if found else None


class LoggedSchemas:
    """Schemas by their content: thousands of calls have the same."""

    def __init__(self) -> None:
        self._kept: dict[str, LoggedSchema | None] = {}
        self.unusable = 0
        """Different schemas that no answer could be checked with."""

    def of(self, response_format: Mapping[str, object] | None) -> LoggedSchema | None:
        """The schema of a `response_format`; None: it has none, or one that cannot be used."""
        schema = _schema(response_format)
        if schema is None:
            return None
        try:
            key = digest(schema)
        except TypeError:  # half a surrogate pair, or a number beyond 64 bits
            return None
        if key not in self._kept:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[key] = self._ready(schema)
        return self._kept[key]

    def _ready(self, schema: Mapping[str, object]) -> LoggedSchema | None:
        # OpenAI's schemas may name an older dialect, which differs in nothing that they are allowed to use.
        plain = {key: value for key, value in schema.items() if key != "$schema"}
        try:
            return LoggedSchema(ready_validator(plain))
        except ArgumentError:
            self.unusable += 1
            return None


def _schema(response_format: Mapping[str, object] | None) -> Mapping[str, object] | None:
    if not response_format or response_format.get("type") != "json_schema":
        return None
    named = response_format.get("json_schema")
    schema = named.get("schema") if isinstance(named, Mapping) else response_format.get("schema")
    return schema if isinstance(schema, Mapping) else None
