"""inspect_ai: real datasets and logs, and each scorer's verdicts as its source has them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from llmctl.errors import ProjectError, UsageError
from llmctl.importers.conversion import Fate
from llmctl.importers.drafts import INCOMPLETE
from tests.importers.datasets import inspect_of, passes, shared, texts

FILES = Path(__file__).parent / "inspect"


def dataset(tmp_path: Path, *rows: object) -> Path:
    path = tmp_path / "dataset.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_a_real_dataset_with_names_of_its_own(tmp_path: Path) -> None:
    fields = {"input": "question", "target": "answer"}
    result = inspect_of(FILES / "biology_qa.jsonl", tmp_path, "includes", fields=fields)
    assert result.problems() == []
    assert len(result.cases()) == 20
    assert result.cases()[0].id == "q1"
    assert passes(result, "It is called leprosy.")
    assert not passes(result, "It is called something else.")
    with pytest.raises(ProjectError) as said:
        inspect_of(FILES / "biology_qa.jsonl", tmp_path)
    assert said.value.problems[0].hint == "Its column may have another name: --field input=NAME."


def test_what_needs_a_sandbox_is_said(tmp_path: Path) -> None:
    result = inspect_of(FILES / "samples.csv", tmp_path)
    assert result.problems() == []
    assert INCOMPLETE in result.cases()[0].tags
    said = texts(result, Fate.LEFT_OUT)
    assert "sandbox: llmctl runs no sandbox" in said
    assert "column extra" in said


def test_images_are_said(tmp_path: Path) -> None:
    result = inspect_of(FILES / "images.jsonl", tmp_path)
    assert result.problems() == []
    assert result.cases()[0].vars == {"input": "How many ballons are in this picture?"}
    assert "message part image" in texts(result, Fate.LEFT_OUT)


def test_choices_are_asked_as_there(tmp_path: Path) -> None:
    from llmctl.project.loader import load_project
    from llmctl.project.sources import WorkingTree
    from llmctl.project.templates import render_messages

    result = inspect_of(FILES / "samples-mcq.csv", tmp_path)
    assert result.problems() == []
    project = load_project(result.config, WorkingTree(tmp_path), frozenset())
    (message,) = render_messages(project.prompts["samples-mcq"], result.cases()[0].vars)
    text = str(message["content"])
    assert "'ANSWER: $LETTER' (without quotes) where LETTER is one of A,B,C,D,E,F,G,H,I,J." in text
    assert text.endswith("Which is the smallest number?\n\nA) 1\nB) 2\nC) 3\nD) 4\nE) 5\nF) 6\nG) 7\nH) 8\nI) 9\nJ) 10")
    assert passes(result, "ANSWER: A")
    assert not passes(result, "ANSWER: B")


def test_a_real_log_brings_its_scorer_and_its_system_message(tmp_path: Path) -> None:
    result = inspect_of(FILES / "popularity.eval", tmp_path)
    assert result.problems() == []
    messages = result.draft.prompts[0].data["messages"]
    assert isinstance(messages, list)
    assert "it is important that you only respond with exactly" in messages[0]["content"]
    assert len(result.cases()) == 10
    assert passes(result, "yes.")


def test_a_real_log_of_multiple_choice(tmp_path: Path) -> None:
    result = inspect_of(FILES / "mmlu.eval", tmp_path)
    assert result.problems() == []
    assert result.cases()[0].tags == ("subject=college_physics",)
    assert passes(result, "ANSWER: A")


VERDICTS: list[tuple[str, dict[str, object], object, str, bool]] = [
    ("match", {}, "Paris", "It is paris.", True),
    ("match", {}, "Paris", "Paris it is", False),
    ("match", {"location": "begin"}, "Paris", "Paris it is", True),
    ("match", {"location": "any"}, "Paris", "So Paris it is", True),
    ("match", {"location": "exact"}, "Paris", "paris.", True),
    ("match", {"location": "exact"}, "Paris", "in paris", False),
    ("match", {"ignore_case": "false"}, "Paris", "paris", False),
    ("match", {"numeric": "true"}, "60", "28 + 32 = 60\nThis solves the problem.", True),
    ("match", {"numeric": "true"}, "5", "25", False),
    ("match", {"numeric": "true"}, ["60", "60%"], "28 + 32 = 60%", True),
    ("match", {"numeric": "true", "location": "any"}, "-0.5", "got -½ as the result", True),
    ("includes", {}, "world", "Hello WORLD", True),
    ("includes", {"ignore_case": "false"}, "world", "Hello WORLD", False),
    ("exact", {}, "dont", "Don't!", True),
    ("exact", {}, "hello", "hello hello", False),
    ("f1", {}, "foo", "foo", True),
    ("f1", {}, "foo", "bar", False),
    ("choice", {}, ["A", "B"], "ANSWER: A, B", True),
    ("choice", {}, ["A", "B"], "ANSWER: A", False),
    ("pattern", {"pattern": "(foo) (bar)"}, "bar", "foo bar", True),
    ("pattern", {"pattern": "(foo) (bar)"}, "x", "foo bar", False),
    ("pattern", {"pattern": "(foo) (foo)", "match_all": "true"}, "foo", "foo foo", True),
    ("pattern", {"pattern": r"(?<=is )(\w+)"}, "Paris", "It is paris", True),
    ("answer", {"pattern": "letter"}, "B", "ANSWER: A\nANSWER: b", True),
    ("answer", {"pattern": "word"}, "Yes", "ANSWER: Yes.", True),
    ("answer", {"pattern": "word"}, "No", "ANSWER: No, because reasons", False),
    ("answer", {"pattern": "line"}, "a whole line", "ANSWER: A whole line\n", True),
]


@pytest.mark.parametrize(("scorer", "args", "target", "output", "passed"), VERDICTS)
def test_verdicts(
    tmp_path: Path, scorer: str, args: dict[str, object], target: object, output: str, passed: bool
) -> None:
    result = inspect_of(dataset(tmp_path, {"input": "?", "target": target}), tmp_path / "p", scorer, **args)
    assert result.problems() == []
    assert passes(result, output) is passed


def test_a_model_that_grades(tmp_path: Path) -> None:
    source = dataset(tmp_path, {"input": "?", "target": "x"})
    result = inspect_of(source, tmp_path / "p", "model_graded_fact", partial_credit="true")
    assert result.problems() == []
    (entry,) = shared(result)
    assert entry["judge"]["labels"] == {"C": 1.0, "P": 0.5, "I": 0.0}
    assert (entry["judge"]["model"], entry["judge"]["reference"]) == ("fake/echo", True)


def test_a_sample_without_target_is_said(tmp_path: Path) -> None:
    result = inspect_of(dataset(tmp_path, {"input": "a"}, {"input": "b", "target": "x"}), tmp_path / "p")
    assert result.problems() == []
    first, second = result.cases()
    assert (first.tags, second.tags) == ((INCOMPLETE,), ())
    assert first.evaluators[0].metric_name == "answered"
    assert "empty target" in texts(result, Fate.LEFT_OUT)


def test_tool_calls_in_a_conversation(tmp_path: Path) -> None:
    call = {"id": "c1", "function": "look", "arguments": {"city": "Rome"}}
    chat = [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "21", "tool_call_id": "c1"},
    ]
    result = inspect_of(dataset(tmp_path, {"input": chat, "target": "21"}), tmp_path / "p")
    assert result.problems() == []
    messages = result.cases()[0].vars["messages"]
    assert isinstance(messages, list)
    assert messages[1]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"city":"Rome"}'}


REFUSED = [
    ("matc", {}, "Did you mean `match`?"),
    ("match", {"where": "end"}, "It takes location, ignore_case, numeric."),
    ("match", {"location": "middle"}, None),
    ("pattern", {}, "Add --scorer-arg pattern=REGEX."),
    ("pattern", {"pattern": "("}, None),
    ("pattern", {"pattern": "a"}, None),
]


@pytest.mark.parametrize(("scorer", "args", "hint"), REFUSED)
def test_a_scorer_that_cannot_be_meant(tmp_path: Path, scorer: str, args: dict[str, object], hint: str | None) -> None:
    with pytest.raises(UsageError) as said:
        inspect_of(dataset(tmp_path, {"input": "a", "target": "b"}), tmp_path / "p", scorer, **args)
    assert said.value.hint == hint


def test_logs_that_cannot_be_read(tmp_path: Path) -> None:
    cut = tmp_path / "cut.eval"
    cut.write_bytes((FILES / "mmlu.eval").read_bytes()[:2_000])
    empty = tmp_path / "empty.eval"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("header.json", "{}")
    for path in (cut, empty):
        with pytest.raises(ProjectError):
            inspect_of(path, tmp_path / "p")


def test_a_log_as_json(tmp_path: Path) -> None:
    log = {
        "version": 2,
        "eval": {"task": "team/routing", "scorers": [{"name": "includes", "options": {}}]},
        "plan": {"steps": [{"solver": "chain_of_thought", "params": {}}, {"solver": "generate", "params": {}}]},
        "samples": [
            {"id": 1, "epoch": 1, "input": "a", "target": "x"},
            {"id": 1, "epoch": 2, "input": "a", "target": "x"},
        ],
    }
    path = tmp_path / "log.json"
    path.write_text(json.dumps(log), encoding="utf-8")
    result = inspect_of(path, tmp_path / "p")
    assert [bank.name for bank in result.draft.banks] == ["routing"]
    assert len(result.cases()) == 1
    assert "solver chain_of_thought" in texts(result, Fate.LEFT_OUT)
