"""SIGKILL in the middle of `eval`: no case that was shown as done is lost, and the store is sound after it."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from llmctl.runs.checkup import State, worst
from llmctl.runs.doctor import examine
from llmctl.runs.history import History
from tests.cli.conftest import write
from tests.crash.invariants import check_journals, check_store, unit_of, units_in
from tests.crash.rounds import rounds
from tests.endings.terminal import eval_in_terminal

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


@pytest.mark.parametrize("number", range(rounds(20)))
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
    check_journals(project / ".llmctl")
    written = units_in(project / ".llmctl" / "runs" / f"{latest[0].run_id}.jsonl")
    stored = [unit_of(result) for result in history.results(latest[0].run_id)]
    assert sorted(stored) == sorted(written)
    if latest[0].status == "killed":
        assert len(stored) >= shown


def test_after_all_of_it_the_store_is_sound(project: Path) -> None:
    check_store(project / ".llmctl")
    assert worst(check.state for check in examine(project / ".llmctl")) is not State.PROBLEM
