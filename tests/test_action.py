"""The action for GitHub, the hook for pre-commit, and the examples of docs/ci.md, run as a CI system runs them.

The scripts are those of the files, under bash, in a clone of a repository; `pip` and `gh` are recorded stand-ins.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.cli.conftest import write
from tests.cli.git import commit_all, git

ROOT = Path(__file__).parents[1]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: dict[str, dict[str, Any]] = {step["name"]: step for step in ACTION["runs"]["steps"]}
CONFIG = '[models.fake]\nmodel = "fake/echo"\n\n[gate]\nbaseline = "main"\n'
BANK = (
    "prompts: [p]\ngate:\n  max_new_failures: 0\n  min_pass_rate: 0.5\nevaluators:\n  - regex: '^Say'\ncases:\n"
    + "".join(f"  - {{id: c{number}, vars: {{q: 'word {number}'}}}}\n" for number in range(12))
)
WELL = 'model: fake\ntemplate: "Say: {{ q }}"\n'
BROKEN = "model: fake\ntemplate: \"{{ 'No' if q == 'word 3' else 'Say:' }} {{ q }}\"\n"
MARKER = "<!-- llmctl:gate -->"
GH = """
import json, os, sys
from pathlib import Path
state = Path(os.environ["GH_STATE"])
known = json.loads(state.read_text())
arguments = sys.argv[1:]
known["seen"].append(arguments)
state.write_text(json.dumps(known))
if known["refuses"] or arguments[:2] == ["api", "user"]:  # a job's own token may not ask who it is
    sys.exit(1)
if "--paginate" in arguments:
    for one in known["comments"]:
        if one["user"] == os.environ["ME"] and one["body"].startswith("<!-- llmctl:gate -->"):
            print(one["id"])
    sys.exit(0)
body = Path(arguments[arguments.index("-F") + 1].removeprefix("body=@")).read_text()
if "POST" in arguments:
    known["comments"].append({"id": len(known["comments"]) + 1, "user": os.environ["ME"], "body": body})
else:
    number = int(arguments[3].rpartition("/")[2])
    known["comments"][number - 1]["body"] = body
state.write_text(json.dumps(known))
"""


@dataclass
class Job:
    """A checked-out pull request on a machine of its own."""

    root: Path
    environ: dict[str, str]
    bin: Path
    gh: Path
    outputs: dict[str, str] = field(default_factory=dict)

    def bash(self, script: str, environ: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        """As GitHub runs `shell: bash`."""
        file = self.bin / "step.sh"
        file.write_text(script, encoding="utf-8")
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(file)]
        return subprocess.run(
            command,
            cwd=self.root,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def step(self, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        """A step of the action, with its inputs."""
        step = STEPS[name]
        given = {key: value["default"] for key, value in ACTION["inputs"].items()} | inputs
        values = {
            **{f"inputs.{key}": value for key, value in given.items()},
            **{f"steps.gate.outputs.{key}": value for key, value in self.outputs.items()},
            "github.event.pull_request.number": "7",
            "github.action_path": str(ROOT),
        }
        environ = {
            key: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: values.get(found[1], ""), value)
            for key, value in step.get("env", {}).items()
        }
        done = self.bash(step["run"], environ)
        if (written := Path(self.environ["GITHUB_OUTPUT"])).exists():
            self.outputs = dict(line.split("=", 1) for line in written.read_text().splitlines())
        return done

    def say(self, prompt: str) -> None:
        """Change the prompt."""
        write(self.root, "prompts/p.yaml", prompt)

    @property
    def report(self) -> Path:
        return Path(self.outputs["reports"])

    @property
    def comments(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.gh.read_text())["comments"]
        return found

    def github(self, **state: object) -> None:
        """What the forge holds."""
        self.gh.write_text(json.dumps({"seen": [], "refuses": False, "comments": [], **state}))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A clone on a branch, its origin's `main` with a prompt that is well."""
    origin, root, tools = (tmp_path / name for name in ("origin", "clone", "bin"))
    write(origin, "llmctl.toml", CONFIG)
    write(origin, "prompts/p.yaml", WELL)
    write(origin, "testbanks/b.yaml", BANK)
    write(origin, ".gitignore", ".llmctl/\ngate.*\n")
    commit_all(origin)
    git(tmp_path, "clone", "-q", str(origin), str(root))
    git(root, "checkout", "-qb", "change")
    tools.mkdir()
    write(tools, "gh.py", GH)
    program(tools / "llmctl", f'exec {shlex.quote(sys.executable)} -m llmctl "$@"')
    program(tools / "gh", f'exec {shlex.quote(sys.executable)} {shlex.quote(str(tools / "gh.py"))} "$@"')
    program(tools / "pip", 'printf "%s\\n" "$@" >> "$PIP_LOG"')
    program(tools / "python", 'printf "%s\\n" "$@" >> "$PIP_LOG"')
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "LLMCTL_", "GH_"))}
    environ |= {
        "PATH": f"{tools}{os.pathsep}{environ['PATH']}",
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tools / "output"),
        "GITHUB_STEP_SUMMARY": str(tools / "summary.md"),
        "GITHUB_REPOSITORY": "team/desk",
        "RUNNER_TEMP": str(tools),
        "GH_STATE": str(tools / "gh.json"),
        "PIP_LOG": str(tools / "pip.log"),
    }
    made = Job(root, environ, tools, tools / "gh.json")
    made.github()
    return made


