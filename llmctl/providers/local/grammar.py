"""Which keywords of a JSON Schema the local model's constrained output does not keep.

llama.cpp turns a schema into a grammar, leaves out what it cannot express, and says nothing. The rules below follow the
converter inside xllamacpp 2026.10, measured through its server (`xllamacpp.json_schema_to_grammar` is no help: it only
wraps the schema for another engine). A test sends the table's schemas to the real one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["UnenforcedKeyword", "unenforced_keywords"]


@dataclass(frozen=True, slots=True, order=True)
class UnenforcedKeyword:
    """One keyword that an answer may break."""

    pointer: str
    """JSON pointer of the schema that holds it; empty for the whole."""
    keyword: str
    reason: str
    """A phrase: `is not read`."""


_NEVER = frozenset(
    {
        "not",
        "if",
        "contains",
        "minProperties",
        "maxProperties",
        "propertyNames",
        "patternProperties",
        "dependentRequired",
        "dependentSchemas",
        "dependencies",
        "unevaluatedItems",
        "additionalItems",
        "multipleOf",
        "$dynamicRef",
        "$recursiveRef",
    }
)
_ANNOTATIONS = frozenset(
    {
        "$schema",
        "$id",
        "$anchor",
        "$comment",
        "$defs",
        "definitions",
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
    }
)
_FORMATS = frozenset({"date", "time", "date-time", "uuid"})
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_PAIRS = (("minItems", "maxItems"), ("minLength", "maxLength"), ("minimum", "maximum"))
_ESCAPE = r"\\[ntr^$.\[\]()|{}*+?-]|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}"
_PATTERN = re.compile(
    # A lazy or possessive quantifier is read as two quantifiers; `.`, [^a] and a quotation mark break the JSON.
    rf"\^(?!.*[^\\][*+?}}][*+?])(?:{_ESCAPE}|\[(?!\^)(?:{_ESCAPE}|[^\\\[\]\"])+\]|\((?!\?)|\(\?:|[^\\^$.\[(\]\"])*\$"
)


def unenforced_keywords(schema: Mapping[str, object]) -> list[UnenforcedKeyword]:
    """The keywords that the local model's answers may break although the schema is sent with the request.

    Args:
        schema: a valid JSON Schema.

    Returns:
        One entry for each keyword, in the schema's order; empty when the whole schema is kept.
    """
    return list(_visit(schema, ""))


def _visit(schema: object, pointer: str) -> Iterator[UnenforcedKeyword]:
    if isinstance(schema, bool):
        parent, _, keyword = pointer.rpartition("/")
        yield UnenforcedKeyword(parent, keyword, "is true or false where the local model takes only a schema: refused")
    if not isinstance(schema, Mapping):
        return
    for keyword, reason in _broken(schema):
        yield UnenforcedKeyword(pointer, keyword, reason)
    for below, place in _subschemas(schema):
        yield from _visit(below, pointer + place)


def _broken(schema: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Keywords of this schema alone, without those below it."""
    yield from ((keyword, "is not read") for keyword in schema if keyword in _NEVER)
    for low, high in _PAIRS:
        if _above(schema.get(low), schema.get(high)):
            yield low, f"is larger than {high}: the local model fails or hangs"
    if schema.get("uniqueItems") is True:
        yield "uniqueItems", "is not read"
    if "unevaluatedProperties" in schema and "properties" not in schema:
        yield "unevaluatedProperties", "is not read"
    deciding = next((keyword for keyword in ("$ref", "oneOf", "anyOf") if keyword in schema), None)
    if deciding is not None:
        yield from _beside(schema, deciding)
    elif "enum" not in schema and "const" not in schema:
        yield from _numbers(schema)
        yield from _strings(schema)
        yield from _objects(schema)
        yield from _arrays(schema)


