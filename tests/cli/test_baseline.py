"""`llmctl baseline save|show`, and a machine that has nothing but the committed file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, write
from tests.cli.git import commit_all, git

CONFIG = '[models.fake]\nmodel = "fake/echo"\n'


@pytest.fixture
def saved(tmp_path: Path, llmctl: Invoke) -> Path:
    """A project whose baseline is saved and committed."""
    write(tmp_path, "llmctl.toml", CONFIG)
    write(tmp_path, "prompts/p.yaml", 'model: fake\ntemplate: "Say: {{ q }}"\n')
    cases = "".join(f"  - {{id: c{n}, vars: {{q: word {n}}}}}\n" for n in range(70))
    rules = "gate: {margin: 0.05, max_new_failures: 0}\n"
    write(tmp_path, "testbanks/b.yaml", f"prompts: [p]\n{rules}evaluators:\n  - regex: '^Say'\ncases:\n{cases}")
    write(tmp_path, ".gitignore", ".llmctl\n")
    commit_all(tmp_path)
    assert llmctl("eval").code == 0
    result = llmctl("baseline", "save")
    assert result.code == 0, result.err
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "baseline")
    return tmp_path


def test_saving_again_changes_no_byte(saved: Path, llmctl: Invoke) -> None:
    path = saved / "testbanks/.baseline/b.jsonl"
    before = path.read_bytes()
    assert len(before.splitlines()) == 71
    assert b"word" not in before
    assert llmctl("eval").code == 0
    assert llmctl("baseline", "save", "--from", "@last").code == 0
    assert path.read_bytes() == before


def test_it_is_shown(saved: Path, llmctl: Invoke) -> None:
    shown = llmctl("baseline", "show")
    assert shown.code == 0
    assert "100" in shown.out and "fake" in shown.out
    document = json.loads(llmctl("baseline", "show", "b", "--json").out)
    [cell] = document["cells"]
    assert (cell["cases"], cell["evidence"], cell["passed"]) == (70, 70, 70)
    assert llmctl("baseline", "show", "nothing").code == 2


def test_nothing_saved_is_said(project: Path, llmctl: Invoke) -> None:
    assert "No baseline is saved" in llmctl("baseline", "show").err
    assert llmctl("baseline", "show", "route").code == 2


def test_missing_answers_are_no_baseline(project: Path, llmctl: Invoke) -> None:
    result = llmctl("baseline", "save")
    assert result.code == 4
    assert "llmctl eval" in result.err
    assert not (project / "testbanks/.baseline").exists()


def test_a_machine_without_the_store_judges_by_the_committed_file(saved: Path, llmctl: Invoke) -> None:
    shutil.rmtree(saved / ".llmctl")
    write(saved, "prompts/p.yaml", 'model: fake\ntemplate: "Say it: {{ q }}"\n')
    document = json.loads(llmctl("gate", "--json").out)
    assert document["verdict"] == "PASS", document
    assert "committed" in document["baseline"]
    # A real failure is asked again at the commit that the file names.
    broken = "model: fake\ntemplate: \"{{ 'No' if q == 'word 3' else 'Say' }} {{ q }}\"\n"
    write(saved, "prompts/p.yaml", broken)
    result = llmctl("gate", "--json")
    [cell] = json.loads(result.out)["cells"]
    found = {rule["rule"]: rule for rule in cell["rules"]}
    assert (result.code, found["max_new_failures"]["verdict"]) == (1, "FAIL")


def test_a_prompt_that_is_in_no_commit_cannot_be_asked_again(saved: Path, llmctl: Invoke) -> None:
    write(saved, "prompts/p.yaml", 'model: fake\ntemplate: "Say this: {{ q }}"\n')
    assert llmctl("eval").code == 0
    assert llmctl("baseline", "save").code == 0
    write(saved, "prompts/p.yaml", "model: fake\ntemplate: \"{{ 'No' if q == 'word 3' else 'Say' }} {{ q }}\"\n")
    result = llmctl("gate", "--json")
    [cell] = json.loads(result.out)["cells"]
    found = {rule["rule"]: rule for rule in cell["rules"]}
    assert result.code == 4
    assert "cannot be asked again" in found["max_new_failures"]["sentence"]


def test_a_prompt_that_was_committed_with_its_baseline_is_found(saved: Path, llmctl: Invoke) -> None:
    write(saved, "prompts/p.yaml", 'model: fake\ntemplate: "Say this: {{ q }}"\n')
    assert llmctl("eval").code == 0
    assert llmctl("baseline", "save").code == 0  # names the commit before the one that it goes into
    git(saved, "add", ".")
    git(saved, "commit", "-qm", "another prompt, and its baseline")
    write(saved, "prompts/p.yaml", "model: fake\ntemplate: \"{{ 'No' if q == 'word 3' else 'Say' }} {{ q }}\"\n")
    result = llmctl("gate", "--json")
    [cell] = json.loads(result.out)["cells"]
    found = {rule["rule"]: rule for rule in cell["rules"]}
    assert (result.code, found["max_new_failures"]["verdict"]) == (1, "FAIL")
