"""Assertions about structure in an output, as evaluators: JSON, XML, HTML, SQL, tool calls."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from llmctl.errors import ProjectError
from llmctl.importers.foreign_yaml import foreign_document
from llmctl.importers.promptfoo.assertion import (
    Assertion,
    Builder,
    Entry,
    UnconvertibleError,
    as_argument,
    mapping_value,
)
from llmctl.importers.promptfoo.config import children, javascript_text

__all__ = ["STRUCTURE_BUILDERS"]

_DIALECTS = {
    "mysql": "mysql",
    "mariadb": "mysql",
    "postgresql": "postgres",
    "redshift": "redshift",
    "sqlite": "sqlite",
    "transactsql": "tsql",
    "bigquery": "bigquery",
    "snowflake": "snowflake",
    "hive": "hive",
    "athena": "athena",
    "trino": "trino",
    "db2": "",
    "flinksql": "",
}
_LITERAL_TRAP = (
    "promptfoo takes anything in braces for JSON (`Hello {name}!`) and looks into no lists; here valid JSON must stand "
    "in the output, an object or a list."
)


def _json(assertion: Assertion, *, find: bool) -> Entry:
    schema = _schema(assertion)
    arguments: dict[str, object] = {"schema": True if schema is None else as_argument(schema)}
    if find:
        arguments["find"] = True
    return Entry({"json_schema": arguments}, (_LITERAL_TRAP,) if find else ())


def _schema(assertion: Assertion) -> object:
    """The JSON Schema of an assertion in the form of draft 2020-12; None where it has none."""
    value = assertion.value
    if value is None or value is False or value == "":
        return None
    if isinstance(value, str):
        try:
            value = foreign_document(value.encode("utf-8", "replace"), assertion.at.place.file).data
        except ProjectError as error:
            raise UnconvertibleError(f"its schema cannot be read ({error.problems[0].message.rstrip('.')})") from None
    if not isinstance(value, dict | bool):
        raise UnconvertibleError("its value is no JSON Schema")
    return _newer(value)


def _newer(schema: object) -> object:
    """Draft 7, which promptfoo reads, as 2020-12: a list under `items` is `prefixItems` there."""
    if isinstance(schema, list):
        return [_newer(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    newer = {key: value if key in ("enum", "const", "default") else _newer(value) for key, value in schema.items()}
    if isinstance(newer.get("$schema"), str):
        del newer["$schema"]
    if isinstance(newer.get("items"), list):
        newer["prefixItems"] = newer.pop("items")
        if "additionalItems" in newer:
            newer["items"] = newer.pop("additionalItems")
    if not newer.get("prefixItems", True):
        del newer["prefixItems"]
    return newer


def _xml(assertion: Assertion, *, find: bool) -> Entry:
    value = assertion.value
    if isinstance(value, str) and value:
        required: list[object] = [part.strip() for part in value.split(",")]
    elif isinstance(value, list):
        required = value
    else:
        given = mapping_value(assertion)
        listed = given.get("requiredElements", [])
        if (given and "requiredElements" not in given) or not isinstance(listed, list):
            raise UnconvertibleError("its value names no `requiredElements`")
        required = listed
    arguments: dict[str, object] = {}
    if required:
        arguments["elements"] = [javascript_text(name).replace(".", "/") for name in required]
    if find:
        arguments["find"] = True
    return Entry({"xml": arguments})


def _html(assertion: Assertion, *, find: bool) -> Entry:  # noqa: ARG001
    return Entry({"html": {"find": True} if find else {}})


def _sql(assertion: Assertion, *, find: bool) -> Entry:
    given = mapping_value(assertion)
    dialect = _DIALECTS.get(javascript_text(given.get("databaseType") or "MySQL").lower())
    if dialect is None or set(given) - {"databaseType", "allowedTables", "allowedColumns"}:
        raise UnconvertibleError("its `databaseType`, or one of its keys, is not known")
    arguments: dict[str, object] = {"dialect": dialect} if dialect else {}
    for key, argument in (("allowedTables", "tables"), ("allowedColumns", "columns")):
        allowed = given.get(key)
        if allowed:
            arguments[argument] = [javascript_text(one) for one in children(allowed)]
    arguments["bare_aliases"] = False
    if find:
        arguments["find"] = True
    why = "Another parser decides what is SQL (sqlglot, not node-sql-parser)."
    return Entry({"sql": arguments}, (why,))


def _valid_call(assertion: Assertion) -> Entry:
    if assertion.value not in (None, ""):
        raise UnconvertibleError("it has a value")
    why = "The calls are checked against the tools of the prompt, which must be there."
    return Entry({"tool_calls": {"schema": True}}, (why,))


def _tool_call_f1(assertion: Assertion) -> Entry:
    value = assertion.value
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list):
        raise UnconvertibleError("its value is no list of names")
    wanted = list(dict.fromkeys(name for one in names if (name := javascript_text(one).strip())))
    if not wanted:
        raise UnconvertibleError("it names no tool")
    data: dict[str, object] = {"value": wanted, "measure": "f1", "arguments": "ignore", "duplicates": False}
    data["threshold"] = 1.0 if assertion.threshold is None else assertion.threshold
    return Entry({"tool_calls": data}, graded=True)


STRUCTURE_BUILDERS: Mapping[str, Builder] = {
    "is-json": partial(_json, find=False),
    "contains-json": partial(_json, find=True),
    "is-xml": partial(_xml, find=False),
    "contains-xml": partial(_xml, find=True),
    "is-html": partial(_html, find=False),
    "contains-html": partial(_html, find=True),
    "is-sql": partial(_sql, find=False),
    "contains-sql": partial(_sql, find=True),
    "is-valid-openai-tools-call": _valid_call,
    "is-valid-openai-function-call": _valid_call,
    "is-valid-function-call": _valid_call,
    "tool-call-f1": _tool_call_f1,
}
