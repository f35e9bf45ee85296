"""The parts of an import that are laws or tables: writing YAML and TOML, sets, templates, small languages."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.canonical import plain
from llmctl.errors import ProjectError
from llmctl.importers.conversion import Fate, Notes
from llmctl.importers.foreign_yaml import foreign_document
from llmctl.importers.naming import Names, slug
from llmctl.importers.nunjucks import jinja_of
from llmctl.importers.promptfoo.expressions import pointer_of
from llmctl.importers.promptfoo.provider_names import model_of
from llmctl.importers.promptfoo.rows import UnreadableTextsError, assertion_of, separated_texts
from llmctl.importers.promptfoo.sets import SetPart, set_entry
from llmctl.importers.toml_text import toml_table
from llmctl.importers.yaml_text import yaml_text
from llmctl.project.syntax.yaml_reader import read_yaml
from llmctl.project.templates import compile_template

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(-1e9, 1e9) | st.text()
KEYS = st.text(min_size=1).filter(lambda key: key != "<<")
DATA = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20)


@given(DATA)
def test_written_yaml_reads_back(data: object) -> None:
    document = read_yaml(yaml_text([data]).encode(), Path("a.yaml"))
    assert document.problems == ()
    assert plain(document.data) == [data]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1e3",
            "0o17",
            "010",
            "1_000",
            "yes",
            "~",
            "null",
            "12:30",
            "2024-01-01",
            "- a",
            "a: b",
            "#",
            "{{ x }}",
            "<<",
        ),
        *(" a", "a ", "a\n", "\na", "a\n  b\n", "a \nb", "a\tb", "\u2028", "\x7f", "\x85", "'", '"', "\\", "", "\r"),
    ],
)
def test_texts_that_look_like_something_else(text: str) -> None:
    document = read_yaml(yaml_text({"a": [text], "b": text}).encode(), Path("a.yaml"))
    assert (document.problems, document.data) == ((), {"a": [text], "b": text})


@given(st.dictionaries(st.text(), st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e9, 1e9) | st.text()))
def test_written_toml_reads_back(data: dict[str, object]) -> None:
    table = {**data, "inner": data, "list": list(data.values())}
    assert tomllib.loads(toml_table(("models", "a b"), table))["models"]["a b"] == table


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(1, 20))
def test_a_set_means_what_its_weighted_mean_says(weights: list[int], twentieths: int) -> None:
    threshold = twentieths / 20
    parts = [SetPart({str(index): None}, weight, False) for index, weight in enumerate(weights)]
    entry = set_entry(parts, threshold).data
    for passing in itertools.product((True, False), repeat=len(weights)):
        mean = sum(weight for weight, one in zip(weights, passing, strict=True) if one) / sum(weights)
        assert holds(entry, passing) is (mean >= threshold), (entry, passing)


def holds(entry: object, passing: tuple[bool, ...]) -> bool:
    match entry:
        case {"any": list(inner)}:
            return any(holds(one, passing) for one in inner)
        case {"all": list(inner)}:
            return all(holds(one, passing) for one in inner)
        case dict():
            return passing[int(next(iter(entry)))]
    raise AssertionError(entry)


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("a, b ,c", ["a", "b", "c"]),
        (",a,,", ["a"]),
        ('"a, b",c', ["a, b", "c"]),
        ('"say ""hi""" , "back\\\\slash"', ['say "hi"', "back\\slash"]),
        ('"\\"quoted\\""', ['"quoted"']),
        ("  ,  ", []),
        ('""', [""]),
        ('in"side', ['in"side']),
    ],
)
def test_texts_between_commas(text: str, texts: list[str]) -> None:
    assert separated_texts(text) == texts


@pytest.mark.parametrize("text", ['"open', '"a"b', '"a" b, c'])
def test_texts_that_cannot_be_told_apart(text: str) -> None:
    with pytest.raises(UnreadableTextsError):
        separated_texts(text)


@pytest.mark.parametrize(
    ("cell", "assertion"),
    [
        ("Paris", {"type": "equals", "value": "Paris"}),
        ("contains:  Paris ", {"type": "contains", "value": "Paris"}),
        ("not-icontains-any:a,b", {"type": "not-icontains-any", "value": ["a", "b"]}),
        ("similar:hello", {"type": "similar", "value": "hello", "threshold": 0.8}),
        ("similar(0.9):hello", {"type": "similar", "value": "hello", "threshold": 0.9}),
        ("levenshtein(3):hello", {"type": "levenshtein", "value": "hello", "threshold": 3.0}),
        ("latency(200)", {"type": "latency", "value": None, "threshold": 200.0}),
        ("is-json", {"type": "is-json", "value": None}),
        ("fn:output.length", {"type": "javascript", "value": "output.length"}),
        ("grade:is kind", {"type": "llm-rubric", "value": "is kind"}),
        ("file://check.py", {"type": "python", "value": "file://check.py"}),
        ("containsx:a", {"type": "equals", "value": "containsx:a"}),
        ("regex:^a\n$", {"type": "regex", "value": "^a\n$"}),
    ],
)
def test_cells_of_expected(cell: str, assertion: dict[str, object]) -> None:
    assert assertion_of(cell) == assertion


