"""A replay that is killed, interrupted and taken up again: every request is sent once, counted at the server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmctl.runs.history import History
from llmctl.runs.records import CallEvent
from tests.cli.conftest import write
from tests.cli.replay_logs import logged, write_log
from tests.crash.invariants import events_in, journals_of
from tests.support.openai_server import OpenAIServer, Seen

CALLS = 40


class Trap(list[Seen]):
    """The requests that a server has seen; the n-th one sends a signal to who sent it, before it is answered.

    It waits until some earlier answers are recorded: the others are those that a kill may lose.
    """

    nth = 0
    number = signal.SIGKILL
    victim: subprocess.Popen[str] | None = None
    store = Path()
    recorded = 0

    def append(self, request: Seen) -> None:
        super().append(request)
        if self.victim is None or len(self) != self.nth:
            return
        end = time.monotonic() + 20
        while len(recorded(self.store)) < self.recorded and time.monotonic() < end:
            threading.Event().wait(0.01)
        self.victim.send_signal(self.number)


@pytest.fixture
def trap() -> Trap:
    return Trap()


@pytest.fixture
def served(tmp_path: Path, trap: Trap) -> Iterator[Path]:
    """A project whose models are a server, and a log."""
    with OpenAIServer() as server:
        server.seen = trap
        model = '[models.{0}]\nmodel = "openai/{0}"\napi_base = "{1}"\n'
        write(tmp_path, "llmctl.toml", "".join(model.format(name, server.url) for name in ("old", "new")))
        calls = [logged(number, f"Say {number}", str(number), model="old") for number in range(CALLS)]
        write_log(tmp_path / "log.jsonl", calls)
        yield tmp_path


def start(project: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "llmctl", *arguments],
        cwd=project,
        env={**os.environ, "OPENAI_API_KEY": "none", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out + err


def asked(trap: Trap) -> Counter[tuple[str, str]]:
    """How often each call came, by its model and its text."""
    bodies = [one.json for one in trap]
    return Counter((body["model"], body["messages"][-1]["content"]) for body in bodies)


def recorded(store: Path) -> set[tuple[str, str]]:
    """The calls whose answer stands in a journal."""
    calls = [event.call for path in journals_of(store) for event in events_in(path) if isinstance(event, CallEvent)]
    bodies = [json.loads(call.attempts[0].request_body) for call in calls]
    return {(body["model"], body["messages"][-1]["content"]) for body in bodies}


@pytest.mark.parametrize("command", ["replay", "eval"])
def test_a_killed_replay_sends_each_recorded_call_once(served: Path, trap: Trap, command: str) -> None:
    trap.store, trap.nth, trap.recorded = served / ".llmctl", 41, 30
    trap.victim = start(served, "replay", "log.jsonl", "-m", "new", "--baseline", "rerun", "-j", "1")
    code, _ = end(trap.victim)
    assert code == -signal.SIGKILL
    trap.victim, kept, sent = None, recorded(trap.store), len(trap)
    assert 30 <= len(kept) < 2 * CALLS

    code, said = end(start(served, command, "--resume"))

    assert code == (0 if command == "replay" else 4), said  # nobody scores the answers: `eval` finds no evidence
    after = asked(trap)
    assert after.keys() == {(model, f"Say {number}") for model in ("old", "new") for number in range(CALLS)}
    assert {after[name] for name in kept} == {1}, "an answer that was recorded was sent for again"
    assert len(trap) - sent == 2 * CALLS - len(kept)
    [run] = History(trap.store).runs()
    assert (run.status.value, run.done) == ("completed", 2 * CALLS)


def test_an_interrupted_replay_says_how_it_goes_on(served: Path, trap: Trap) -> None:
    trap.store, trap.nth, trap.number = served / ".llmctl", 10, signal.SIGINT
    trap.victim = start(served, "replay", "log.jsonl", "-m", "new", "-j", "1")
    code, said = end(trap.victim)
    assert code == 130, said
    trap.victim = None
    [line] = [line for line in said.splitlines() if "llmctl replay --resume" in line]
    command = line.partition("llmctl ")[2].split()

    code, said = end(start(served, *command))

    assert code == 0, said
    assert len(asked(trap)) == CALLS
    assert sum(asked(trap).values()) <= CALLS + 1, "only what was on its way may be sent again"
