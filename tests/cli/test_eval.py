"""`eval` through the front door, on the fake model."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.cli.conftest import BANK, CONFIG, Invoke, write
from tests.cli.git import commit_all, git


def test_eval_scores_and_stores(project: Path, llmctl: Invoke) -> None:
    result = llmctl("eval")
    assert result.code == 0, result.err
    assert "2/3" in result.out
    assert "hours" in result.out and "other" in result.out

    listed = json.loads(llmctl("runs", "--json").out)
    assert listed["schema"] == "llmctl/runs/1"
    [run] = listed["runs"]
    assert (run["planned"], run["done"], run["passed"], run["failed"]) == (3, 3, 2, 1)
    assert run["status"] == "completed"


def test_eval_json_is_one_document(project: Path, llmctl: Invoke) -> None:
    result = llmctl("eval", "--json")
    document = json.loads(result.out)
    assert document["schema"] == "llmctl/eval/1"
    assert result.code == 0


def test_strict_ends_1_when_a_case_failed(project: Path, llmctl: Invoke) -> None:
    assert llmctl("eval", "--strict").code == 1
    assert llmctl("eval", "--strict", "-t", "smoke").code == 0


def test_selection_by_tag_pattern_limit_and_sample(project: Path, llmctl: Invoke) -> None:
    def cases(*flags: str) -> list[str]:
        llmctl("eval", *flags, "-o", "out.jsonl")
        lines = Path("out.jsonl").read_text(encoding="utf-8").splitlines()
        return sorted(json.loads(line)["case_id"] for line in lines)

    assert cases("-t", "hard") == ["parcel"]
    assert cases("-k", "ar") == ["card", "parcel"]
    assert cases("-k", "h*") == ["hours"]
    assert cases("--limit", "1") == ["card"]
    assert cases("--sample", "2", "--seed", "3") == cases("--sample", "2", "--seed", "3")
    assert len(cases("--sample", "2", "--seed", "3")) == 2


def test_an_empty_selection_is_a_usage_error(project: Path, llmctl: Invoke) -> None:
    result = llmctl("eval", "-t", "nothing-has-this")
    assert result.code == 2
    assert "No case is selected" in result.err


def test_models_and_repeats(project: Path, llmctl: Invoke) -> None:
    llmctl("eval", "-m", "fake", "-m", "echo", "-r", "2", "-o", "out.csv")
    with Path("out.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2 * 2
    assert {row["model"] for row in rows} == {"fake", "echo"}
    assert {row["repeat"] for row in rows} == {"1", "2"}


def test_equal_calls_are_sent_once(project: Path, llmctl: Invoke) -> None:
    twin = BANK + "  - {id: card-again, vars: {ticket: My card was declined}, expected: billing}\n"
    write(project, "testbanks/route.yaml", twin)
    document = json.loads(llmctl("eval", "--json").out)
    cached = [row["case_id"] for row in document["results"] if row["cached"]]
    assert cached == ["card-again"]
    calls = {row["case_id"]: row["call_id"] for row in document["results"]}
    assert calls["card"] == calls["card-again"]


def test_files_by_ending(project: Path, llmctl: Invoke) -> None:
    names = ["r.json", "r.jsonl", "r.csv", "r.md", "r.junit.xml"]
    result = llmctl("eval", *(part for name in names for part in ("-o", name)))
    assert result.code == 0, result.err
    assert json.loads(Path("r.json").read_text(encoding="utf-8"))["schema"] == "llmctl/eval/1"
    suites = ET.parse("r.junit.xml").getroot()
    assert len(list(suites.iter("testcase"))) == 3
    assert len(list(suites.iter("failure"))) == 1
    assert "2/3" in Path("r.md").read_text(encoding="utf-8")


def test_an_unknown_ending_is_found_before_anything_is_sent(project: Path, llmctl: Invoke) -> None:
    result = llmctl("eval", "-o", "report.docx")
    assert result.code == 2
    assert ".junit.xml" in result.err
    assert not (project / ".llmctl" / "runs").exists()


def test_no_evidence_ends_4_and_is_no_pass(project: Path, llmctl: Invoke) -> None:
    down = '\n[models.down]\nmodel = "fake/echo"\noptions = {faults = ["404", "404", "404"]}\n'
    write(project, "llmctl.toml", CONFIG + down)
    result = llmctl("eval", "-m", "down", "--json")
    document = json.loads(result.out)
    assert result.code == 4
    assert [row["passed"] for row in document["results"]] == [None, None, None]
    assert all("404" in row["reason"] for row in document["results"])


def test_a_missing_key_names_variable_and_file(project: Path, llmctl: Invoke) -> None:
    write(project, "llmctl.toml", CONFIG + '\n[models.gpt]\nmodel = "openai/gpt-4o-mini"\napi_key_env = "ACME_KEY"\n')
    result = llmctl("eval", "-m", "gpt")
    assert result.code == 4
    assert "ACME_KEY" in result.err
    assert "llmctl.toml" in result.err


def test_a_missing_variable_is_found_before_any_call(project: Path, llmctl: Invoke) -> None:
    write(project, "prompts/route.yaml", "model: fake\ntemplate: '{{ brand }} {{ tikcet }}'\n")
    result = llmctl("eval")
    assert result.code == 2
    assert "tikcet" in result.err
    assert "testbanks/route.yaml" in result.err
    assert not (project / ".llmctl" / "runs").exists()


def test_a_prompt_at_a_revision_beside_the_file(project: Path, llmctl: Invoke) -> None:
    commit_all(project)
    write(project, "prompts/route.yaml", "model: echo\ntemplate: '{{ brand }}: {{ ticket }}'\n")
    document = json.loads(llmctl("eval", "-p", "route@main", "-p", "route", "--json").out)
    outputs = {(row["prompt"], row["case_id"]): row["output"] for row in document["results"]}
    assert outputs["route@main", "card"] == "billing"
    assert outputs["route", "card"] == "Acme: My card was declined"
    assert document["run"]["branch"] == "main"
    assert document["run"]["dirty"] is True


def test_an_unknown_revision_is_a_usage_error(project: Path, llmctl: Invoke) -> None:
    git(project, "init", "-q")
    result = llmctl("eval", "-p", "route@nowhere")
    assert result.code == 2
    assert "nowhere" in result.err


def test_hostile_answers_are_shown_visibly(project: Path, llmctl: Invoke) -> None:
    answer = "\\u001b[2J\\u001b]0;x\\u0007[red]boom[/foo]\\u202e \\u009b31m"
    write(project, "llmctl.toml", f'[models.fake]\nmodel = "fake/script"\noptions = {{answer = "{answer}"}}\n')
    result = llmctl("eval")
    assert result.code == 0, result.err
    assert "\x1b" not in result.out and "\u202e" not in result.out and "\x9b" not in result.out
    assert "[red]boom[/foo]" in result.out


def test_a_revision_brings_its_model_settings(project: Path, llmctl: Invoke) -> None:
    commit_all(project)
    write(project, "llmctl.toml", CONFIG.replace('answer = "other"', 'answer = "changed"'))
    document = json.loads(llmctl("eval", "-p", "route@main", "-p", "route", "-k", "hours", "--json").out)
    assert {row["prompt"]: row["output"] for row in document["results"]} == {"route@main": "other", "route": "changed"}


def test_a_prompt_that_only_the_revision_has(project: Path, llmctl: Invoke) -> None:
    commit_all(project)
    (project / "prompts/route.yaml").unlink()
    write(project, "prompts/new.yaml", "model: fake\ntemplate: '{{ brand }} {{ ticket }}'\n")
    write(project, "testbanks/route.yaml", BANK.replace("prompts: [route]", "prompts: [new]"))
    document = json.loads(llmctl("eval", "route", "-p", "route@main", "--json").out)
    assert {row["prompt"] for row in document["results"]} == {"route@main"}


def test_keys_from_an_env_file(project: Path, llmctl: Invoke) -> None:
    gpt = '\n[models.gpt]\nmodel = "openai/gpt-4o-mini"\napi_key_env = "ACME_KEY"\n'
    write(project, "llmctl.toml", CONFIG + gpt)
    write(project, "keys.env", "# keys\nexport ACME_KEY='sk-test'\n")
    models = json.loads(llmctl("--env-file", "keys.env", "models", "list", "--json").out)["models"]
    assert {model["name"]: model["ready"] for model in models} == {"fake": True, "echo": True, "gpt": True}
    models = json.loads(llmctl("models", "list", "--json").out)["models"]
    assert {model["name"]: model["ready"] for model in models} == {"fake": True, "echo": True, "gpt": False}
    write(project, "keys.env", "this is no assignment\n")
    result = llmctl("--env-file", "keys.env", "models", "list")
    assert result.code == 2
    assert "keys.env:1" in result.err
