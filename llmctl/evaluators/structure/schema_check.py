"""What is wrong or odd in a JSON Schema, found when the bank is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from llmctl.evaluators.findings import Finding
from llmctl.evaluators.patterns import compile_either
from llmctl.evaluators.structure.json_text import pointer_text
from llmctl.evaluators.structure.schema_validator import FORMATS
from llmctl.evaluators.wording import nearest, quote, visible

__all__ = ["DIALECT", "schema_errors", "schema_warnings"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_ONE = frozenset(
    {
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_LIST = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAP = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
_NOTES = frozenset(
    {
        "$anchor",
        "$comment",
        "$dynamicAnchor",
        "$id",
        "$schema",
        "$vocabulary",
        "contentEncoding",
        "contentMediaType",
        "default",
        "deprecated",
        "description",
        "example",
        "examples",
        "maxContains",
        "minContains",
        "readOnly",
        "title",
        "writeOnly",
    }
)
_KNOWN = _ONE | _LIST | _MAP | _NOTES | frozenset(Draft202012Validator.VALIDATORS)
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_OUTSIDE = "A reference may only lead inside the schema: nothing is fetched or opened for it."
_UNREAD = "Put the schemas that references lead to below `$defs`."


@dataclass(frozen=True, slots=True)
class _Part:
    """A schema inside the schema, with its path and the base of its references."""

    schema: Mapping[str, Any]
    path: tuple[str | int, ...]
    resolver: Any


def schema_errors(schema: object) -> list[Finding]:
    """Why the schema cannot be used; paths begin below it."""
    if not isinstance(schema, dict | bool):
        return [Finding(f"a JSON Schema is a mapping, or true or false, not {quote(str(schema), 60)}")]
    if isinstance(schema, bool):
        return []
    try:
        found = _dialect_errors(schema) or _meta_errors(schema)
        return found or _inner_errors(schema) or list(_clash(schema))
    except RecursionError:
        return [Finding("the schema is nested too deeply")]


def schema_warnings(schema: object) -> list[Finding]:
    """What is odd in a schema without errors: unknown keywords, formats that nobody checks."""
    if not isinstance(schema, dict):
        return []
    return [finding for part in _parts(schema) for finding in _part_warnings(part)]


def _dialect_errors(schema: dict[str, Any]) -> list[Finding]:
    dialect = schema.get("$schema", DIALECT)
    if not isinstance(dialect, str) or dialect.rstrip("#") != DIALECT:
        hint = "Remove `$schema`. In older schemas a list under `items` becomes `prefixItems`; most else stays."
        return [
            Finding(f"schemas are read as JSON Schema 2020-12, not as {visible(str(dialect), 80)}", ("$schema",), hint)
        ]
    nested = _nested_dialect(list(schema.values()))
    return [Finding("`$schema` may only stand at the top of the schema")] if nested else []


def _nested_dialect(values: list[Any]) -> bool:
    while values:
        value = values.pop()
        if isinstance(value, dict):
            if "$schema" in value:
                return True
            values.extend(value.values())
        elif isinstance(value, list):
            values.extend(value)
    return False


def _meta_errors(schema: dict[str, Any]) -> list[Finding]:
    try:
        Draft202012Validator.check_schema(schema, format_checker=FORMATS)
    except SchemaError as error:
        path = tuple(error.absolute_path)
        hint = nearest(str(error.instance), _TYPES) if path[-1:] == ("type",) else None
        return [Finding(f"the JSON Schema is wrong at {pointer_text(path)}: {visible(error.message)}", path, hint)]
    return []


def _parts(schema: dict[str, Any]) -> Iterator[_Part]:
    """The schema and all schemas inside it, from the top."""
    resolver = Registry[Any]().resolver_with_root(DRAFT202012.create_resource(schema))
    waiting = [_Part(schema, (), resolver)]
    while waiting:
        part = waiting.pop()
        yield part
        for inner, path in reversed(list(_inner(part))):
            if isinstance(inner, dict):
                resolver = part.resolver.in_subresource(DRAFT202012.create_resource(inner))
                waiting.append(_Part(inner, path, resolver))


def _inner(part: _Part) -> Iterator[tuple[Any, tuple[str | int, ...]]]:
    for keyword, value in part.schema.items():
        path = (*part.path, keyword)
        if keyword in _ONE:
            yield value, path
        elif keyword in _LIST and isinstance(value, list):
            yield from ((inner, (*path, index)) for index, inner in enumerate(value))
        elif keyword in _MAP and isinstance(value, dict):
            yield from ((inner, (*path, key)) for key, inner in value.items())


def _inner_errors(schema: dict[str, Any]) -> list[Finding]:
    parts = list(_parts(schema))
    checked = frozenset(id(part.schema) for part in parts)
    return [finding for part in parts for finding in _part_errors(part, checked)]


def _part_errors(part: _Part, checked: frozenset[int]) -> Iterator[Finding]:
    for keyword in ("$ref", "$dynamicRef"):
        reference = part.schema.get(keyword)
        if reference is None:
            continue
        path = (*part.path, keyword)
        try:
            target = part.resolver.lookup(reference).contents
        except (Unresolvable, ValueError, TypeError):
            hint = None if str(reference).startswith("#") else _OUTSIDE
            yield Finding(f"{keyword} {quote(str(reference), 80)} leads nowhere in this schema", path, hint)
            continue
        if not isinstance(target, bool) and id(target) not in checked:
            # what stands there has been checked by nobody: its patterns, its own references
            yield Finding(f"{keyword} {quote(str(reference), 80)} leads to a place that is no schema", path, _UNREAD)
    for pattern, path in _patterns(part):
        try:
            compile_either(pattern)
        except ValueError as error:
            yield Finding(f"the pattern {quote(pattern, 80)} {error}", path)


def _patterns(part: _Part) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    if isinstance(part.schema.get("pattern"), str):
        yield part.schema["pattern"], (*part.path, "pattern")
    for pattern in part.schema.get("patternProperties", ()):
        yield pattern, (*part.path, "patternProperties", pattern)


def _clash(schema: dict[str, Any]) -> Iterator[Finding]:
    """Jsonschema runs these patterns with `re`, without a limit, when it looks for unevaluated properties."""
    parts = list(_parts(schema))
    if any("patternProperties" in part.schema for part in parts):
        for part in parts:
            if "unevaluatedProperties" in part.schema:
                path = (*part.path, "unevaluatedProperties")
                yield Finding("`unevaluatedProperties` and `patternProperties` cannot stand in one schema here", path)


def _part_warnings(part: _Part) -> Iterator[Finding]:
    for keyword in part.schema:
        if keyword not in _KNOWN and not keyword.startswith("x-"):
            hint = nearest(keyword, _KNOWN)
            yield Finding(
                f"JSON Schema has no keyword {quote(keyword, 60)}: it checks nothing", (*part.path, keyword), hint
            )
    name = part.schema.get("format")
    if isinstance(name, str) and name not in FORMATS.checkers:
        hint = nearest(name, FORMATS.checkers)
        yield Finding(f"the format {quote(name, 60)} is not checked", (*part.path, "format"), hint)
