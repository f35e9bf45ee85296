"""The answers of a replay, read back lane beside lane."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.errors import UsageError
from llmctl.outcome import Outcome
from llmctl.runs.history import History
from llmctl.traffic.replay.lanes import Candidate, ReplayRun, replayed
from llmctl.traffic.replay.records import Mode, ReplayedCall
from tests.cli.conftest import Invoke, llmctl, write
from tests.cli.replay_logs import logged, write_log

__all__ = ["llmctl"]

CONFIG = """
[models.echo]
model = "fake/echo"

[models.script]
model = "fake/script"
options = {answer = "scripted"}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project on the fake model, and a log of calls of two models."""
    write(tmp_path, "llmctl.toml", CONFIG)
    models = ("echo", "script", "echo")
    calls = [logged(number, f"Say {number}", str(number), model=model) for number, model in enumerate(models)]
    calls.append(logged(9, "Say 0", "0"))  # the same as the first
    write_log(tmp_path / "log.jsonl", calls)
    return tmp_path


def run_of(project: Path) -> ReplayRun:
    history = History(project / ".llmctl")
    return ReplayRun.read(history, history.find("@last"))


def calls_of(project: Path, run: ReplayRun, candidate: Candidate) -> dict[str, ReplayedCall]:
    """By what was asked."""
    found = {}
    for one in replayed(project / ".llmctl", run, candidate):
        assert one.chosen.call.messages
        found[str(one.chosen.call.messages[-1]["content"])] = one
    return found


def test_every_lane_has_its_own_answer(project: Path, llmctl: Invoke) -> None:
    arguments = ("-m", "script", "--param", "seed=3", "--baseline", "rerun")
    assert llmctl("replay", "log.jsonl", *arguments).code == 0
    run = run_of(project)

    assert (run.mode, run.rerun) == (Mode.VERBATIM, True)
    assert run.candidates == (Candidate("logged+seed=3", "script"),)
    found = calls_of(project, run, run.candidates[0])
    first = found["Say 0"]
    assert first.candidate
    assert first.baseline
    assert (first.observed.output, first.baseline.output, first.candidate.output) == ("0", "Say 0", "scripted")
    assert (first.chosen.weight, found["Say 2"].chosen.weight) == (2, 1)
    assert first.observed.outcome is Outcome.ANSWERED
    assert found["Say 1"].baseline
    assert found["Say 1"].baseline.output == "scripted"


def test_each_candidate_is_read_by_itself(project: Path, llmctl: Invoke) -> None:
    assert llmctl("replay", "log.jsonl", "-m", "script", "-m", "echo").code == 0
    run = run_of(project)

    answers = {str(one): calls_of(project, run, one)["Say 0"].candidate for one in run.candidates}

    assert {name: answer and answer.output for name, answer in answers.items()} == {
        "logged on script": "scripted",
        "logged on echo": "Say 0",
    }


def test_the_logged_model_as_candidate_is_one_whatever_it_was(project: Path, llmctl: Invoke) -> None:
    assert llmctl("replay", "log.jsonl", "--param", "seed=1").code == 0
    run = run_of(project)

    assert run.candidates == (Candidate("logged+seed=1", None),)
    found = calls_of(project, run, run.candidates[0])
    outputs = {asked: one.candidate.output for asked, one in found.items() if one.candidate}
    assert outputs == {"Say 0": "Say 0", "Say 1": "scripted", "Say 2": "Say 2"}
    assert all(one.baseline is None for one in found.values())


def test_a_candidate_that_is_the_logged_model_is_its_own_rerun(project: Path, llmctl: Invoke) -> None:
    assert llmctl("replay", "log.jsonl", "-m", "echo", "--baseline", "rerun").code == 0
    run = run_of(project)

    found = calls_of(project, run, run.candidates[0])

    assert run.candidates == (Candidate("logged", "echo"),)
    assert found["Say 0"].baseline == found["Say 0"].candidate
    one = found["Say 1"]
    assert one.baseline
    assert one.candidate
    assert (one.baseline.output, one.candidate.output) == ("scripted", "Say 1")


def test_a_rerun_alone_is_the_candidate(project: Path, llmctl: Invoke) -> None:
    assert llmctl("replay", "log.jsonl", "--baseline", "rerun").code == 0
    run = run_of(project)

    [candidate] = run.candidates
    one = calls_of(project, run, candidate)["Say 1"]
    assert one.candidate
    assert one.candidate.output == "scripted"
    assert one.baseline is None


def test_every_draw_is_a_call_of_its_own(project: Path, llmctl: Invoke) -> None:
    assert llmctl("replay", "log.jsonl", "-m", "script", "-r", "3").code == 0
    run = run_of(project)
    assert sum(1 for _ in replayed(project / ".llmctl", run, run.candidates[0])) == 9


def test_what_was_logged_has_its_verdict(project: Path, llmctl: Invoke) -> None:
    write(project, "e.yaml", "evaluators: [{one_of: ['0', scripted]}]\n")
    assert llmctl("replay", "log.jsonl", "-m", "script", "--evaluators", "e.yaml").code == 0
    run = run_of(project)

    found = calls_of(project, run, run.candidates[0])

    assert {asked: one.observed.passed for asked, one in found.items()} == {
        "Say 0": True,
        "Say 1": False,
        "Say 2": False,
    }
    assert all(one.candidate and one.candidate.passed for one in found.values())


def test_another_run_is_no_replay(project: Path, llmctl: Invoke) -> None:
    write(project, "prompts/p.yaml", "model: echo\ntemplate: x\n")
    write(project, "testbanks/p.yaml", "prompts: [p]\nevaluators: [exact]\ncases: [{id: a, expected: x}]\n")
    assert llmctl("eval").code == 0
    with pytest.raises(UsageError, match="is no replay"):
        run_of(project)
