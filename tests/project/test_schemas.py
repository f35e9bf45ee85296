from __future__ import annotations

import copy
import tomllib
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from llmctl.project.schemas import bank_schema, config_schema, prompt_schema
from tests.project import test_bank_file, test_config_file, test_message_parts, test_prompt_file, test_target_file

EVALUATORS: dict[str, dict[str, object]] = {
    "exact": {"type": ["object", "string", "null"]},
    "contains": {"type": ["object", "string"]},
    "one_of": {"type": ["object", "array"]},
}
BANK = yaml.safe_load(test_bank_file.DESIGN)
PROMPT = yaml.safe_load(test_prompt_file.DESIGN)
CONFIG = tomllib.loads(test_config_file.DESIGN)
INCLUDE = {
    "file": "triage.csv",
    "columns": {"id": "ticket_id", "vars.ticket": "text"},
    "set": {"tags": ["bulk"]},
    "duplicates": "merge",
}


def accepts(schema: dict[str, Any], value: object) -> bool:
    return Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize("schema", [prompt_schema(), config_schema(), bank_schema(EVALUATORS)])
def test_schemas_are_schemas(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")


def test_the_examples_of_the_design_are_accepted() -> None:
    assert accepts(prompt_schema(), PROMPT)
    assert accepts(prompt_schema(), {"template": {"file": "x.txt"}})
    assert accepts(prompt_schema(), yaml.safe_load(test_target_file.HTTP))
    assert accepts(prompt_schema(), yaml.safe_load(test_message_parts.PROMPT))
    assert accepts(config_schema(), CONFIG)
    assert accepts(bank_schema(EVALUATORS), BANK)
    assert accepts(bank_schema(EVALUATORS), {"include": [INCLUDE], "evaluators": ["exact"]})


@pytest.mark.parametrize(
    "change",
    [
        {"modle": "x"},
        {"template": "both"},
        {"messages": []},
        {"messages": [{"role": "usr", "content": "x"}]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"placeholder": "x", "content": "y"}]},
        {"params": 5},
        {"model": None},
        {"output": {"format": "xml"}},
        {"target": {"command": ["app"]}},
        {"messages": [{"role": "user", "content": []}]},
        {"messages": [{"role": "user", "content": [{"text": "x", "image": {"file": "a.png"}}]}]},
        {"messages": [{"role": "user", "content": [{"image": {}}]}]},
    ],
)
def test_a_wrong_prompt_is_refused(change: dict[str, object]) -> None:
    assert not accepts(prompt_schema(), PROMPT | change)


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"comand": ["app"]},
        {"command": []},
        {"command": ["app"], "python": "bot.py:answer"},
        {"http": {"method": "POST"}},
        {"http": {"url": "https://app.example/", "headers": {"X": {"evn": "A"}}}},
        {"python": "bot.py:answer", "concurrency": 0},
    ],
)
def test_a_wrong_target_is_refused(target: dict[str, object]) -> None:
    assert not accepts(prompt_schema(), {"target": target})


@pytest.mark.parametrize(
    "change",
    [
        {"evaluators": ["exat"]},
        {"evaluators": [{"exat": {}}]},
        {"evaluators": [{"exact": {}, "contains": "a"}]},
        {"evaluators": [{"exact": {}, "weigth": 1}]},
        {"evaluators": [{"exact": {}, "weight": -1}]},
        {"evaluators": [{"contains": 5}]},
        {"evaluators": [{"not": ["exact"]}]},
        {"evaluators": [{"any": []}]},
        {"evaluators": ["not"]},
        {"cases": [{"tag": []}]},
        {"cases": [{"tags": "a"}]},
        {"cases": [{"must_pass": "yes"}]},
        {"cases": [{"evaluators": [{"exat": {}}]}]},
        {"defaults": {"id": "a"}},
        {"include": [INCLUDE | {"columns": ["a"]}]},
        {"include": [{"columns": {}}]},
        {"gate": {"min_pass_rate": 2}},
        {"gate": {"tags": {"a": {"tags": {}}}}},
        {"matrix": {}},
    ],
)
def test_a_wrong_bank_is_refused(change: dict[str, object]) -> None:
    assert not accepts(bank_schema(EVALUATORS), BANK | change)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("project", {"prompt": "x"}),
        ("models", {"a": {"modle": "x"}}),
        ("models", {"a": {"model": "x", "api_key": "k"}}),
        ("models", {"a": {"model": "x", "price": {"input": -1, "output": 1}}}),
        ("eval", {"concurrency": 0}),
        ("gate", {"inconclusive": "pass"}),
        ("gate", {"alpha": 1}),
    ],
)
def test_a_wrong_config_is_refused(table: str, change: dict[str, object]) -> None:
    wrong = copy.deepcopy(CONFIG)
    wrong[table] |= change
    assert not accepts(config_schema(), wrong)
