"""Ctrl-C and SIGTERM end `eval` in order: what was done is kept and reported."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from llmctl.runs.history import History
from tests.cli.conftest import write
from tests.endings.terminal import eval_in_terminal

CASES = 300


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path, "llmctl.toml", '[models.echo]\nmodel = "fake/echo"\noptions = {latency_ms = 50}\n')
    write(tmp_path, "prompts/echo.yaml", "model: echo\ntemplate: '{{ text }}'\n")
    rows = "".join(f"text {number},text {number}\n" for number in range(CASES))
    write(tmp_path, "testbanks/rows.csv", "text,expected\n" + rows)
    write(tmp_path, "testbanks/echo.yaml", "prompts: [echo]\nevaluators: [exact]\ninclude: [{file: rows.csv}]\n")
    return tmp_path


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_was_done_is_kept(project: Path, number: signal.Signals, code: int) -> None:
    with eval_in_terminal(project, {}, "-j", "4", "-o", "out.csv") as run:
        assert run.read_until(lambda shown: shown.done >= 10, deadline_s=30)
        assert run.end(number, deadline_s=30) == code
        shown = run.done
    [summary] = History(project / ".llmctl").runs()
    assert summary.status == "interrupted"
    assert shown <= summary.done < CASES
    assert summary.done == summary.passed
    lines = (project / "out.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 1 + summary.done


def test_a_second_signal_does_not_wait(project: Path) -> None:
    write(project, "llmctl.toml", '[models.echo]\nmodel = "fake/echo"\noptions = {latency_ms = 50000}\n')
    with eval_in_terminal(project, {}) as run:
        assert run.read_until(lambda shown: b"0/300" in shown.seen, deadline_s=30)
        run.process.send_signal(signal.SIGINT)
        assert not run.read_until(lambda shown: shown.process.poll() is not None, deadline_s=0.5)
        assert run.end(signal.SIGINT, deadline_s=10) == 130
    [summary] = History(project / ".llmctl").runs()
    assert (summary.status, summary.done) == ("interrupted", 0)
