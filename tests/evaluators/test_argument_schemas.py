"""The JSON Schemas of arguments accept what `build` accepts."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from llmctl.evaluators.argument_schemas import argument_schemas
from llmctl.evaluators.registry import COMBINATORS, names

from .test_cases import CASES

SCHEMAS = argument_schemas()


def _accepts(name: str, args: Any) -> bool:
    return bool(Draft202012Validator(SCHEMAS[name]).is_valid(args))


def test_there_is_one_for_every_evaluator() -> None:
    assert set(SCHEMAS) == names()
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
        assert schema["description"]


@pytest.mark.parametrize("name", sorted(names() - COMBINATORS))
def test_what_the_tables_of_cases_use_is_accepted(name: str) -> None:
    for case in yaml.safe_load((CASES / f"{name}.yaml").read_text(encoding="utf-8")):
        entry = case["with"]
        if case["result"] != "refused" and isinstance(entry, dict) and name in entry:
            assert _accepts(name, entry[name]), entry


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("exact", {"ignorecase": True}),
        ("exact", {"ignore_case": "maybe"}),
        ("exact", []),
        ("contains", ["a", "b"]),
        ("regex", {"full": True}),
        ("regex", {"pattern": "a", "engine": "perl"}),
        ("number", {"tolerance": "wide"}),
        ("length", {"unit": "tokens", "max": 1}),
        ("one_of", {}),
        ("json_schema", {"type": "object"}),
        ("json_match", {"mode": "some"}),
        ("xml", {"requiredElements": ["a"]}),
        ("sql", {"statements": {"select": True}}),
        ("tool_calls", {"measure": "f2"}),
        ("latency", "2s"),
        ("any", []),
        ("any", {"contains": "a"}),
        ("not", [{"contains": "a"}]),
    ],
)
def test_mistakes_are_not(name: str, args: Any) -> None:
    assert not _accepts(name, args)


@pytest.mark.parametrize("elsewhere", [{"from": "vars.x"}, {"file": "x.txt"}])
def test_any_value_may_come_from_elsewhere(elsewhere: dict[str, str]) -> None:
    assert _accepts("exact", elsewhere)
    assert _accepts("exact", {"value": elsewhere})
    assert _accepts("exact", {"value": ["a", elsewhere]})
    assert _accepts("length", {"max": elsewhere})
    assert _accepts("json_schema", {"schema": elsewhere})
