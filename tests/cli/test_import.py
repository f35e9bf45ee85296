"""`import` through the front door: what is written, what is refused, and that it runs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Invoke, write

CONFIG = """
description: Greetings
prompts: ['Greet {{ name }}']
providers: [echo]
tests:
  - description: Ann
    vars: {name: Ann}
    assert:
      - {type: contains, value: Ann}
      - type: javascript
        value: output.split(' ')[0] === 'Hi'
  - description: Bob
    vars: {name: Bob}
    assert: [{type: equals, value: Hello Bob}]
"""


def files(root: Path) -> list[str]:
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and ".llmctl" not in path.parts
    )


def test_a_new_project_that_runs(tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, "old/promptfooconfig.yaml", CONFIG)
    result = llmctl("import", "promptfoo", "old", "--into", "new")
    assert (result.code, result.err) == (0, "")
    assert files(tmp_path / "new") == ["llmctl.toml", "prompts/old.yaml", "testbanks/old.yaml"]
    assert "1 prompt, 1 bank, 2 cases, 1 new model; 1 not converted." in result.out
    assert "old/promptfooconfig.yaml" not in result.out
    assert "promptfooconfig.yaml:9" in result.out
    assert llmctl("-C", "new", "validate").out == "1 prompt, 1 bank, 2 cases: all good.\n"
    run = llmctl("-C", "new", "eval", "--json")
    assert run.code == 0
    assert json.loads(run.out)["total"]["passed"] == 1


def test_json(tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, "promptfooconfig.yaml", CONFIG)
    document = json.loads(llmctl("import", "promptfoo", "promptfooconfig.yaml", "--into", "new", "--json").out)
    assert document["schema"] == "llmctl/import/1"
    assert document["banks"] == {tmp_path.name.replace("_", "-"): 2} or list(document["banks"].values()) == [2]
    left_out = [note for note in document["notes"] if note["fate"] == "left_out"]
    assert [note["what"] for note in left_out] == ["javascript"]
    assert left_out[0]["places"] == ["promptfooconfig.yaml:9:9"]


def test_a_dry_run_writes_nothing(tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, "old/promptfooconfig.yaml", CONFIG)
    result = llmctl("import", "promptfoo", "old", "--into", "new", "--dry-run")
    assert result.code == 0
    assert result.out.startswith("Would write\n  new/prompts/old.yaml\n")
    assert not (tmp_path / "new").exists()


def test_nothing_is_replaced_unasked(tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, "old/promptfooconfig.yaml", CONFIG)
    bank = write(tmp_path, "new/testbanks/old.yaml", "mine: true")
    result = llmctl("import", "promptfoo", "old", "--into", "new")
    assert result.code == 2
    assert "new/testbanks/old.yaml exists already." in result.err.replace("\n", " ")
    assert files(tmp_path / "new") == ["testbanks/old.yaml"]
    assert llmctl("import", "promptfoo", "old", "--into", "new", "--force").code == 0
    assert "mine" not in bank.read_text(encoding="utf-8")


def test_models_are_added_to_the_project_here_and_only_once(project: Path, llmctl: Invoke) -> None:
    text = CONFIG.replace("[echo]", "[echo, 'openai:gpt-4o', {id: 'openai:gpt-4o', label: fake}]")
    write(project, "old/promptfooconfig.yaml", text)
    before = (project / "llmctl.toml").read_text(encoding="utf-8")
    assert llmctl("import", "promptfoo", "old").code == 0
    after = (project / "llmctl.toml").read_text(encoding="utf-8")
    assert after.startswith(before.rstrip("\n"))
    assert after.count("[models.gpt-4o]") == 1
    assert "[models.fake-2]" not in after  # the same model under two labels is one model
    assert "[models.echo-2]" not in after  # the project has that one already
    assert llmctl("import", "promptfoo", "old", "--force").code == 0
    assert (project / "llmctl.toml").read_text(encoding="utf-8") == after
    assert llmctl("validate").code == 0


def test_a_broken_project_is_said_before_anything_is_read(project: Path, llmctl: Invoke) -> None:
    write(project, "llmctl.toml", "[models.a]\n")
    result = llmctl("import", "promptfoo", "gone")
    assert result.code == 2
    assert "llmctl.toml:1" in result.err


def test_no_config(tmp_path: Path, llmctl: Invoke) -> None:
    result = llmctl("import", "promptfoo", "gone.yaml")
    assert (result.code, result.out) == (2, "")
    assert "There is no file gone.yaml." in result.err


def test_openai_evals_runs(tmp_path: Path, llmctl: Invoke) -> None:
    chat = [{"role": "system", "content": "Repeat."}, {"role": "user", "content": "Ann"}]
    rows = [{"input": chat, "ideal": "Ann"}, {"input": [*chat[:1], {**chat[1], "content": "Bob"}], "ideal": "x"}]
    write(tmp_path, "names.jsonl", "\n".join(map(json.dumps, rows)))
    result = llmctl("import", "openai-evals", "names.jsonl", "--class", "Match", "--into", "new", "-m", "fake/echo")
    assert (result.code, result.err) == (0, "")
    assert "Match -> `starts_with`" in result.out
    assert "`-m`" not in result.out
    assert llmctl("-C", "new", "validate").out == "1 prompt, 1 bank, 2 cases: all good.\n"
    assert json.loads(llmctl("-C", "new", "eval", "--json").out)["total"]["passed"] == 1
    assert "eval -m" in result.out


def test_inspect_runs(tmp_path: Path, llmctl: Invoke) -> None:
    rows = [{"question": "Ann?", "target": "ann"}, {"question": "Bob?", "target": "x"}]
    write(tmp_path, "names.jsonl", "\n".join(map(json.dumps, rows)))
    words = ("import", "inspect", "names.jsonl", "--into", "new", "-m", "fake/echo", "--field", "input=question")
    result = llmctl(*words, "--scorer", "match", "--scorer-arg", "location=exact")
    assert (result.code, result.err) == (0, "")
    assert llmctl("-C", "new", "validate").out == "1 prompt, 1 bank, 2 cases: all good.\n"
    assert json.loads(llmctl("-C", "new", "eval", "--json").out)["total"]["passed"] == 1
    assert llmctl(*words, "--scorer-arg", "location=end").code == 2


def test_the_judge_is_the_projects_own_or_the_model_asked(project: Path, llmctl: Invoke) -> None:
    write(project, "names.jsonl", '{"input": "a", "target": "b"}')
    words = ("import", "inspect", "names.jsonl", "--scorer", "model_graded_qa", "--force")
    assert llmctl(*words).code == 0
    bank = project / "testbanks/names.yaml"
    assert "model: fake\n" in bank.read_text(encoding="utf-8")
    assert llmctl(*words, "--judge", "echo").code == 0
    assert "model: echo\n" in bank.read_text(encoding="utf-8")
    config = project / "llmctl.toml"
    config.write_text(f'{config.read_text(encoding="utf-8")}\n[judge]\nmodel = "echo"\n', encoding="utf-8")
    assert llmctl(*words).code == 0
    assert "model:" not in bank.read_text(encoding="utf-8")
