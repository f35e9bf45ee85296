"""OpenAI Evals: real registry files and samples, and each class's verdicts as its source has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmctl.errors import ProjectError, UsageError
from llmctl.importers.conversion import Fate
from llmctl.importers.drafts import INCOMPLETE
from tests.importers.datasets import evals_of, passes, shared, texts
from tests.importers.support import Imported

REGISTRY = Path(__file__).parent / "openai_evals"


def samples(tmp_path: Path, *rows: object) -> Path:
    path = tmp_path / "tickets.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def one(tmp_path: Path, eval_class: str, ideal: object, **rest: object) -> Imported:
    return evals_of(samples(tmp_path, {"input": "?", "ideal": ideal, **rest}), tmp_path / "p", eval_class=eval_class)


def prompt(result: Imported, index: int = 0) -> list[object]:
    messages = result.draft.prompts[index].data["messages"]
    assert isinstance(messages, list)
    return messages


def test_a_real_registry_file(tmp_path: Path) -> None:
    result = evals_of(REGISTRY / "evals/coqa-ex.yaml", tmp_path)
    assert result.problems() == []
    assert [bank.name for bank in result.draft.banks] == [
        *("coqa-match", "coqa-fact", "coqa-fact-expl"),
        *("coqa-closedqa-correct", "coqa-closedqa-relevance", "coqa-closedqa-conciseness"),
    ]
    assert prompt(result) == [
        {"role": "system", "content": "Complete the phrase as concisely as possible."},
        {"role": "user", "content": "{{ input }}"},
    ]
    assert result.draft.prompts[0].data["params"] == {"temperature": 0}
    assert prompt(result, 1) == [{"role": "system", "content": "{{ input }}"}]


def test_a_model_graded_spec_is_a_judge(tmp_path: Path) -> None:
    result = evals_of(REGISTRY, tmp_path, "coqa-closedqa-correct", "coqa-fact")
    (entry,) = shared(result, 1)
    judge = entry["judge"]
    assert judge["model"] == "fake/echo"
    assert (judge["labels"], judge["pass_labels"], judge["vars"]) == ({"Y": 1.0, "N": 0.0}, ["Y"], ["input"])
    assert "[Criterion]: correctness: Is the answer correct?" in judge["rubric"]
    assert "[Submission]: (the OUTPUT)" in judge["rubric"]
    answered, recorded = shared(result)
    assert answered["metric"] == "answered"
    assert (recorded["weight"], recorded["judge"]["reference"]) == (0, True)
    assert list(recorded["judge"]["labels"]) == ["A", "B", "C", "D", "E"]
    assert "weight 0" in texts(result, Fate.CHANGED)


def test_what_a_registry_cannot_bring_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as said:
        evals_of(REGISTRY / "evals/test-modelgraded.yaml", tmp_path, "diversity")
    assert "It grades several answers to one question together" in str(said.value.hint)
    result = evals_of(REGISTRY / "evals/test-basic.yaml", tmp_path)
    assert "eval test-match: Its class `TestMatch` is a program of its own." in texts(result, Fate.LEFT_OUT)
    assert len(result.draft.banks) == 3


def test_example_turns_become_turns_of_the_prompt(tmp_path: Path) -> None:
    result = evals_of(REGISTRY / "evals/test-basic.yaml", tmp_path, "test-fuzzy-match")
    roles = [message["role"] for message in prompt(result)]  # type: ignore[index]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert passes(result, "it is millie bobby brown!")
    assert passes(result, "Season 11.", 1)
    assert passes(result, "11", 1)
    assert not passes(result, "Orlando", 2)


def test_a_pointer_of_git_lfs_is_no_sample(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as said:
        evals_of(REGISTRY / "evals/born-first.yaml", tmp_path)
    assert said.value.problems[0].hint == "Run `git lfs pull` where it lies."


VERDICTS = [
    ("Match", "Ann", "Ann was", True),
    ("Match", "Ann", "It was Ann", False),
    ("Match", ["Bob", "Ann"], "Ann", True),
    ("Match", "Ann", "ann", False),
    ("Includes", "Ann", "It was Ann.", True),
    ("Includes", "Ann", "it was ann.", False),
    ("Includes", ["x", "Ann"], "Ann", True),
    ("FuzzyMatch", "the apple", "An Apple!", True),
    ("FuzzyMatch", "an apple a day", "apple", True),
    ("FuzzyMatch", "pear", "apple", False),
    ("JsonMatch", '{"a": 1}', ' {"a": 1.0}', True),
    ("JsonMatch", '{"a": 1}', '{"a": 1, "b": 2}', False),
    ("JsonMatch", ['{"a": 1}', '{"a": 2}'], '{"a": 2}', True),
    ("JsonMatch", ['{"a": 1}', '{"a": 2}'], '{"a": 3}', False),
    ("JsonMatch", "[1, 2]", "[1, 2]", True),
    ("JsonValidator", None, "[1]", True),
    ("JsonValidator", None, "one", False),
]


@pytest.mark.parametrize(("eval_class", "ideal", "output", "passed"), VERDICTS)
def test_verdicts(tmp_path: Path, eval_class: str, ideal: object, output: str, passed: bool) -> None:
    result = one(tmp_path, eval_class, ideal)
    assert result.problems() == []
    assert passes(result, output) is passed


def test_includes_without_regard_to_case(tmp_path: Path) -> None:
    result = evals_of(REGISTRY / "evals/test-basic.yaml", tmp_path, "test-includes-ignore-case")
    assert passes(result, "MILLIE BOBBY BROWN")


def test_an_empty_or_missing_ideal_is_said(tmp_path: Path) -> None:
    source = samples(tmp_path, {"input": "a", "ideal": ""}, {"input": "b"}, {"input": "c", "ideal": "x"})
    result = evals_of(source, tmp_path / "p", eval_class="Match")
    assert result.problems() == []
    empty, missing, sound = result.cases()
    assert [case.evaluators[0].metric_name for case in (empty, missing, sound)] == [
        *("answered", "answered", "starts_with")
    ]
    assert missing.tags == (INCOMPLETE,)
    assert "empty `ideal`" in texts(result, Fate.CHANGED)
    assert "sample without `ideal`" in texts(result, Fate.LEFT_OUT)


def test_ids_metadata_and_text_as_input(tmp_path: Path) -> None:
    row = {"input": "{{ 7 * 7 }}", "ideal": "x", "id": 5, "metadata": {"level": "hard", "deep": {"a": 1}}}
    result = evals_of(samples(tmp_path, row, row), tmp_path / "p")
    first, second = result.cases()
    assert (first.id, second.id) == ("5", "5-2")
    assert first.vars == {"input": "{{ 7 * 7 }}"}
    assert first.tags == ("level=hard",)
    said = texts(result, Fate.CHANGED)
    assert "system message" in said
    assert "see --class" in said
    assert "metadata deep" in texts(result, Fate.LEFT_OUT)


def test_conversations_that_differ_stay_whole(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    source = samples(tmp_path, {"input": turns, "ideal": "x"}, {"input": turns[2:], "ideal": "y"})
    result = evals_of(source, tmp_path / "p")
    assert result.problems() == []
    assert prompt(result) == [{"placeholder": "messages"}]
    assert result.cases()[0].vars == {"messages": turns}


def test_a_shared_message_that_holds_a_template_is_text(tmp_path: Path) -> None:
    rows = [
        {"input": [{"role": "system", "content": "Use {{ x }}."}, {"role": "user", "content": text}], "ideal": "x"}
        for text in "ab"
    ]
    result = evals_of(samples(tmp_path, *rows), tmp_path / "p")
    assert result.problems() == []
    assert prompt(result)[0] == {"role": "system", "content": "{% raw %}Use {{ x }}.{% endraw %}"}


HOSTILE = [
    b"",
    b"[]",
    b'{"input": 5, "ideal": "x"}',
    b'{"input": [], "ideal": "x"}',
    b'{"input": [{"role": "root", "content": "x"}], "ideal": "x"}',
    b'{"input": {"file": "/etc/passwd"}, "ideal": "x"}',
    b"\xff\xfe\x00",
    b'{"input": "a"',
]


@pytest.mark.parametrize("data", HOSTILE)
def test_broken_samples_are_one_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(data)
    with pytest.raises(UsageError):
        evals_of(path, tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_samples_outside_the_registry_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "r/evals").mkdir(parents=True)
    (tmp_path / "secret.jsonl").write_text('{"input": "a", "ideal": "b"}', encoding="utf-8")
    spec = "a:\n  class: evals.elsuite.basic.match:Match\n  args: {samples_jsonl: ../secret.jsonl}\n"
    path = tmp_path / "r/evals/a.yaml"
    path.write_text(spec, encoding="utf-8")
    with pytest.raises(ProjectError) as said:
        evals_of(path, tmp_path / "p")
    assert "outside" in said.value.problems[0].message
