"""Whole promptfoo configs as their users write them: what they become, and that nothing is dropped in silence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmctl.importers.conversion import Fate
from llmctl.importers.drafts import INCOMPLETE
from llmctl.importers.foreign_yaml import foreign_document
from llmctl.project.models import Case
from tests.importers.support import Imported, imported, imported_config, judged

FOLDER = Path(__file__).parent / "promptfoo"
CONFIGS = sorted(path.parent.name for path in FOLDER.glob("*/promptfooconfig.yaml"))


def whole(name: str, tmp_path: Path) -> Imported:
    return imported(FOLDER / name, tmp_path / "project")


def cases_of(one: Imported) -> dict[str, Case]:
    return {f"{case.bank}:{case.id}": case for case in one.cases()}


def prompt(one: Imported, name: str) -> Any:
    return yaml.safe_load((one.config.prompts / f"{name}.yaml").read_text(encoding="utf-8"))


def bank(one: Imported, name: str) -> Any:
    return yaml.safe_load((one.config.testbanks / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CONFIGS)
def test_what_comes_out_is_valid(name: str, tmp_path: Path) -> None:
    one = whole(name, tmp_path)
    assert one.problems() == []
    assert one.cases()


@pytest.mark.parametrize("name", CONFIGS)
def test_every_key_is_read_or_noted(name: str, tmp_path: Path) -> None:
    """A key that nobody knows, at any level, is on the list."""
    data: Any = foreign_document((FOLDER / name / "promptfooconfig.yaml").read_bytes(), Path("a.yaml")).data
    for path in FOLDER.joinpath(name).rglob("*"):
        target = tmp_path / "source" / path.relative_to(FOLDER / name)
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    marked: dict[str, Any] = {**data, "zork": 1}
    tests = data["tests"] if isinstance(data["tests"], list) else []
    marked["tests"] = [{**test, "zork2": 1} if isinstance(test, dict) else test for test in tests] or data["tests"]
    (tmp_path / "source/promptfooconfig.yaml").write_text(yaml.safe_dump(marked), encoding="utf-8")
    said = imported(tmp_path / "source", tmp_path / "project").said(Fate.LEFT_OUT)
    assert "zork" in said
    assert ("test key zork2" in said) == any(isinstance(test, dict) for test in tests)


def test_a_first_project(tmp_path: Path) -> None:
    one = whole("pirate", tmp_path)
    cases = cases_of(one)
    assert list(cases) == [
        *("pirate:the-exact-word", "pirate:a-word-of-it", "pirate:json"),
        *("pirate:programs-and-meaning", "pirate:a-judge"),
    ]
    assert cases["pirate:the-exact-word"].vars == {"body": "Yes", "name": ""}
    assert cases["pirate:the-exact-word"].expected == "Aye"
    assert cases["pirate:programs-and-meaning"].tags == (INCOMPLETE,)
    assert [spec.name for spec in cases["pirate:a-judge"].evaluators] == ["judge", "contains"]
    assert prompt(one, "pirate/prompts")["template"] == "Say it as a pirate would: {{body}}"
    assert one.config.models["gpt-4-1-mini"].model == "openai/gpt-4.1-mini"
    assert one.config.models["gpt-4-1-mini"].params == {"temperature": 0, "max_tokens": 1024}
    assert set(one.said(Fate.LEFT_OUT)) == {"javascript", "python", "outputPath"}
    assert set(one.said(Fate.CHANGED)) == {"similar", "grader", "llm-rubric"}


def test_a_table_with_all_its_magic_columns(tmp_path: Path) -> None:
    one = whole("translator", tmp_path)
    assert one.said(Fate.LEFT_OUT) == {}
    cases = cases_of(one)
    greeting = cases["translator:greeting"]
    assert greeting.tags == ("kind=small talk", "topics=one", "topics=two,three")
    assert [spec.metric for spec in greeting.evaluators] == ["likeness", "likeness"]
    assert judged(one, greeting, "Translate to French: Hello world").passed is False  # one edit, and 0.75 is the limit
    assert judged(one, greeting, "Translate to French: Hello wurld, hello world").passed is False
    by_body = {str(case.vars["body"]): case for case in cases.values()}
    assert by_body["Hello, you"].pass_score == 0.5
    assert judged(one, by_body["Hello, you"], "Translate").passed
    assert not judged(one, by_body["Hello, you"], " Translate").passed
    assert judged(one, by_body["Where?"], "Pirate Where?").passed
    assert not judged(one, by_body["Where?"], "Pirate Where? Hello").passed
    assert by_body["Nothing"].evaluators[0].metric == "answered"
    assert prompt(one, "translator-2")["template"] == "Please. Translate to {{ language }}: {{ body }}"
    assert by_body["Aye"].bank == "translator-2"


def test_tools_and_transforms(tmp_path: Path) -> None:
    one = whole("weather", tmp_path)
    assert prompt(one, "weather")["tools"][0]["function"]["name"] == "get_weather"
    assert prompt(one, "weather")["tool_choice"] == "auto"
    assert one.config.models["gpt-4-1-mini"].params == {"temperature": 0.2, "max_tokens": 1024}
    cases = {str(case.vars["city"]): case for case in one.cases()}
    assert [spec.name for spec in cases["Oslo"].evaluators] == ["tool_calls", "tool_calls"]
    assert cases["Rome"].tags == (INCOMPLETE,)
    call = {"type": "function", "function": {"name": "get_weather", "arguments": '{"place": "Bern"}'}}
    assert judged(one, cases["Bern"], "", tool_calls=[call]).passed
    assert "transform" in one.said(Fate.LEFT_OUT)["equals"]


def test_scenarios_lists_sets_and_providers_with_prompts_of_their_own(tmp_path: Path) -> None:
    one = whole("support", tmp_path)
    cases = cases_of(one)
    assert len(cases) == 22
    assert bank(one, "support")["models"] == ["big"]
    assert bank(one, "support-2")["prompts"] == ["support/chat-2", "support/short"]
    rows = (one.config.testbanks / "support.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(row).get("id") for row in rows][:6] == [
        *("refunds", "refunds-2", "refunds-3", "refunds-4", "own-rules", "own-rules-2")
    ]
    third = cases["support:refunds-3"]
    assert third.vars == {"tone": "calm", "question": "Refund calm please", "channel": "mail"}
    assert third.pass_score == 0.6
    assert [spec.metric_name for spec in third.evaluators] == ["tone", "length", "covers", "contains_all"]
    own = cases["support:own-rules"]
    assert [(spec.name, spec.weight) for spec in own.evaluators] == [("length", 1.0), ("regex", 1.0)]
    assert own.vars["owner"] == {"name": "Ann"}
    assert prompt(one, "support/chat")["output"]["schema"]["required"] == ["text"]
    assert prompt(one, "support/chat")["messages"][0]["content"] == 'You are {{ tone }}. Use "quotes".'
    assert "output" not in prompt(one, "support/chat-2")
    assert "question.upper()" in prompt(one, "support/short")["template"]
    assert one.config.models["big"].api_key_env == "WORK_KEY"
    assert one.config.eval.concurrency == 3
    left_out = one.said(Fate.LEFT_OUT)
    assert {"apiKey", "file://custom_provider.py", "test key asserts", "derivedMetrics", "nunjucksFilters"} <= set(
        left_out
    )
    assert "provider setting apiKey" not in left_out
    assert "sk-secret" not in "".join(path.read_text(encoding="utf-8") for path in one.root.rglob("*.*"))


@pytest.mark.parametrize(
    ("output", "passed"),
    [("refund", True), ("days, sorry", True), ("days", False), ("sorry", False), ("nothing of it", False)],
)
def test_a_set_passes_where_the_weights_of_its_parts_reach_the_threshold(
    output: str, passed: bool, tmp_path: Path
) -> None:
    one = whole("support", tmp_path)
    case = next(case for case in one.cases() if case.id == "refunds")
    verdict = judged(one, case, output)
    [covers] = [score for score in verdict.scores if score.metric == "covers"]
    assert covers.passed is passed


def test_an_application_behind_http(tmp_path: Path) -> None:
    one = whole("helpdesk", tmp_path)
    target = prompt(one, "helpdesk")["target"]
    assert target["http"]["body"] == {"question": "Q: Please answer: {{ question }}", "options": {"depth": 2}}
    assert target["http"]["headers"]["Authorization"] == {"env": "HELP_TOKEN", "prefix": "Bearer "}
    assert target["output"] == "/answers/0/text"
    assert list(one.said(Fate.LEFT_OUT)) == ["header X-Api-Key"]
    [case] = one.cases()
    assert judged(one, case, '{"data": {"pair": ["a", 1]}}', latency_ms=1, cost_usd=0, finish_reason="STOP").passed
    assert not judged(one, case, '{"data": {"pair": [1]}}', latency_ms=1, cost_usd=0, finish_reason="stop").passed
    assert not judged(one, case, '{"data": {"pair": []}}', latency_ms=901, cost_usd=0, finish_reason="stop").passed


def test_files_of_all_kinds(tmp_path: Path) -> None:
    one = whole("mixed", tmp_path)
    assert [draft.name for draft in one.draft.prompts] == ["mixed/say", "mixed/sing", "mixed/loud", "mixed/table"]
    assert bank(one, "mixed-2")["models"] == ["mine"]
    words = {str(case.vars["word"]): case for case in one.cases()}
    assert words["two"].vars["text"] == "four words"
    assert words["four"].vars == {"word": "four", "count": 4}
    assert judged(one, words["three"], '{ "a": [1.0] }').passed
    left_out = one.said(Fate.LEFT_OUT)
    assert left_out["file://../words.txt"].endswith("lies outside the folder of the config.")
    assert left_out["file://gone.yaml"] == "There is no file gone.yaml."
    assert {"bogus:thing", "exec:./make.sh", "langfuse://greeting:1", "cases/more.jsonl"} <= set(left_out)
    assert one.config.models["gpt-4o-mini"].params["temperature"] == 0.5


def test_a_case_without_an_assertion_must_be_answered(tmp_path: Path) -> None:
    one = imported_config({"prompts": ["Hi"], "providers": ["echo"], "tests": [{"vars": {"a": 1}}]}, tmp_path)
    [case] = one.cases()
    assert judged(one, case, "anything").passed
    assert not judged(one, case, " ").passed
    assert "no assertion" in one.said(Fate.CHANGED)


def test_values_are_what_a_prompt_gets(tmp_path: Path) -> None:
    variables = {"a": "one line\n", "b": "two\nlines\n\n", "c": None, "d": 4.0, "e": "{{ a }}!", "f": "{{ nobody }}"}
    data = {"prompts": ["{{ a }}"], "providers": ["echo"], "tests": [{"vars": variables, "assert": []}]}
    one = imported_config(data, tmp_path)
    [case] = one.cases()
    assert case.vars == {"a": "one line", "b": "two\nlines\n", "c": "", "d": 4, "e": "one line!", "f": "{{ nobody }}"}
    assert "variable f" in one.said(Fate.CHANGED)


def test_nothing_passes_for_want_of_a_threshold_that_can_fail(tmp_path: Path) -> None:
    test = {"vars": {}, "threshold": 0, "assert": [{"type": "equals", "value": "a"}]}
    one = imported_config({"prompts": ["Hi"], "providers": ["echo"], "tests": [test]}, tmp_path)
    [case] = one.cases()
    assert not judged(one, case, "b").passed
    assert "threshold" in one.said(Fate.CHANGED)


def assertion(data: Mapping[str, Any], tmp_path: Path, **test: Any) -> Imported:
    config = {"prompts": ["Hi"], "providers": ["echo"], "tests": [{"vars": {}, **test, "assert": [data]}]}
    return imported_config(config, tmp_path)


@pytest.mark.parametrize(
    ("data", "good", "bad"),
    [
        ({"type": "equals", "value": "{{greeting}}, you"}, "Hi, you", "Hi,  you"),
        ({"type": "equals", "value": 5.0}, "5", "5.0"),
        ({"type": "contains", "value": " a"}, "b a", "ba"),
        ({"type": "regex", "value": "^[A-Z]\\w+$"}, "Word", "Word "),
        ({"type": "word-count", "value": "3"}, "a b  c", "a b"),
        ({"type": "not-is-json"}, "{", "{}"),
        ({"type": "is-json", "value": {"properties": {"from": {"type": "number"}}}}, '{"from": 1}', '{"from": "x"}'),
        ({"type": "equals", "value": {"file": "a"}}, '{"file": "a"}', '{"file": "b"}'),
        (
            {"type": "contains", "value": "x", "transform": "JSON.parse(output).a[0]['b c']"},
            '{"a": [{"b c": "x"}]}',
            "x",
        ),
        ({"type": "javascript", "value": "output.length <= 3"}, "abc", "abcd"),
        ({"type": "javascript", "value": "!output.toLowerCase().includes('sorry')"}, "Well", "SORRY"),
        ({"type": "javascript", "value": "JSON.parse(output).mood === 'good'"}, '{"mood": "good"}', '{"mood": "bad"}'),
        ({"type": "javascript", "value": "output.n !== 3;"}, '{"n": 4}', '{"n": 3}'),
    ],
    ids=lambda value: str(value.get("value", value["type"]))[:30] if isinstance(value, dict) else None,
)
def test_single_assertions(data: dict[str, Any], good: str, bad: str, tmp_path: Path) -> None:
    one = assertion(data, tmp_path, vars={"greeting": "Hi"})
    assert one.said(Fate.LEFT_OUT) == {}
    assert one.problems() == []
    [case] = one.cases()
    assert judged(one, case, good).passed is True, judged(one, case, good)
    assert judged(one, case, bad).passed is False, judged(one, case, bad)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ({"type": "contains"}, "no text"),
        ({"type": "contains", "value": ""}, "empty"),
        ({"type": "contains-all", "value": " , "}, "no output could fail"),
        ({"type": "contains-any", "value": '"open'}, "not closed"),
        ({"type": "latency"}, "no threshold"),
        ({"type": "is-json", "value": {"type": "strnig"}}, "strnig"),
        ({"type": "javascript", "value": "output.a && output.b"}, "program"),
        ({"type": "equals", "value": "file://value.js"}, "program"),
        ({"type": "equals", "value": "{{ a | shout }}"}, "shout"),
        ({"type": "zork", "value": 1}, "no such type"),
        ({"value": 1}, "no `type`"),
        ({"type": "select-best", "value": "best"}, "several models"),
        ({"type": "contains", "value": "a", "weight": -1}, "weight"),
        ({"type": "assert-set", "assert": [{"type": "python", "value": "1"}]}, "none of its assertions"),
        ({"type": "equals", "value": "a", "transform": "output.trim()"}, "program"),
    ],
    ids=lambda value: str(value.get("type")) if isinstance(value, dict) else None,
)
def test_what_cannot_be_converted_is_said_and_the_case_marked(data: dict[str, Any], word: str, tmp_path: Path) -> None:
    one = assertion(data, tmp_path)
    assert any(word.lower() in how.lower() for how in one.said(Fate.LEFT_OUT).values()), one.notes
    [case] = one.cases()
    assert INCOMPLETE in case.tags
    assert one.problems() == []


def test_unknown_keys_of_assertions_options_and_providers_are_noted(tmp_path: Path) -> None:
    data = {
        "prompts": [{"raw": "Hi", "label": "a", "colour": 1}],
        "providers": [{"id": "openai:gpt-4o", "config": {"zoom": 1}, "size": 2, "delay": 5}],
        "tests": [{"options": {"zeal": 1}, "assert": [{"type": "equals", "value": "a", "asert": 1}]}],
        "scenarios": [{"config": [{"vars": {"a": 1}}], "tests": [], "mood": 1}],
    }
    left_out = set(imported_config(data, tmp_path).said(Fate.LEFT_OUT))
    assert left_out == {
        *("prompt key colour", "provider setting zoom", "provider key size", "provider delay", "options.zeal"),
        *("assertion key asert", "scenario key mood"),
    }
