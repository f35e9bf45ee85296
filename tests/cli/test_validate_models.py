"""`validate --models`: sample answers that need a model or code of the project, judged before a run is paid for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Invoke, Result, write

CONFIG = """
    [project]
    allow_code = true

    [models.echo]
    model = "fake/echo"

    [models.strict]
    model = "fake/script"
    price = {input = 10, output = 10}
    options.answer = '{"reason": "Fine.", "verdict": "pass"}'
    options.answers = [
      {match = "OUTPUT [0-9a-f]+>>>\\nrude", answer = '{"reason": "It is rude.", "verdict": "fail"}'},
      {match = "OUTPUT [0-9a-f]+>>>\\nodd", answer = "Yes, it passes."},
    ]

    [models.far]
    model = "openai/gpt-4o-mini"

    [judge]
    model = "strict"
"""
BANK = """
    prompts: [echo]
    evaluators:
      - judge: It is polite.
        good: [GOOD]
        bad: [BAD]
    cases:
      - {id: nice, vars: {text: thank you}}
      - {id: rude, vars: {text: rude words}}
"""
CODE = """
import pathlib
def polite(context):
    pathlib.Path("ran").touch()
    return "please" in context.output
def sorry(context):
    raise ValueError("no idea")
"""


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    write(tmp_path, "llmctl.toml", CONFIG)
    write(tmp_path, "prompts/echo.yaml", "model: echo\ntemplate: '{{ text }}'\n")
    write(tmp_path, "checks.py", CODE)
    samples(tmp_path)
    return tmp_path


def samples(root: Path, good: str = "thank you", bad: str = "rude words", judge: str = "It is polite.") -> None:
    text = BANK.replace("GOOD", good).replace("BAD", bad).replace("It is polite.", judge)
    write(root, "testbanks/echo.yaml", text)


def document(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.out)
    return found


def test_without_models_nothing_is_asked_and_what_was_not_judged_is_said(judged: Path, llmctl: Invoke) -> None:
    said = llmctl("validate", "--strict")
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        "1 prompt, 1 bank, 2 cases: all good.\n"
        "2 sample answers need a model or code of the project and were not judged: llmctl validate --models.\n"
    )
    assert document(llmctl("validate", "--json"))["samples"]["not_judged"] == 2
    assert not (judged / ".llmctl").exists()


def test_right_samples_are_judged_once_and_their_cost_is_said(judged: Path, llmctl: Invoke) -> None:
    first = llmctl("validate", "--models")
    assert (first.code, first.err) == (0, "")
    lines = first.out.splitlines()
    assert lines[1] == "2 of 2 sample answers judged by models or code of the project."
    assert lines[2].startswith("Judges: 2 calls sent, cost $0.00")
    again = document(llmctl("validate", "--models", "--json"))["samples"]["judging"]
    assert again == {"sent": 0, "reused": 2, "cost_usd": 0.0}
    fresh = document(llmctl("validate", "--models", "--no-cache", "--json"))["samples"]
    assert fresh["judging"]["sent"] == 2
    [run, *_] = json.loads(llmctl("runs", "--json").out)["runs"]
    assert (run["run_id"], run["calls"], run["command"]) == (
        fresh["run_id"],
        2,
        "llmctl validate --models --no-cache --json",
    )


def test_a_judge_that_passes_a_bad_sample_and_fails_a_good_one(judged: Path, llmctl: Invoke) -> None:
    samples(judged, good="rude but good", bad="thank you")
    said = llmctl("validate", "--models")
    assert said.code == 2
    assert 'The good sample "rude but good" of `judge` fails. The judge (strict) says fail: It is rude.' in said.err
    assert 'The bad sample "thank you" of `judge` passes.' in said.err
    assert "testbanks/echo.yaml:3:" in said.err
    assert "2 errors" in said.out


def test_no_judgement_is_a_warning_and_not_a_success(judged: Path, llmctl: Invoke) -> None:
    samples(judged, bad="odd one, rude one")
    said = llmctl("validate", "--models")
    assert said.code == 4
    assert '`judge` gave no judgement on its bad sample "odd one"' in said.err
    assert "2 of 3 sample answers judged" in said.out


def test_a_missing_key_and_offline_are_said_once(judged: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    samples(judged, judge="{rubric: It is polite., model: far}")
    said = llmctl("validate", "--models")
    assert said.code == 4
    assert said.err.count("were not judged") == 1
    assert "OPENAI_API_KEY" in said.err
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    offline = llmctl("validate", "--models", "--offline")
    assert offline.code == 4
    assert "is not on this machine" in offline.err


def test_a_spent_budget_stops_it(judged: Path, llmctl: Invoke) -> None:
    samples(judged, good=", ".join(f"thank you {number}" for number in range(40)))
    assert llmctl("validate", "--models", "--max-cost", "0.000001").code == 5


def test_nothing_is_asked_while_there_are_mistakes(judged: Path, llmctl: Invoke) -> None:
    write(judged, "prompts/echo.yaml", "model: echo\ntempalte: '{{ text }}'\n")
    said = llmctl("validate", "--models")
    assert said.code == 2
    assert "not judged: mistakes come first." in said.out
    assert not (judged / ".llmctl").exists()


def test_code_of_the_project_runs_only_with_models(judged: Path, llmctl: Invoke) -> None:
    bank = """
    prompts: [echo]
    evaluators:
      - python: checks.py:polite
        good: [please, thanks]
        bad: ["no", please do]
      - command: [sh, -c, "grep -q please"]
        good: [please]
      - python: checks.py:sorry
        metric: sorry
        bad: [a, b]
    cases:
      - {id: nice, vars: {text: thank you}}
    """
    write(judged, "testbanks/echo.yaml", bank)
    assert llmctl("validate").code == 0
    assert not (judged / "ran").exists()
    said = llmctl("validate", "--models")
    assert said.code == 2
    assert 'The good sample "thanks" of `python` fails.' in said.err
    assert 'The bad sample "please do" of `python` passes.' in said.err
    assert said.err.count("gave no judgement") == 1
    assert '`python` gave no judgement on its bad sample "a" and 1 more: ' in said.err
    assert "`command`" not in said.err
    assert "5 of 7 sample answers judged" in said.out
    assert "Judges:" not in said.out
    assert not (judged / ".llmctl").exists()


def test_without_the_embedding_model_it_is_said(judged: Path, llmctl: Invoke) -> None:
    write(judged, "llmctl.toml", CONFIG + '\n    [semantic]\n    model = "./nowhere"\n')
    bank = BANK.replace("judge: It is polite.", "semantic: thank you")
    write(judged, "testbanks/echo.yaml", bank)
    said = llmctl("validate", "--models")
    assert said.code == 4
    assert "The samples of `semantic` were not judged: " in said.err


def test_flags_about_models_need_them(judged: Path, llmctl: Invoke) -> None:
    said = llmctl("validate", "--offline")
    assert said.code == 2
    assert "Add --models." in said.err
