"""JSON Schemas (2020-12) of the files that users write, for editors: made from the shapes that check the files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import NullableSchema

from llmctl.project.bank_file import BankShape
from llmctl.project.case_draft import CaseKeysShape, CaseShape
from llmctl.project.config_file import ConfigShape
from llmctl.project.evaluator_entry import CommonShape
from llmctl.project.includes import IncludeShape
from llmctl.project.prompt_file import PromptShape
from llmctl.project.shapes import Shape

__all__ = ["DIALECT", "bank_schema", "config_schema", "prompt_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"
Schema = dict[str, Any]


def prompt_schema() -> Schema:
    """The schema of a file below `prompts/`."""
    schema = _schema_of(PromptShape, "A prompt of llmctl")
    schema["oneOf"] = [{"required": ["messages"]}, {"required": ["template"]}, {"required": ["target"]}]
    for_models = [{"required": [key]} for key in ("model", "params", "output", "tools", "tool_choice")]
    schema["dependentSchemas"] = {"target": {"not": {"anyOf": for_models}}}
    return schema


def config_schema() -> Schema:
    """The schema of `llmctl.toml`."""
    return _schema_of(ConfigShape, "llmctl.toml")


def bank_schema(evaluators: Mapping[str, Mapping[str, object]]) -> Schema:
    """The schema of a file below `testbanks/`.

    Args:
        evaluators: for each evaluator the schema of what may stand under its name, arguments or its one value.
            `not`, `any` and `all` are described here.
    """
    schema = _schema_of(BankShape, "A test bank of llmctl")
    defs: Schema = schema.setdefault("$defs", {})
    for shape in (CaseKeysShape, CaseShape, IncludeShape):
        own = _schema_of(shape, shape.__name__)
        defs.update(own.pop("$defs", {}))
        own.pop("$schema")
        defs[shape.__name__] = own
    defs["Evaluator"] = _evaluator(evaluators)
    listed = {"type": "array", "items": {"$ref": f"{_REF}Evaluator"}}
    for owner in (schema, defs["CaseKeysShape"], defs["CaseShape"]):
        owner["properties"]["evaluators"] = listed
    schema["properties"]["cases"] = {"type": "array", "items": {"$ref": f"{_REF}CaseShape"}}
    schema["properties"]["include"] = {"type": "array", "items": {"$ref": f"{_REF}IncludeShape"}}
    schema["anyOf"] = [{"required": ["cases"]}, {"required": ["include"]}]
    return schema


class _Generator(GenerateJsonSchema):
    """Null is no way to leave a key out."""

    def nullable_schema(self, schema: NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        described = super().default_schema(schema)
        if not isinstance(described.get("default", 0), str | int | float):
            del described["default"]
        return described

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        # pydantic leaves its own words for a limit behind a validator function
        described = super().generate_inner(schema)
        return {_LIMITS.get(key, key): value for key, value in described.items()}


_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def _schema_of(shape: type[Shape], title: str) -> Schema:
    schema = shape.model_json_schema(by_alias=True, schema_generator=_Generator)
    return {"$schema": DIALECT, **schema, "title": title}


def _evaluator(evaluators: Mapping[str, Mapping[str, object]]) -> Schema:
    """One entry: a name, or a mapping with one name and the common keys."""
    one = {"$ref": f"{_REF}Evaluator"}
    many: Schema = {"type": "array", "items": one, "minItems": 1}
    arguments: Schema = {**evaluators, "not": one, "any": many, "all": many}
    common = _schema_of(CommonShape, "Evaluator")["properties"]
    bare = sorted(set(evaluators) - {"not", "any", "all"})
    entry = {
        "type": "object",
        "properties": {**arguments, **common},
        "additionalProperties": False,
        "oneOf": [{"required": [name]} for name in sorted(arguments)],
    }
    return {"if": {"type": "string"}, "then": {"enum": bare}, "else": entry}
