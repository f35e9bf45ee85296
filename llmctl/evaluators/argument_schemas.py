"""A JSON Schema for what may stand under each evaluator's name in a bank, for editors and `llmctl schema bank`."""

from __future__ import annotations

from typing import Any

from llmctl.evaluators.arguments import Argument, arguments_of
from llmctl.evaluators.base import Evaluator
from llmctl.evaluators.registry import COMBINATORS, evaluator_class, names

__all__ = ["argument_schemas"]

Schema = dict[str, Any]

_SCALAR = ["string", "number", "boolean"]
_ENTRY: Schema = {"type": ["string", "object"]}
_ELSEWHERE: list[Schema] = [
    {
        "type": "object",
        "properties": {key: {"type": "string", "description": description}},
        "required": [key],
        "additionalProperties": False,
    }
    for key, description in (
        ("from", "Taken from the case: vars.NAME or expected/PATH"),
        ("file", "The content of a file, beside the bank"),
    )
]


def argument_schemas() -> dict[str, Schema]:
    """By evaluator name: its one value, its arguments by name, or `{from: ...}` and `{file: ...}` in their place."""
    return {
        name: _combinator(name) if name in COMBINATORS else _schema(evaluator_class(name)) for name in sorted(names())
    }


def _combinator(name: str) -> Schema:
    description = _summary(evaluator_class(name))
    if name == "not":
        return {"description": description, **_ENTRY}
    return {"description": description, "type": "array", "items": _ENTRY, "minItems": 1}


def _schema(cls: type[Evaluator]) -> Schema:
    arguments = arguments_of(cls)
    properties = {name: _anywhere(_argument(argument)) for name, argument in arguments.items()}
    named: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    required = [name for name, argument in arguments.items() if argument.required]
    if required:
        named["required"] = required
    forms: list[Schema] = [named, *_ELSEWHERE]
    if cls.value_field is not None:
        # a mapping under the name is always the arguments
        forms.insert(0, {"allOf": [_argument(arguments[cls.value_field]), {"not": {"type": "object"}}]})
    return {"description": _summary(cls), "anyOf": forms}


def _argument(argument: Argument) -> Schema:
    schema = argument.adapter.json_schema()
    if "$defs" in schema:  # references would lead nowhere inside the bank's schema
        return {}
    loose: Schema = _loose(schema)
    return loose


def _loose(schema: Any) -> Any:
    """Text may be written as a number or truth value, and each item of a list may come from elsewhere."""
    if isinstance(schema, list):
        return [_loose(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _loose(value) for key, value in schema.items() if key not in ("title", "default")}
    if found.get("type") == "string" and "enum" not in found and "const" not in found:
        found["type"] = _SCALAR
    if isinstance(found.get("items"), dict):
        found["items"] = _anywhere(found["items"])
    return found


def _anywhere(schema: Schema) -> Schema:
    return {"anyOf": [schema, *_ELSEWHERE]} if schema else {}


def _summary(cls: type[Evaluator]) -> str:
    return (cls.__doc__ or "").strip().split("\n")[0]
