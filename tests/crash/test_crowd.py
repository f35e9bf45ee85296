"""Twelve processes at once on one store, some of them killed: every result that was reported is stored, once."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmctl.runs.history import History
from tests.cli.conftest import write
from tests.crash.invariants import Unit, check_store
from tests.crash.rounds import rounds
from tests.crash.stores import RUN_IDS, make_store

CASES = 60
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    write(tmp_path, "llmctl.toml", '[models.echo]\nmodel = "fake/echo"\noptions = {latency_ms = 20}\n')
    write(tmp_path, "prompts/echo.yaml", "model: echo\ntemplate: '{{ text }}'\n")
    rows = "".join(f"text {number},text {number}\n" for number in range(CASES))
    write(tmp_path, "testbanks/rows.csv", "text,expected\n" + rows)
    write(tmp_path, "testbanks/echo.yaml", "prompts: [echo]\nevaluators: [exact]\ninclude: [{file: rows.csv}]\n")
    return tmp_path


@pytest.fixture
def start(crowded: Path) -> Iterator[Start]:
    """Starts llmctl; whatever is left of it is killed at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def process(*arguments: str) -> subprocess.Popen[bytes]:
        script = [sys.executable, "-m", "llmctl", *arguments]
        pipe, none = subprocess.PIPE, subprocess.DEVNULL
        started.append(subprocess.Popen(script, cwd=crowded, stdin=none, stdout=pipe, stderr=pipe))
        return started[-1]

    yield process
    for left in started:
        left.kill()
        left.communicate()


def has_ended(process: subprocess.Popen[bytes], within_s: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(within_s)
    return process.returncode is not None


def results_in(project: Path) -> int:
    """Lines in all journals: how far the runs are."""
    return sum(path.read_bytes().count(b"\n") for path in (project / ".llmctl" / "runs").glob("*.jsonl"))


@pytest.mark.parametrize("number", range(rounds(1)))
def test_many_processes_some_killed(crowded: Path, start: Start, number: int) -> None:
    chance = random.Random(number)
    evals = [start("eval", "--no-cache", "--json", "-j", "4") for _ in range(9)]
    others = [start("runs", "--json"), start("doctor", "--json"), start("doctor", "--json")]
    victims = chance.sample(evals, 4)
    for victim in victims:
        moment = chance.randrange(9 * 3 * CASES)
        while results_in(crowded) < moment and not has_ended(victim, 0.02):
            pass  # the moment is a state of the journals
        victim.kill()
    acknowledged: dict[str, list[Unit]] = {}
    for process in (*evals, *others):
        out, err = process.communicate(timeout=120)
        if process in victims and process.returncode != 0:
            continue
        assert process.returncode == 0, err.decode()
        document = json.loads(out)
        if document["schema"] == "llmctl/eval/1":
            acknowledged[document["run"]["run_id"]] = [
                Unit(row["bank"], row["case_id"], row["prompt"], row["model"], row["repeat"])
                for row in document["results"]
            ]
    assert len(acknowledged) >= len(evals) - len(victims)
    assert all(len(units) == CASES for units in acknowledged.values())
    check_store(crowded / ".llmctl", acknowledged)
    states = [run.status.value for run in History(crowded / ".llmctl").runs()]
    assert states.count("completed") >= len(acknowledged)  # a victim may have ended before it could say so
    assert set(states) <= {"completed", "killed"}


@pytest.mark.parametrize("number", range(rounds(1)))
def test_many_processes_meet_a_damaged_database(crowded: Path, start: Start, number: int) -> None:
    """Whoever comes first builds it again, and the others take what he built."""
    store = crowded / ".llmctl"
    make_store(store)
    (store / "llmctl.duckdb").write_bytes(b"garbage" * 5000)
    processes = [start("runs", "--json") for _ in range(6)]
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
        assert [(run["run_id"], run["done"]) for run in json.loads(out)["runs"]] == [(RUN_IDS[1], 8), (RUN_IDS[0], 8)]
    check_store(store)
