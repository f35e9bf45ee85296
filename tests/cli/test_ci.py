"""`llmctl gate` in CI: files, the job's summary, annotations, a quiet log, and errors that are no pass."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from llmctl.cli.ci import repeatable
from tests.cli.conftest import Invoke, write
from tests.cli.git import commit_all

CONFIG = """
[models.fake]
model = "fake/echo"

[gate]
baseline = "main"
"""
CASES = "".join(f"  - {{id: c{number}, vars: {{q: 'word {number}'}}}}\n" for number in range(20))
BANK = f"prompts: [p]\ngate:\n  max_new_failures: 0\nevaluators:\n  - regex: '^Say'\ncases:\n{CASES}"
WELL = 'model: fake\ntemplate: "Say: {{ q }}"\n'
BROKEN = "model: fake\ntemplate: \"{{ '::add-mask::No' if q == 'word 3' else 'Say:' }} {{ q }}\"\n"
FILES = ("g.md", "g.html", "g.json", "g.junit.xml", "g.sarif", "g.codequality.json")


@pytest.fixture
def gated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose prompt was committed; no CI around it."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    write(tmp_path, "llmctl.toml", CONFIG)
    write(tmp_path, "prompts/p.yaml", WELL)
    write(tmp_path, "testbanks/b.yaml", BANK)
    commit_all(tmp_path)
    return tmp_path


def outputs(root: Path) -> list[str]:
    return [word for name in FILES for word in ("-o", str(root / name))]


def test_a_broken_prompt_in_every_format(gated: Path, llmctl: Invoke) -> None:
    write(gated, "prompts/p.yaml", BROKEN)
    result = llmctl("gate", *outputs(gated))
    assert result.code == 1, result.err
    assert "::stop-commands" not in result.out + result.err
    page = (gated / "g.md").read_text()
    assert page.startswith("<!-- llmctl:gate -->\n## FAIL\n")
    assert "<code>c3</code>" in page
    assert "Before:\n\n```text\nSay: word 3\n```" in page
    assert "pass rate | 100 % [83, 100] | 95.0 %" in page
    assert "+  {{ '::add-mask::No'" in page
    assert page.endswith("```console\nllmctl gate\n```\n")
    tests = ElementTree.parse(gated / "g.junit.xml").getroot()
    [case] = [test for test in tests.iter("testcase") if test.get("name") == "b.c3"]
    line = BANK.split("\n").index("  - {id: c3, vars: {q: 'word 3'}}") + 1
    assert (case.get("file"), case.get("line")) == ("testbanks/b.yaml", str(line))
    assert json.loads((gated / "g.sarif").read_text())["runs"][0]["invocations"][0]["exitCode"] == 1
    assert json.loads((gated / "g.codequality.json").read_text())[0]["location"]["lines"]["begin"] == line
    assert json.loads((gated / "g.json").read_text())["verdict"] == "FAIL"
    assert "<html" in (gated / "g.html").read_text()


def test_the_runner_obeys_no_answer(gated: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    write(gated, "prompts/p.yaml", BROKEN)
    lines = llmctl("gate").out.splitlines()
    assert lines[0].startswith("::stop-commands::")
    token = lines[0].removeprefix("::stop-commands::")
    end = lines.index(f"::{token}::")
    assert any("::add-mask::" in line for line in lines[:end])
    assert lines[end + 1].startswith("::error file=testbanks/b.yaml,line=")
    assert len(lines) == end + 2
    assert token not in llmctl("gate").out
    # With --json stdout is the document alone.
    result = llmctl("gate", "--json")
    assert json.loads(result.out)["verdict"] == "FAIL"
    assert "::stop-commands::" in result.err and "\n::error file=" in result.err


def test_the_summary_is_appended(gated: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    file = gated / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    assert llmctl("gate").code == llmctl("gate").code == 0
    assert file.read_text().count("## PASS") == 2
    other = gated / "other.md"
    assert llmctl("gate", "--summary", str(other)).code == 0
    assert other.read_text().count("## PASS") == 1
    assert file.read_text().count("## PASS") == 2
    file.write_bytes(b"x" * (1024 * 1024))
    result = llmctl("gate")
    assert result.code == 0
    assert "is full" in result.err
    assert file.stat().st_size == 1024 * 1024
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(gated / "nowhere" / "s.md"))
    assert "cannot be written" in llmctl("gate").err
    assert llmctl("gate", "--summary", str(gated / "nowhere" / "s.md")).code == 2


def test_a_project_below_the_top_of_the_repository(tmp_path: Path, llmctl: Invoke) -> None:
    for name, text in (("llmctl.toml", CONFIG), ("prompts/p.yaml", WELL), ("testbanks/b.yaml", BANK)):
        write(tmp_path, f"apps/desk/{name}", text)
    commit_all(tmp_path)
    write(tmp_path, "apps/desk/prompts/p.yaml", BROKEN)
    assert llmctl("-C", "apps/desk", "gate", "-o", "q.codequality.json").code == 1
    issue = json.loads((tmp_path / "q.codequality.json").read_text())[0]
    assert issue["location"]["path"] == "apps/desk/testbanks/b.yaml"


def test_without_a_key_nothing_is_green(gated: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    config = '[models.fake]\nmodel = "openai/gpt"\napi_key_env = "NOT_SET"\n[gate]\nbaseline = "main"\n'
    write(gated, "llmctl.toml", config)
    for name in FILES:
        write(gated, name, "of yesterday: PASS")
    result = llmctl("gate", *outputs(gated), "--summary", str(gated / "s.md"))
    assert result.code == 4
    assert "\n::error title=llmctl gate%3A NOT EVALUATED::Exit 4" in result.out
    for name in FILES:
        assert "yesterday" not in (gated / name).read_text()
    for name in ("g.md", "s.md"):
        assert "## NOT EVALUATED" in (gated / name).read_text()
        assert "NOT_SET" in (gated / name).read_text()
    assert ElementTree.parse(gated / "g.junit.xml").getroot().get("errors") == "1"
    assert json.loads((gated / "g.json").read_text())["exit_code"] == 4


def test_a_mistake_in_a_file_is_said_with_its_place(gated: Path, llmctl: Invoke) -> None:
    write(gated, "prompts/p.yaml", "model: fake\ntemplat: x\n")
    assert llmctl("gate", "-o", "g.md").code == 2
    page = (gated / "g.md").read_text()
    assert "Exit 2: the command or a file is wrong, and nothing was sent." in page
    assert "prompts/p.yaml:2:1" in page


def test_a_committed_baseline_shows_what_it_knows(gated: Path, llmctl: Invoke) -> None:
    write(gated, "llmctl.toml", CONFIG.partition("[gate]")[0])
    assert llmctl("eval").code == 0
    assert llmctl("baseline", "save").code == 0
    write(gated, "prompts/p.yaml", BROKEN)
    llmctl("gate", "-o", "g.md")
    page = (gated / "g.md").read_text()
    assert "| pass rate | 100 % | 95.0 %" in page
    assert "### Newly broken: 1" in page
    assert "Before:" not in page


def test_a_stored_run_and_a_dry_run(gated: Path, llmctl: Invoke) -> None:
    assert llmctl("gate", "--label", "night").code == 0
    assert llmctl("gate", "--run", "night", "-o", "g.md", "--summary", "s.md").code == 0
    assert "## PASS" in (gated / "s.md").read_text()
    assert "llmctl gate --run night\n" in (gated / "g.md").read_text()
    assert llmctl("gate", "--dry-run", "-o", "d.md").code == 0
    assert not (gated / "d.md").exists()


def test_the_command_to_repeat_writes_no_files() -> None:
    words = ["llmctl", "gate", "-o", "a.md", "-ob.md", "--output", "c", "--output=d", "--summary", "e", "-p", "q"]
    assert repeatable(words) == ["llmctl", "gate", "-p", "q"]
    assert repeatable(["llmctl", "gate", "--offline"]) == ["llmctl", "gate", "--offline"]
