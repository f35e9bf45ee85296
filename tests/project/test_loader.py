from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from llmctl.errors import ProjectError, UsageError
from llmctl.project.loader import (
    bank_names,
    find_config,
    load_config,
    load_project,
    prompt_names,
    read_bank,
    read_config,
    read_prompt,
    resolve_bank_name,
    resolve_prompt_name,
)
from llmctl.project.sources import WorkingTree
from tests.project.files import CONFIG, EVALUATORS, Files

BANK = "evaluators: [exact]\ncases: [{id: a}]\n"


@pytest.fixture
def project(files: Files) -> Files:
    files.write("prompts/triage.yaml", "template: x")
    files.write("prompts/support/refund.yml", "template: x")
    files.write("prompts/.hidden.yaml", "broken: [")
    files.write("testbanks/triage.yaml", "prompts: [triage]\n" + BANK)
    files.write("testbanks/with_table.yaml", BANK + "include:\n  - file: rows.yaml\n")
    files.write("testbanks/rows.yaml", "- {id: b}\n")
    files.write("testbanks/.baseline/triage.yaml", "broken: [")
    return files


def test_the_config_is_searched_upward(project: Files) -> None:
    project.write("llmctl.toml", CONFIG)
    assert find_config(project.root / "prompts" / "support") == project.root / "llmctl.toml"


def test_no_config_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_config(tmp_path)
    assert "llmctl init" in (caught.value.hint or "")


def test_a_config_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.toml", tmp_path):
        with pytest.raises(ProjectError):
            load_config(path, {})


def test_a_config_can_be_read_through_a_source(project: Files) -> None:
    config = read_config(WorkingTree(project.config.root), PurePosixPath("llmctl.toml"), {})
    assert config == project.config


def test_names_of_prompts_and_banks(project: Files) -> None:
    source = WorkingTree(project.root)
    assert prompt_names(project.config, source) == ["support/refund", "triage"]
    assert bank_names(project.config, source) == ["triage", "with_table"]


def test_a_yaml_table_that_nobody_includes_is_a_broken_bank(project: Files) -> None:
    project.write("testbanks/with_table.yaml", BANK)
    loaded = project.load()
    assert sorted(loaded.banks) == ["triage", "with_table"]
    assert [f"{problem.place}: {problem.message}" for problem in loaded.problems] == [
        "testbanks/rows.yaml:1:1: The file must be a mapping, not a list."
    ]


@pytest.mark.parametrize(
    "text", ["support/refund", "prompts/support/refund.yml", "./prompts/support/refund.yml", "support/refund.yml"]
)
def test_a_prompt_is_a_name_or_a_path(project: Files, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(project.root)
    assert resolve_prompt_name(project.config, text) == "support/refund"
    assert resolve_prompt_name(project.config, str(project.root / "prompts/support/refund.yml")) == "support/refund"


def test_a_path_counts_from_the_current_directory_too(project: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root / "prompts" / "support")
    assert resolve_prompt_name(project.config, "refund.yml") == "support/refund"
    assert resolve_bank_name(project.config, "../../testbanks/triage.yaml") == "triage"


@pytest.mark.parametrize(("text", "hint"), [("triag", "Did you mean `triage`?"), ("xyz", "Known: `triage`, ")])
def test_an_unknown_bank_names_the_nearest(project: Files, text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_bank_name(project.config, text)
    assert (caught.value.hint or "").startswith(hint)


def test_a_missing_prompt_or_bank_is_a_problem(project: Files) -> None:
    source = WorkingTree(project.root)
    assert read_prompt(project.config, source, "gone", project.problems) is None
    assert read_bank(project.config, source, "gone", EVALUATORS, project.problems) is None
    assert [problem.message for problem in project.problems] == [
        "There is no file prompts/gone.yaml.",
        "There is no file testbanks/gone.yaml.",
    ]


def test_the_whole_project_loads(project: Files) -> None:
    loaded = project.load()
    assert (sorted(loaded.prompts), sorted(loaded.banks), loaded.problems) == (
        ["support/refund", "triage"],
        ["triage", "with_table"],
        [],
    )
    assert [case.id for case in loaded.banks["with_table"].read_cases([])] == ["a", "b"]


def test_two_files_with_one_name_are_told(project: Files) -> None:
    project.write("prompts/triage.yml", "template: y")
    (problem,) = project.load().problems
    assert (str(problem.place), problem.message.split(",")[0]) == (
        "prompts/triage.yml",
        "This file has the same name as triage.yaml",
    )


def test_a_prompt_that_links_outside_is_refused_where_it_lies(project: Files) -> None:
    (project.root / "prompts" / "out.yaml").symlink_to(Path(__file__))
    (problem,) = project.load().problems
    assert (str(problem.place), problem.message) == (
        "prompts/out.yaml",
        "prompts/out.yaml lies outside the project.",
    )


def test_a_project_without_folders_is_empty(files: Files) -> None:
    loaded = files.load()
    assert (dict(loaded.prompts), dict(loaded.banks), loaded.problems) == ({}, {}, [])


def test_the_projects_own_files_are_sound() -> None:
    config = load_config(Path(__file__).parents[2] / "llmctl.toml", {})
    known = EVALUATORS | {"starts_with", "ends_with", "regex", "number", "json", "length", "latency", "cost"}
    loaded = load_project(config, WorkingTree(config.root), known)
    assert loaded.problems == []
    assert loaded.prompts
    assert all(set(bank.prompts) <= set(loaded.prompts) for bank in loaded.banks.values())
