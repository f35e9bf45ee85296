"""SIGKILL in the middle of `eval`: no case that was shown as done is lost, and the store works after it.

`LLMCTL_ROUNDS` sets the number of rounds (20 without it).
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from llmctl.runs.history import History
from llmctl.runs.journal import JournalLine, read_journal
from llmctl.runs.records import ResultEvent
from tests.cli.conftest import write
from tests.endings.terminal import eval_in_terminal

ROUNDS = int(os.environ.get("LLMCTL_ROUNDS", "20"))
CASES = 400


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("killed")
    write(root, "llmctl.toml", '[models.echo]\nmodel = "fake/echo"\noptions = {latency_ms = 20}\n')
    write(root, "prompts/echo.yaml", "model: echo\ntemplate: '{{ text }}'\n")
    rows = "".join(f"text {number},text {number}\n" for number in range(CASES))
    write(root, "testbanks/rows.csv", "text,expected\n" + rows)
    write(root, "testbanks/echo.yaml", "prompts: [echo]\nevaluators: [exact]\ninclude: [{file: rows.csv}]\n")
    return root


@pytest.mark.parametrize("number", range(ROUNDS))
def test_no_case_that_was_shown_as_done_is_lost(project: Path, number: int) -> None:
    chance = random.Random(number)
    target = chance.randrange(0, CASES)
    with eval_in_terminal(project, {}, "--no-cache", "-j", str(chance.choice([2, 8]))) as run:
        run.read_until(lambda shown: shown.done >= target, deadline_s=30)
        code = run.end(signal.SIGKILL, deadline_s=10)
        shown = run.done
    history = History(project / ".llmctl")
    if code == 0:  # it was faster
        assert shown >= target
        return
    assert code == -signal.SIGKILL
    latest = history.runs(limit=1)
    if not latest:
        assert shown == 0
        return
    journal = project / ".llmctl" / "runs" / f"{latest[0].run_id}.jsonl"
    written = [
        (line.event.bank, line.event.case_id)
        for line in read_journal(journal)
        if isinstance(line, JournalLine) and isinstance(line.event, ResultEvent)
    ]
    stored = [(result.bank, result.case_id) for result in history.results(latest[0].run_id)]
    assert sorted(stored) == sorted(written)
    assert len(set(stored)) == len(stored)
    if latest[0].status == "killed":
        assert len(stored) >= shown
