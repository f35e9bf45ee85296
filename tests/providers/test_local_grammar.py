"""The table of keywords that constrained output does not keep: as data, and against the real server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest

from llmctl.providers.local.grammar import unenforced_keywords
from llmctl.providers.local.server import LocalServer
from tests.providers.local_support import real_weights, short_tmp

__all__ = ["real_weights", "short_tmp"]

Schema = dict[str, Any]


def closed(**more: object) -> Schema:
    """Allows nothing but {"a": 1}, so that a keyword which forbids that shows whether it is read."""
    return {
        "type": "object",
        "properties": {"a": {"const": 1}},
        "required": ["a"],
        "additionalProperties": False,
        **more,
    }


def word(**more: object) -> Schema:
    return {"type": "string", **more}


# Every answer that the grammar allows breaks the keyword named: an answer at all proves that it is not read.
UNENFORCED: dict[str, Schema] = {
    "not": word(maxLength=3, **{"not": {"type": "string"}}),
    "if": closed(**{"if": {"required": ["a"]}, "then": {"required": ["b"]}}),
    "contains": {"type": "array", "items": {"const": 1}, "minItems": 1, "maxItems": 1, "contains": {"const": 2}},
    "minProperties": closed(minProperties=2),
    "maxProperties": closed(maxProperties=0),
    "propertyNames": closed(propertyNames={"const": "b"}),
    "patternProperties": closed(patternProperties={"^a$": {"const": 2}}),
    "dependentRequired": closed(dependentRequired={"a": ["b"]}),
    "dependentSchemas": closed(dependentSchemas={"a": {"required": ["b"]}}),
    "uniqueItems": {"type": "array", "items": {"const": 1}, "minItems": 2, "maxItems": 2, "uniqueItems": True},
    "multipleOf": {"type": "integer", "minimum": 1, "maximum": 1, "multipleOf": 2},
    "exclusiveMinimum": {"type": "number", "exclusiveMinimum": 10**300},
    "oneOf": {"oneOf": [{"const": 1}, {"const": 1}]},
    "minLength": word(pattern="^a$", minLength=2),
    "maxLength": word(format="date", maxLength=2),
    "minItems": {"type": "array", "prefixItems": [{"const": 3}], "minItems": 2},
    "required": closed(required=["a", "b"]),
    "allOf": {"type": "object", "properties": {"q": {"const": 5}}, "allOf": [{"required": ["zz"]}], "required": ["q"]},
    "pattern": word(pattern="^\\d{12}$"),
    "format": word(format="email", maxLength=2),
}
BESIDE: dict[str, Schema] = {
    "minLength beside anyOf": {"minLength": 2, "anyOf": [{"const": "a"}]},
    "minLength beside $ref": {"$defs": {"c": {"const": "z"}}, "$ref": "#/$defs/c", "minLength": 2},
}
# The model would not answer so by itself: the grammar makes it.
ENFORCED: list[Schema] = [
    {**closed(), "title": "t", "description": "d", "$schema": "https://json-schema.org/draft/2020-12/schema"},
    {"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 7},
    {"type": ["integer", "null"], "minimum": 7, "maximum": 7},
    {"type": "array", "items": {"enum": [4]}, "minItems": 2, "maxItems": 2},
    {"type": "array", "prefixItems": [{"const": 3}, {"const": "z"}]},
    word(pattern="^(?:zq|z[a-c]{2})$"),
    word(minLength=2, maxLength=3),
    word(format="date"),
    {"anyOf": [{"const": "p"}, {"const": "q"}]},
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]},
            {"properties": {"b": {"const": 2}}, "required": ["b"]},
        ]
    },
    {
        "$defs": {"c": {"enum": ["zed"]}},
        "type": "object",
        "properties": {"c": {"$ref": "#/$defs/c"}},
        "required": ["c"],
    },
]
REFUSED: dict[str, Schema] = {
    "a": {"type": "object", "properties": {"a": True}, "required": ["a"]},
    "items": {"type": "array", "items": True, "minItems": 1},
    "$ref": {"type": "object", "properties": {"n": {"$ref": "#"}}},
}


def said(schema: Schema) -> list[str]:
    return [f"{found.pointer}:{found.keyword}" for found in unenforced_keywords(schema)]


@pytest.mark.parametrize("keyword", UNENFORCED)
def test_an_unenforced_keyword_is_named(keyword: str) -> None:
    assert said(UNENFORCED[keyword]) == [f":{keyword}"]


@pytest.mark.parametrize("title", BESIDE)
def test_a_keyword_beside_one_that_is_read_alone_is_named(title: str) -> None:
    [found] = unenforced_keywords(BESIDE[title])
    assert f"{found.keyword} {found.reason}" == title.replace("beside", "is not read beside")


@pytest.mark.parametrize("schema", ENFORCED, ids=str)
def test_an_enforced_schema_is_not_warned_about(schema: Schema) -> None:
    assert said(schema) == []


def test_places_are_json_pointers() -> None:
    inner = word(format="email")
    schema = {
        "type": "object",
        "properties": {"a/b": {"type": "array", "items": inner}, "c": {"anyOf": [{"type": "null"}, inner]}},
        "additionalProperties": inner,
        "$defs": {"x~y": {"type": "array", "prefixItems": [inner]}},
    }
    assert said(schema) == [
        "/properties/a~1b/items:format",
        "/properties/c/anyOf/1:format",
        "/$defs/x~0y/prefixItems/0:format",
        "/additionalProperties:format",
    ]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (REFUSED["a"], ["/properties:a"]),
        (REFUSED["items"], [":items"]),
        (REFUSED["$ref"], ["/properties/n:$ref"]),
        # Sent, this one keeps the server busy for ever.
        ({"type": "array", "items": {}, "minItems": 3, "maxItems": 2}, [":minItems"]),
        ({"type": "array", "minItems": 3}, [":minItems"]),
        ({"minimum": 3}, [":minimum"]),
        ({"uniqueItems": False, "unevaluatedProperties": False, "properties": {}}, []),
        ({"type": "object", "unevaluatedProperties": False}, [":unevaluatedProperties"]),
        ({"enum": ["ab"], "maxLength": 9}, []),
        ({"type": "integer", "allOf": [{"minimum": 3}]}, [":allOf"]),
        ({}, []),
    ],
)
def test_further_rules(schema: Schema, expected: list[str]) -> None:
    assert said(schema) == expected


@pytest.mark.parametrize("pattern", ["^$", r"^[a-f0-9]{8}$", r"^a\-b\.$", r"^(a|b)+c?$", r"^\u0041\x42\n$", "^é{2,3}$"])
def test_patterns_that_are_read(pattern: str) -> None:
    re.compile(pattern)
    assert said(word(pattern=pattern)) == []


@pytest.mark.parametrize(
    "pattern",
    [
        "a",
        "^a",
        "a$",
        r"^\d$",
        r"^[\w]$",
        r"^\bz$",
        "^(?=a)a$",
        "^(?i)a$",
        "^(^a)$",
        "^a$$",
        "^.$",
        "^[^a]$",
        '^"$',
        "^a+?$",
    ],
)
def test_patterns_that_are_not_read(pattern: str) -> None:
    assert said(word(pattern=pattern)) == [":pattern"]


async def test_the_table_against_the_real_server(real_weights: Path, short_tmp: Path) -> None:
    server = LocalServer(real_weights, "smollm2-135m")
    try:
        endpoint = await server.start()
        connector = aiohttp.UnixConnector(str(endpoint.socket_path))
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as http:
            url = f"{endpoint.base_url}/chat/completions"
            for title, schema in {**UNENFORCED, **BESIDE}.items():
                assert not _valid(await _ask(http, url, schema), schema), f"{title} is enforced"
            for schema in ENFORCED:
                assert _valid(await _ask(http, url, schema), schema), f"{schema} is not enforced"
            for title, schema in REFUSED.items():
                assert await _ask(http, url, schema) is None, f"{title} is not refused"
    finally:
        await server.stop()


async def _ask(http: aiohttp.ClientSession, url: str, schema: Schema) -> str | None:
    body = {
        "messages": [{"role": "user", "content": "Say hello in JSON"}],
        "temperature": 0,
        "max_tokens": 80,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    }
    async with http.post(url, json=body) as response:
        answer = await response.json()
        assert response.status in (200, 400), answer
        return str(answer["choices"][0]["message"]["content"]) if response.status == 200 else None


def _valid(text: str | None, schema: Schema) -> bool:
    assert text is not None, f"{schema} was refused"
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.Draft202012Validator(schema, format_checker=checker).is_valid(json.loads(text))
