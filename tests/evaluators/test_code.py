"""Code of the project as an evaluator: what may run, when it counts as changed, and what becomes of its processes."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmctl.errors import ProjectError
from llmctl.evaluators.base import Context, MetricScore
from llmctl.evaluators.built import BuiltEvaluator
from llmctl.evaluators.code import host as code_host
from llmctl.evaluators.code.context import CONTEXT_FIELDS
from llmctl.evaluators.code.message import to_bytes
from llmctl.evaluators.registry import build
from llmctl.evaluators.verdict import Subject, judge
from llmctl.project.models import EvaluatorSettings
from tests.providers.app.conftest import ends

from .entries import SETTINGS, case_of, spec_of, wrong_samples

ALLOW = "Add `allow_code = true` under [project] in llmctl.toml."


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A project of its own; its processes end with the test."""
    yield tmp_path
    code_host.release_code()


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def made(entry: Any, root: Path) -> BuiltEvaluator:
    return build(spec_of(entry), None, EvaluatorSettings(allow_code=True, root=root))


async def judged(entry: Any, root: Path, output: str = "x") -> MetricScore:
    verdict = await judge([made(entry, root)], Subject(output))
    [score] = verdict.scores
    return score


@pytest.mark.parametrize("entry", [{"python": "checks.py:contains"}, {"command": ["./check.sh", "deaf"]}])
def test_code_must_be_allowed(entry: Any) -> None:
    settings = dataclasses.replace(SETTINGS, allow_code=False)
    for spec in (spec_of(entry), spec_of({"not": entry})):
        with pytest.raises(ProjectError) as caught:
            build(spec, None, settings)
        [problem] = caught.value.problems
        assert problem.message.endswith("runs code, which llmctl.toml does not allow.")
        assert problem.hint == ALLOW


def test_building_and_looking_at_samples_runs_nothing(root: Path) -> None:
    write(root, "mark.py", "import pathlib\npathlib.Path('ran').touch()\ndef judge(context): return False\n")
    write(root, "mark.sh", "touch ran\n")
    settings = EvaluatorSettings(allow_code=True, root=root)
    for entry in ({"python": "mark.py:judge"}, {"command": ["sh", "mark.sh"]}):
        for whole in (entry, {"any": [entry, {"contains": "b"}]}):
            assert wrong_samples(spec_of({**whole, "good": ["a"], "bad": ["b"]}), None, settings) == []
            assert build(spec_of(whole), None, settings).runs_code
    assert not (root / "ran").exists()


def test_a_file_that_is_no_python_is_refused(root: Path) -> None:
    write(root, "bad.py", "x = 1\ndef judge(:\n")
    with pytest.raises(ProjectError) as caught:
        made({"python": "bad.py:judge"}, root)
    assert [problem.message for problem in caught.value.problems] == [
        "This is no Python: invalid syntax (bad.py, line 2)."
    ]