def _beside(schema: Mapping[str, object], deciding: str) -> Iterator[tuple[str, str]]:
    """`$ref`, `oneOf` and `anyOf` are read alone."""
    if deciding == "$ref" and not str(schema["$ref"]).startswith("#/"):
        yield "$ref", "does not point to a place in this schema by #/: refused"
    alternatives = schema["oneOf"] if deciding == "oneOf" else None
    if isinstance(alternatives, Sequence) and len(alternatives) > 1:
        yield "oneOf", "is read as anyOf"
    for keyword in schema:
        if keyword != deciding and keyword not in _ANNOTATIONS | _NEVER:
            yield keyword, f"is not read beside {deciding}"


def _numbers(schema: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    types = _types(schema)
    if types and "number" not in types:  # without a type a bound is not read at all
        return
    yield from ((keyword, "is kept for integers only") for keyword in _BOUNDS if keyword in schema)


def _strings(schema: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    pattern, kind = schema.get("pattern"), schema.get("format")
    sound = isinstance(pattern, str) and _PATTERN.fullmatch(pattern) is not None
    if pattern is not None and not sound:
        yield "pattern", "uses syntax that is not read (kept: ^...$ with [a-z], groups, |, *, +, ?, {2,3})"
    elif pattern is None and kind is not None and kind not in _FORMATS:
        yield "format", "is not read (kept: date, time, date-time, uuid)"
    if pattern is not None or kind in _FORMATS:
        beside = "pattern" if pattern is not None else "format"
        yield from ((word, f"is not read beside {beside}") for word in ("minLength", "maxLength") if word in schema)


def _objects(schema: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    properties, required = schema.get("properties"), schema.get("required")
    named = set(properties) if isinstance(properties, Mapping) else set()
    if "allOf" in schema:
        if not _reads_all_of(schema):
            yield "allOf", "is read only for objects' properties, references and enum, and with nothing beside it"
    elif isinstance(required, Sequence) and set(required) - named:
        yield "required", "is kept only for names under properties"


def _reads_all_of(schema: Mapping[str, object]) -> bool:
    members = schema["allOf"]
    outside = set(schema) - _ANNOTATIONS - _NEVER - {"allOf"}
    alone = not outside or (outside == {"type"} and schema["type"] == "object")
    return alone and isinstance(members, Sequence) and all(map(_merges, members))


def _merges(member: object) -> bool:
    kept = {"type", "properties", "required", "$ref", "enum"} | _ANNOTATIONS
    return isinstance(member, Mapping) and not set(member) - kept and member.get("type", "object") == "object"


def _arrays(schema: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    items = schema.get("items")
    fixed = isinstance(items, Sequence) or (items is None and "prefixItems" in schema)
    if "prefixItems" in schema and items is not None:
        yield "prefixItems", "is not read beside items"
    if fixed or items is None:
        reason = "is not read beside prefixItems" if fixed else "is not read without items"
        yield from ((keyword, reason) for keyword in ("minItems", "maxItems") if keyword in schema)


def _subschemas(schema: Mapping[str, object]) -> Iterator[tuple[object, str]]:
    """Every schema directly below that the grammar is made from, and its place."""
    for keyword in ("properties", "$defs", "definitions"):
        named = schema.get(keyword)
        if isinstance(named, Mapping):
            yield from ((below, f"/{keyword}/{_escaped(str(name))}") for name, below in named.items())
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems", "items"):
        if keyword == "allOf" and keyword in schema and not _reads_all_of(schema):
            continue
        listed = schema.get(keyword)
        if isinstance(listed, list | tuple):
            yield from ((below, f"/{keyword}/{index}") for index, below in enumerate(listed))
    for keyword in ("items", "additionalProperties"):
        below = schema.get(keyword)
        if isinstance(below, Mapping) or (keyword == "items" and isinstance(below, bool)):
            yield below, f"/{keyword}"


def _types(schema: Mapping[str, object]) -> set[str]:
    types = schema.get("type")
    if isinstance(types, str):
        return {types}
    return {str(name) for name in types} if isinstance(types, Sequence) else set()


def _above(low: object, high: object) -> bool:
    return isinstance(low, int | float) and isinstance(high, int | float) and low > high


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
