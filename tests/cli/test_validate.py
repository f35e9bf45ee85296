"""`validate` through the front door."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import BANK, Invoke, write
from tests.project.test_thirty_mistakes import FOLDER, marked


def test_a_good_project(project: Path, llmctl: Invoke) -> None:
    result = llmctl("validate", "--strict")
    assert (result.code, result.err) == (0, "")
    assert result.out == "1 prompt, 1 bank, 3 cases: all good.\n"


def test_mistakes_of_all_files_at_once_with_their_places(project: Path, llmctl: Invoke) -> None:
    write(project, "llmctl.toml", '[models.fake]\nmodle = "fake/echo"\n')
    write(project, "prompts/route.yaml", "model: fake\ntempalte: hello\n")
    write(project, "testbanks/route.yaml", BANK.replace("expected: hours", "expcted: hours"))
    result = llmctl("validate")
    assert result.code == 2
    for place in ("llmctl.toml:2:1", "prompts/route.yaml:2:1", "testbanks/route.yaml:11:"):
        assert place in result.err
    assert "expcted: hours" in result.err and "^" in result.err
    assert "Traceback" not in result.err


def test_json_lists_the_problems(project: Path, llmctl: Invoke) -> None:
    write(project, "prompts/route.yaml", "model: fake\ntempalte: hello\n")
    result = llmctl("validate", "--json")
    document = json.loads(result.out)
    assert document["schema"] == "llmctl/validate/1"
    assert document["ok"] is False
    [problem] = [one for one in document["problems"] if "tempalte" in one["message"]]
    assert (problem["line"], problem["column"]) == (2, 1)


def test_an_unused_variable_is_a_warning(project: Path, llmctl: Invoke) -> None:
    write(project, "testbanks/route.yaml", BANK.replace("vars: {brand: Acme}", "vars: {brand: Acme, tone: kind}"))
    result = llmctl("validate")
    assert result.code == 0
    assert "tone" in result.err
    assert llmctl("validate", "--strict").code == 1


def test_a_bad_sample_answer_is_named(project: Path, llmctl: Invoke) -> None:
    bank = BANK.replace("  - exact\n", "  - contains: bill\n    good: [the bill, hello]\n    bad: [billing]\n")
    write(project, "testbanks/route.yaml", bank)
    result = llmctl("validate")
    assert result.code == 2
    assert "hello" in result.err and "billing" in result.err


def test_a_schema_keyword_that_the_local_model_cannot_enforce(project: Path, llmctl: Invoke) -> None:
    write(
        project,
        "prompts/route.yaml",
        """
        model: local/smollm2-135m
        template: "{{ brand }} {{ ticket }}"
        output:
          format: json
          schema: {type: object, properties: {a: {type: array, uniqueItems: true, items: {type: string}}}}
        """,
    )
    result = llmctl("validate")
    assert "uniqueItems" in result.err


def test_outside_a_project(llmctl: Invoke) -> None:
    result = llmctl("validate")
    assert result.code == 2
    assert "llmctl init" in result.err


def test_a_template_is_checked_on_its_own_line(project: Path, llmctl: Invoke) -> None:
    write(project, "prompts/other.yaml", "model: fake\ntemplate: |-\n  Hello\n  {% if x %}\n  there\n")
    write(project, "prompts/route.yaml", "model: fake\ntemplate: |-\n  {{ brand }}\n  {{ ticket | uper }}\n")
    result = llmctl("validate")
    assert result.code == 2
    assert "prompts/route.yaml:4" in result.err and "uper" in result.err
    assert "prompts/other.yaml:" in result.err
    assert llmctl("eval").code == 2


def test_every_kind_of_mistake_in_one_run(tmp_path: Path, llmctl: Invoke) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "broken.toml").rename(tmp_path / "llmctl.toml")
    said = llmctl("validate")
    assert said.code == 2
    assert "Traceback" not in said.err and "not shown" not in said.err
    document = json.loads(llmctl("validate", "--json").out)
    problems = document["problems"]
    expected = [
        *marked(FOLDER / "prompts", (".yaml",)),
        *marked(FOLDER / "testbanks", (".yaml",)),
        *(replace(one, file="llmctl.toml") for one in marked(FOLDER, (".toml",))),
    ]
    found = {(problem["file"], problem["line"]) for problem in problems}
    assert len(problems) >= 60
    assert [one for one in expected if (one.file, one.line) not in found] == []
    places = [f"{problem['file']}:{problem['line']}" for problem in problems if problem["line"]]
    assert [place for place in places if place not in said.err] == []


def test_a_bank_without_prompts(project: Path, llmctl: Invoke) -> None:
    write(project, "testbanks/route.yaml", BANK.replace("prompts: [route]\n", ""))
    result = llmctl("validate")
    assert result.code == 2
    assert "names no prompt" in result.err
    assert llmctl("eval").code == 2
    assert llmctl("eval", "route", "-p", "route").code == 0


def test_without_the_weights_it_checks_all_the_same(
    project: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMCTL_CACHE", str(project / "no-cache-here"))
    write(project, "prompts/route.yaml", "model: local/smollm2-135m\ntemplate: '{{ brand }} {{ ticket }}'\n")
    result = llmctl("validate")
    assert result.code == 0, result.err
    assert "llmctl models pull" in result.err
    said = llmctl("eval")
    assert said.code == 4
    assert "llmctl models pull" in said.err
    assert not (project / ".llmctl" / "runs").exists()