def program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)


def test_every_step_is_named_and_no_script_holds_an_expression() -> None:
    steps = ACTION["runs"]["steps"]
    assert ACTION["runs"]["using"] == "composite"
    assert len(STEPS) == len(steps)
    for step in steps:
        assert step["name"]
        assert ("uses" in step) != ("run" in step)
        if "run" in step:
            assert step["shell"] == "bash"
            assert "${{" not in step["run"], step["name"]
        else:
            assert re.fullmatch(r"actions/[\w/-]+@v\d+", step["uses"])
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"\binputs\.([\w-]+)", text))
    assert used == set(ACTION["inputs"])
    assert all(value["description"] for value in (ACTION["inputs"] | ACTION["outputs"]).values())
    assert steps[-1]["name"] == "Verdict"
    assert steps[-1]["if"] == "always()"


def test_the_page_names_every_input_and_output() -> None:
    page = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    assert [name for name in (*ACTION["inputs"], *ACTION["outputs"]) if f"`{name}`" not in page] == []


def test_a_pull_request_from_red_to_green(job: Job) -> None:
    job.say(BROKEN)
    judged = job.step("Judge", baseline="origin/main", **{"max-cost": "1"})
    assert judged.returncode == 0, judged.stderr  # the step after the comment is the one that fails
    assert (job.outputs["exit-code"], job.outputs["verdict"]) == ("1", "FAIL")
    assert "::error file=testbanks/b.yaml,line=" in judged.stdout
    assert {path.name for path in job.report.iterdir()} == {
        f"gate.{ending}" for ending in ("json", "md", "html", "junit.xml", "sarif")
    }
    assert "## FAIL" in (job.bin / "summary.md").read_text()
    assert job.step("Comment on the pull request").returncode == 0
    assert [one["body"].splitlines()[:2] for one in job.comments] == [[MARKER, "## FAIL"]]
    assert job.step("Verdict").returncode == 1
    # The next push: one comment, another verdict.
    (job.bin / "output").unlink()
    job.say(WELL)
    job.step("Judge", baseline="origin/main")
    job.step("Comment on the pull request")
    assert [one["body"].splitlines()[1] for one in job.comments] == ["## PASS"]
    assert job.step("Verdict").returncode == 0


