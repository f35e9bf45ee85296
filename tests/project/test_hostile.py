"""Whatever stands in a file, the answer is a model or located problems, never another exception."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmctl.errors import ProjectError, Severity
from llmctl.project.loader import load_config
from llmctl.project.syntax.document import Document
from llmctl.project.syntax.toml_reader import read_toml
from llmctl.project.syntax.yaml_reader import read_yaml
from tests.project.files import Files

FILE = Path("a.yaml")
ON_DISK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SYNTAX = st.text(st.sampled_from("ab: -\n\t#'\"[]{},&*!|>%@`?~0.\\=\x00\u2028é日"), max_size=40)
BYTES = st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))

WORDS = """
    model params messages template output schema format tools tool_choice role content placeholder file
    prompts models defaults evaluators cases include gate pass_score id vars expected tags must_pass group inherit
    weight metric extract against good bad exact contains not any all from columns set duplicates min_pass_rate rate
    confidence <text> <file> <message> x
"""
KEYS = st.sampled_from(WORDS.split()) | st.text(max_size=3)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["exact", "user", "vars.x", "b.yaml", "t.csv", "../x", "json", ""])
    | st.text(max_size=8)
)
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)
PROMPTS = st.dictionaries(KEYS, DATA, max_size=5)
BANKS = st.fixed_dictionaries(
    {},
    optional={
        "evaluators": st.lists(DATA, max_size=3) | DATA,
        "cases": st.lists(st.dictionaries(KEYS, DATA, max_size=4), max_size=3) | DATA,
        "include": st.lists(st.dictionaries(KEYS, DATA, max_size=3), max_size=2) | DATA,
        "defaults": DATA,
        "gate": DATA,
        "prompts": DATA,
    },
)


def holds(document: Document) -> None:
    """What every reader promises."""
    assert document.readable or document.problems
    for problem in document.problems:
        assert problem.place is not None
        if problem.place.line is not None:
            assert 1 <= problem.place.line <= document.content.count("\n") + 1 or not document.content


@given(BYTES | SYNTAX.map(str.encode))
@settings(max_examples=400, deadline=None)
def test_yaml_is_data_or_problems(data: bytes) -> None:
    holds(read_yaml(data, FILE))


@given(BYTES | SYNTAX.map(str.encode))
@settings(max_examples=400, deadline=None)
def test_toml_is_data_or_problems(data: bytes) -> None:
    document = read_toml(data, FILE)
    holds(document)
    document.place(("a", "b"))


@given(DATA)
@settings(deadline=None)
def test_yaml_reads_json_back(value: object) -> None:
    document = read_yaml(json.dumps(value).encode(), FILE)
    for problem in document.problems:
        assert "surrogate" in problem.message or "escape" in problem.message or "twice" in problem.message


@given(PROMPTS | DATA)
@ON_DISK
def test_a_prompt_is_a_prompt_or_problems(files: Files, value: object) -> None:
    prompt = files.try_prompt(as_yaml(value))
    errors = [problem for problem in files.problems if problem.severity is Severity.ERROR]
    assert (prompt is None) == bool(errors)


@given(BANKS)
@ON_DISK
def test_a_bank_is_a_bank_or_problems(files: Files, value: object) -> None:
    files.write("testbanks/t.csv", "id,x\n1,2\n")
    bank = files.try_bank(as_yaml(value))
    errors = [problem for problem in files.problems if problem.severity is Severity.ERROR]
    assert (bank is None) == bool(errors)


@given(st.dictionaries(KEYS, DATA, max_size=4))
@ON_DISK
def test_a_config_is_a_config_or_problems(tmp_path: Path, value: dict[str, object]) -> None:
    text = "\n".join(f"{json.dumps(key)} = {as_toml(item)}" for key, item in value.items())
    (tmp_path / "llmctl.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load_config(tmp_path / "llmctl.toml", {})
    except ProjectError as error:
        assert error.problems


def as_yaml(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def as_toml(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(as_toml, value)) + "]"
        case None:
            return "1979-05-27"
        case float():
            return repr(value)
        case _:
            return json.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        "evaluators: &e [exact, {any: *e}]\ncases: [{id: a}]",
        "cases: &c [{id: a, vars: *c}]",
        "defaults: &d {vars: {x: *d}}\ncases: [{id: a}]",
        "evaluators: [{contains: &x {from: *x}}]\ncases: [{id: a}]",
        "include: [{file: b.yaml}]\nevaluators: [exact]",
        "include: [{file: .}]\nevaluators: [exact]",
        "include: [{file: ''}]\nevaluators: [exact]",
        "include: [{file: " + "a" * 5_000 + ".csv}]\nevaluators: [exact]",
        "cases: [{id: a, vars: {x: {file: /dev/zero}}}]\nevaluators: [exact]",
        "cases: [{id: a, vars: {x: {file: ..}}}]\nevaluators: [exact]",
        "evaluators: " + "[{any: " * 40 + "[]" + "}]" * 40,
    ],
)
def test_known_traps_are_problems(files: Files, text: str) -> None:
    assert files.try_bank(text) is None
    assert files.problems