@pytest.mark.parametrize(
    ("nunjucks", "values", "rendered"),
    [
        ("{{ a }}", {"a": 1}, "1"),
        ("{{ a.length }} of {{ a }}", {"a": "abc"}, "3 of abc"),
        ("{% if a === 'x.length' && b !== null %}y{% elseif a %}n{% endif %}", {"a": "x.length", "b": 1}, "y"),
        ("{% for k, v in m %}{{ k }}={{ v }};{% endfor %}", {"m": {"a": 1, "b": 2}}, "a=1;b=2;"),
        ("{{ m | dump }}", {"m": {"a": [1]}}, '{"a": [1]}'),
        ("{{ a.toUpperCase().trim() }}", {"a": " x "}, "X"),
        ("{% raw %}{{ a.length }}{% endraw %}", {}, "{{ a.length }}"),
        ("half {{ a", {}, "half {{ a"),
        ("{# note #}b", {}, "b"),
    ],
)
def test_templates(nunjucks: str, values: dict[str, object], rendered: str) -> None:
    assert compile_template(jinja_of(nunjucks)).render(values) == rendered


@pytest.mark.parametrize(
    ("expression", "pointer"),
    [
        ("JSON.parse(output)", ""),
        ("JSON.parse(output).a.b", "/a/b"),
        ("return output.a[0]['b/c~d'];", "/a/0/b~1c~0d"),
        ("output?.a", "/a"),
        ("output", None),
        ("output.length", None),
        ("output.a.trim()", None),
        ("output.a + 1", None),
        ("JSON.parse(context.vars.x).a", None),
        ("input.a", None),
    ],
)
def test_parts_of_an_output(expression: str, pointer: str | None) -> None:
    assert pointer_of(expression) == pointer


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai:gpt-4o", "openai/gpt-4o"),
        ("openai:responses:gpt-5", "openai/gpt-5"),
        ("openai:chat:ft:gpt-4o:me::id", "openai/ft:gpt-4o:me::id"),
        ("anthropic:messages:claude-3-5-haiku-latest", "anthropic/claude-3-5-haiku-latest"),
        ("azure:chat:my-deployment", "azure/my-deployment"),
        ("bedrock:anthropic.claude-3-haiku-20240307-v1:0", "bedrock/anthropic.claude-3-haiku-20240307-v1:0"),
        ("vertex:gemini-2.0-flash", "vertex_ai/gemini-2.0-flash"),
        ("google:gemini-2.0-flash", "gemini/gemini-2.0-flash"),
        ("ollama:chat:llama3.2:1b", "ollama/llama3.2:1b"),
        ("openrouter:meta-llama/llama-3-8b", "openrouter/meta-llama/llama-3-8b"),
        ("litellm:groq/llama3", "groq/llama3"),
    ],
)
def test_models(provider: str, model: str) -> None:
    found = model_of(provider)
    assert not isinstance(found, str)
    assert found[0] == model


@pytest.mark.parametrize("provider", ["openai:embedding:ada", "openai:", "websocket:x", "zork:a", "python:a.py", ""])
def test_providers_that_are_no_models(provider: str) -> None:
    assert isinstance(model_of(provider), str)


def test_yaml_of_other_tools() -> None:
    text = b"a: &x {k: 1, l: ~}\nb: {<<: *x, k: 2}\nc: {<<: [*x, {m: 3}]}\nd:\n1: one\n"
    assert foreign_document(text, Path("a.yaml")).data == {
        "a": {"k": 1, "l": None},
        "b": {"k": 2, "l": None},
        "c": {"k": 1, "l": None, "m": 3},
        "d": None,
        "1": "one",
    }
    with pytest.raises(ProjectError):
        foreign_document(b"a: 1\na: 2", Path("a.yaml"))
    assert foreign_document(b'{"a": "\\ud83d\\ude00"}', Path("a.json")).data == {"a": "\U0001f600"}


def test_names() -> None:
    assert slug("Überprüfe: die Rückgabe!", "x") == "uberprufe-die-ruckgabe"
    assert slug("日本語", "prompt-1") == "prompt-1"
    assert slug("con", "x") == slug("../..", "x") == "x"
    assert len(slug("word " * 100, "x")) <= 48
    names = Names(frozenset({"a"}))
    assert [names.new("a"), names.new("a"), names.new("b")] == ["a-2", "a-3", "b"]


def test_equal_notes_are_counted() -> None:
    notes = Notes()
    for _ in range(3):
        notes.left_out("a", "b")
    notes.converted("c", "d")
    assert [(note.fate, note.count) for note in notes.list()] == [(Fate.CONVERTED, 1), (Fate.LEFT_OUT, 3)]