def test_a_link_that_leads_out_of_the_project_is_refused(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "judge.py"
    outside.write_text("def judge(context): return True\n", encoding="utf-8")
    (root / "judge.py").symlink_to(outside)
    with pytest.raises(ProjectError) as caught:
        made({"python": "judge.py:judge"}, root)
    assert "lies outside the project" in caught.value.problems[0].message


def key(entry: Any, root: Path) -> str:
    return made(entry, root).key


def test_the_key_is_that_of_the_content(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    entry = {"python": "judge.py:judge"}
    write(root, "judge.py", "import rules\ndef judge(context): return True\n")
    write(root, "rules.py", "MOST = 1\n")
    write(root, "other.py", "")
    first = key(entry, root)
    write(root, "other.py", "changed = True\n")
    assert key(entry, root) == first
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("judge.py", "rules.py"):
        write(elsewhere, name, (root / name).read_text(encoding="utf-8"))
    assert key(entry, elsewhere) == first
    write(root, "rules.py", "MOST = 2\n")
    second = key(entry, root)
    write(root, "judge.py", "import rules\ndef judge(context): return False\n")
    assert len({first, second, key(entry, root)}) == 3


def test_the_key_of_a_command_is_that_of_the_files_it_names(root: Path) -> None:
    entry = {"command": ["sh", "check.sh", "--rules=rules.txt"]}
    write(root, "check.sh", "exit 0\n")
    keys = {key(entry, root)}
    write(root, "check.sh", "exit 1\n")
    keys.add(key(entry, root))
    write(root, "rules.txt", "a\n")
    keys.add(key(entry, root))
    assert len(keys) == 3


def test_the_function_gets_all_of_the_context_that_decides_a_score() -> None:
    fields = {field.name for field in dataclasses.fields(Context)}
    assert set(CONTEXT_FIELDS) == fields - {"cached", "embed", "ask"}


async def test_what_a_function_gets(root: Path) -> None:
    write(
        root,
        "judge.py",
        "import dataclasses, json\n"
        "def judge(context, **args):\n"
        "    return {'passed': True, 'explanation': json.dumps([dataclasses.asdict(context), args])}\n",
    )
    built = build(
        spec_of({"python": {"function": "judge.py:judge", "args": {"a": {"from": "vars.a"}}}, "extract": "/x"}),
        case_of({"vars": {"a": 5}}),
        EvaluatorSettings(allow_code=True, root=root),
    )
    subject = Subject(
        '{"x": "\u00e4\\ud800"}',
        expected=None,
        has_expected=True,
        vars={"a": 5, "b": [1.5, None]},
        finish_reason="stop",
        tool_calls=({"name": "t"},),
        tools=({"type": "function"},),
        latency_ms=1.5,
        ttft_ms=0.5,
        cost_usd=0.25,
        input_tokens=3,
        output_tokens=2,
    )
    [score] = (await judge([built], subject)).scores
    context, args = json.loads(score.explanation.partition(" (judge.py")[0])
    assert args == {"a": 5}
    assert context == {
        "output": "\u00e4\ud800",
        "raw_output": subject.output,
        "expected": None,
        "has_expected": True,
        "vars": {"a": 5, "b": [1.5, None]},
        "outcome": "answered",
        "finish_reason": "stop",
        "tool_calls": [{"name": "t"}],
        "tools": [{"type": "function"}],
        "latency_ms": 1.5,
        "ttft_ms": 0.5,
        "cost_usd": 0.25,
        "input_tokens": 3,
        "output_tokens": 2,
    }


def test_numbers_without_end_are_null_in_what_code_gets() -> None:
    assert json.loads(to_bytes({"a": [float("nan"), {"b": float("inf")}], "c": "\ud800"})) == {
        "a": [None, {"b": None}],
        "c": "\ud800",
    }


async def test_it_runs_in_the_project_s_root_with_this_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECK_MODE", "strict")
    write(root, "a/judge.py", "import os\ndef judge(c): return os.getcwd() + os.environ['CHECK_MODE'] == c.output\n")
    write(root, "a/judge.sh", 'test "$(pwd -P)$CHECK_MODE" = "$1"\n')
    here = f"{root.resolve()}strict"
    assert (await judged({"python": "a/judge.py:judge"}, root, here)).passed
    assert (await judged({"command": ["sh", "a/judge.sh", here]}, root)).passed


PID = "import os\ndef judge(context): return {'passed': True, 'explanation': str(os.getpid())}\n"


def pid_of(score: MetricScore) -> int:
    return int(score.explanation.split()[0])


async def test_a_process_answers_call_after_call_and_ends_with_the_run(root: Path) -> None:
    write(root, "judge.py", PID)
    pids = {pid_of(await judged({"python": "judge.py:judge"}, root)) for _ in range(5)}
    assert len(pids) == 1
    code_host.release_code()
    assert ends(pids.pop())


async def test_changed_code_runs_in_a_new_process(root: Path) -> None:
    write(root, "judge.py", "def judge(context): return True\n")
    assert (await judged({"python": "judge.py:judge"}, root)).passed
    write(root, "judge.py", "def judge(context): return False\n")
    assert not (await judged({"python": "judge.py:judge"}, root)).passed


async def test_no_more_than_a_few_processes_are_busy_and_few_are_kept(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmctl.evaluators.code.worker._MOST_IDLE", 2)
    names = [f"judge{number}.py" for number in range(4)]
    for name in names:
        write(root, name, PID)
    twelve = [judged({"python": f"{name}:judge"}, root) for name in names * 3]
    scores = await asyncio.gather(*twelve)
    assert all(score.passed for score in scores)
    pids = {pid_of(score) for score in scores}
    assert sum(alive(pid) for pid in pids) <= 2


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_call_that_takes_too_long_ends_with_all_that_it_started(root: Path) -> None:
    write(
        root,
        "judge.py",
        "import os, pathlib, subprocess, time\ndef judge(context):\n    child = subprocess.Popen(['sleep', '300'])\n"
        "    pathlib.Path('pids').write_text(f'{os.getpid()} {child.pid}')\n    time.sleep(300)\n",
    )
    score = await judged({"python": {"function": "judge.py:judge", "timeout_s": 1}}, root)
    assert score.explanation == "judge.py:judge did not return within 1 s (judge.py, line 5)"
    assert all([ends(int(pid)) for pid in (root / "pids").read_text().split()])
    write(root, "hang.sh", "sleep 300 & echo $! > pid\n")
    score = await judged({"command": {"argv": ["sh", "hang.sh"], "timeout_s": 0.5}}, root)
    assert score.explanation == "sh did not end within 0.5 s"
    assert ends(int((root / "pid").read_text()))


async def test_who_gives_up_waiting_ends_the_call(root: Path) -> None:
    os.mkfifo(root / "called")
    write(
        root,
        "judge.py",
        "import os, time\ndef judge(context):\n    with open('called', 'w') as file: file.write(str(os.getpid()))\n"
        "    time.sleep(300)\n",
    )
    task = asyncio.create_task(judged({"python": {"function": "judge.py:judge", "timeout_s": 600}}, root))
    async with asyncio.timeout(20):
        pid = int(await asyncio.to_thread((root / "called").read_text))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ends(pid)


async def test_a_file_that_cannot_be_loaded_is_not_tried_for_every_result(root: Path) -> None:
    write(
        root, "judge.py", "with open('tries', 'a') as file: file.write('x')\nraise OSError('no')\ndef judge(c): ...\n"
    )
    said = {(await judged({"python": "judge.py:judge"}, root)).explanation for _ in range(3)}
    assert said == {"judge.py cannot be loaded: OSError: no (judge.py, line 2)"}
    assert (root / "tries").read_text() == "x"
    code_host.release_code()
    await judged({"python": "judge.py:judge"}, root)
    assert (root / "tries").read_text() == "xx"


def test_any_event_loop_may_ask_and_closing_ends_everything(root: Path) -> None:
    write(root, "judge.py", PID)
    pids = {pid_of(asyncio.run(judged({"python": "judge.py:judge"}, root))) for _ in range(2)}
    assert len(pids) == 1
    code_host._hosts.close()
    assert not alive(pids.pop())
    assert "llmctl-code" not in {thread.name for thread in threading.enumerate()}


PARENT = """
import asyncio, sys
from pathlib import Path
from llmctl.evaluators.registry import build
from llmctl.evaluators.verdict import Subject, judge
from llmctl.project.models import EvaluatorSettings, EvaluatorSpec

async def main():
    built = build(EvaluatorSpec("python", "judge.py:judge"), None, EvaluatorSettings(allow_code=True, root=Path.cwd()))
    verdict = await judge([built], Subject("x"))
    print(verdict.scores[0].explanation, flush=True)
    if sys.argv[1] == "stay":
        await asyncio.sleep(300)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["stay", "leave"])
def test_no_process_outlives_llmctl(root: Path, how: str) -> None:
    write(root, "judge.py", PID)
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PARENT, how],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None and parent.stderr is not None
        pid = int(parent.stdout.readline().split()[0])
        if how == "stay":
            assert alive(pid)
            parent.send_signal(signal.SIGKILL)
        assert ends(pid)
        assert parent.wait() == (-signal.SIGKILL if how == "stay" else 0)
        assert parent.stdout.read() == ""
        assert parent.stderr.read() == ""


def test_the_child_imports_little() -> None:
    code = "import sys, llmctl.evaluators.code.child; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "orjson", "yaml", "filelock", "llmctl.evaluators.base"} & set(modules)