def test_a_comment_of_somebody_else_is_left_alone(job: Job) -> None:
    theirs = {"id": 1, "user": "mallory", "body": f"{MARKER}\n## PASS"}
    job.github(comments=[theirs])
    job.say(BROKEN)
    job.step("Judge")
    assert job.step("Comment on the pull request").returncode == 0
    assert job.comments[0] == theirs
    assert job.comments[1]["user"] == "github-actions[bot]"


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_the_filter_finds_our_comments_alone() -> None:
    [query] = re.findall(r"find='(.*)'", STEPS["Comment on the pull request"]["run"])
    comments = [
        {"id": number, "user": {"login": login}, "body": body}
        for number, (login, body) in enumerate(
            [("bot", f"{MARKER}\nx"), ("bot", f"see {MARKER}"), ("mallory", f"{MARKER}\nx")]
        )
    ]
    environ = {**os.environ, "ME": "bot"}
    found = subprocess.run(
        ["jq", "-r", query], input=json.dumps(comments), env=environ, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["0"]


def test_a_fork_may_not_comment_and_is_told_so(job: Job) -> None:
    job.github(refuses=True)
    job.step("Judge")
    done = job.step("Comment on the pull request")
    assert done.returncode == 0
    assert done.stdout.startswith("::warning title=llmctl gate::The comment could not be written")
    assert job.step("Verdict").returncode == 0


def test_without_its_secret_nothing_is_green(job: Job) -> None:
    write(job.root, "llmctl.toml", CONFIG.replace("fake/echo", "openai/gpt-4o-mini"))
    job.environ.pop("OPENAI_API_KEY", None)
    judged = job.step("Judge")
    assert "OPENAI_API_KEY" in judged.stderr
    assert (job.outputs["exit-code"], job.outputs["verdict"]) == ("4", "NOT EVALUATED")
    assert "## NOT EVALUATED" in (job.bin / "summary.md").read_text()
    job.step("Comment on the pull request")
    assert "OPENAI_API_KEY" in job.comments[0]["body"]
    assert job.step("Verdict").returncode == 4


def test_a_step_that_broke_is_no_pass(job: Job) -> None:
    assert job.step("Verdict").returncode == 4
    program(job.bin / "llmctl", "exit 137")
    job.step("Judge")
    assert (job.outputs["exit-code"], job.outputs["verdict"]) == ("137", "NOT EVALUATED")
    assert "ended with 137" in (job.report / "gate.md").read_text()
    assert "ended with 137" in (job.bin / "summary.md").read_text()
    assert job.step("Verdict").returncode == 137


def test_inputs_are_words_and_never_code(job: Job) -> None:
    program(job.bin / "llmctl", 'printf "%s\\n" "$@"; exit 2')
    done = job.step(
        "Judge",
        banks="b * $(touch owned)",
        baseline="`touch owned`",
        args="--repeat 2 ; touch owned *",
        directory="a b",
        **{"max-cost": "1; touch owned"},
    )
    assert not (job.root / "owned").exists()
    words = done.stdout.split("\n")
    assert words[:3] == ["-C", "a b", "gate"]
    assert "--baseline=`touch owned`" in words and "--max-cost=1; touch owned" in words
    assert "*" in words
    assert words[words.index("--") + 1 :][:4] == ["b", "*", "$(touch", "owned)"]


def test_a_shallow_clone_names_the_line_to_add(job: Job, tmp_path: Path) -> None:
    git(tmp_path / "origin", "commit", "-q", "--allow-empty", "-m", "second")
    git(tmp_path / "origin", "checkout", "-qb", "change")
    git(tmp_path / "origin", "commit", "-q", "--allow-empty", "-m", "third")
    shutil.rmtree(job.root)
    git(tmp_path, "clone", "-q", "--depth", "1", "-b", "change", f"file://{tmp_path / 'origin'}", str(job.root))
    job.step("Judge", baseline="origin/main")
    assert job.outputs["exit-code"] == "2"
    assert "fetch-depth: 0" in (job.report / "gate.md").read_text()
    [checkout] = [step for step in workflow("gate")["steps"] if step["name"] == "Check out"]
    assert checkout["with"]["fetch-depth"] == 0


def test_what_is_installed_is_this_revision(job: Job) -> None:
    assert job.step("Install llmctl", extras="local,semantic").returncode == 0
    words = (job.bin / "pip.log").read_text().split("\n")
    assert words[-2] == f"{ROOT}[local,semantic]"
    assert Path(words[words.index("--constraint") + 1]).is_file()
    job.step("Install llmctl")
    assert (job.bin / "pip.log").read_text().endswith(f"\n{ROOT}\n")


def blocks() -> list[dict[str, Any]]:
    """The YAML blocks of the page."""
    text = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


def workflow(name: str) -> dict[str, Any]:
    """A job of the page."""
    [found] = [block for block in blocks() if block.get("name") == name]
    job: dict[str, Any] = found["jobs"]["gate"]
    return job


def test_the_workflow_of_the_page_uses_the_action(job: Job) -> None:
    [step] = [step for step in workflow("gate")["steps"] if step["name"] == "Gate"]
    assert set(step["with"]) <= set(ACTION["inputs"])
    job.say(BROKEN)
    job.step("Judge", **step["with"])
    assert job.outputs["verdict"] == "FAIL"
    assert job.step("Verdict").returncode == 1


def test_the_workflow_by_hand(job: Job) -> None:
    job.say(BROKEN)
    scripts = [step["run"] for step in workflow("gate-by-hand")["steps"] if "run" in step]
    assert [job.bash(script).returncode for script in scripts] == [0, 1]
    assert (job.bin / "pip.log").read_text() == "install\nllmctl-toolkit\n"
    assert "## FAIL" in (job.bin / "summary.md").read_text()


def test_the_pipeline_for_gitlab(job: Job) -> None:
    [gate] = [block["gate"] for block in blocks() if "gate" in block]
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        job.environ.pop(name)
    job.say(BROKEN)
    done = job.bash("\n".join(gate["script"]), gate["variables"])
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("FAIL")
    reports = gate["artifacts"]["reports"]
    assert ElementTree.parse(job.root / reports["junit"]).getroot().get("failures") == "3"
    issues = json.loads((job.root / reports["codequality"]).read_text())
    assert {"description", "check_name", "fingerprint", "severity", "location"} == set(issues[0])
    assert all((job.root / path).is_file() for path in gate["artifacts"]["paths"])


def test_the_hook_for_pre_commit(job: Job) -> None:
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    [config] = [block for block in blocks() if "repos" in block]
    assert [one["id"] for one in config["repos"][0]["hooks"]] == [hook["id"]]
    names = ["llmctl.toml", "prompts/p.yaml", "apps/desk/testbanks/b.csv", "README.md", "src/my_prompts/x.py"]
    assert [bool(re.search(hook["files"], name)) for name in names] == [True, True, True, False, False]
    assert not hook["pass_filenames"]
    assert job.bash(hook["entry"]).returncode == 0
    job.say("model: fake\ntemplat: x\n")
    assert job.bash(hook["entry"]).returncode == 2


def test_the_committed_baseline_of_the_page(job: Job) -> None:
    text = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    [console] = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert job.bash(console.replace("$ ", "")).returncode == 0
    write(job.root, "llmctl.toml", CONFIG.partition("[gate]")[0])
    shutil.rmtree(job.root / ".llmctl")
    job.say(BROKEN)
    job.step("Judge")
    assert job.outputs["verdict"] == "FAIL"
    assert "the committed baseline" in (job.report / "gate.md").read_text()
