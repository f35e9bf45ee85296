"""`eval` killed again and again: each resume sends exactly the calls that are missing, counted at the server."""

from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmctl.runs.history import History
from llmctl.runs.records import CallEvent
from tests.cli.conftest import write
from tests.crash.invariants import check_journals, check_store, events_in, journals_of, units_in
from tests.crash.rounds import rounds
from tests.crash.servers import settled
from tests.endings.terminal import eval_in_terminal
from tests.support.openai_server import OpenAIServer, Seen

CASES = 60


class Trap(list[Seen]):
    """The requests that a server has seen; the n-th one kills the process that sent it, before it is answered."""

    nth = 0
    victim: subprocess.Popen[bytes] | None = None

    def append(self, request: Seen) -> None:
        super().append(request)
        if self.victim is not None and len(self) == self.nth:
            self.victim.kill()


@pytest.fixture
def trap() -> Trap:
    return Trap()


@pytest.fixture
def server(trap: Trap) -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        server.seen = trap
        yield server


@pytest.fixture
def served(tmp_path: Path, server: OpenAIServer) -> Path:
    """A project whose model is the server."""
    write(tmp_path, "llmctl.toml", f'[models.echo]\nmodel = "openai/echo"\napi_base = "{server.url}"\n')
    write(tmp_path, "prompts/echo.yaml", "model: echo\ntemplate: '{{ text }}'\n")
    rows = "".join(f"text {number},text {number}\n" for number in range(CASES))
    write(tmp_path, "testbanks/rows.csv", "text,expected\n" + rows)
    write(tmp_path, "testbanks/echo.yaml", "prompts: [echo]\nevaluators: [exact]\ninclude: [{file: rows.csv}]\n")
    return tmp_path


def calls_in(store: Path) -> int:
    return sum(isinstance(event, CallEvent) for journal in journals_of(store) for event in events_in(journal))


@pytest.mark.parametrize("number", range(rounds(2)))
def test_a_resume_sends_exactly_what_is_missing(served: Path, server: OpenAIServer, trap: Trap, number: int) -> None:
    chance = random.Random(number)
    store = served / ".llmctl"
    flags = ("-j", "2", *(["--no-cache"] if number % 2 else []))
    for _ in range(2):
        missing = CASES - calls_in(store)
        kill_at(served, trap, chance.randrange(1, missing + 1), *flags)
        check_journals(store)
        flags = ("--resume",)
    missing = CASES - calls_in(store)
    trap.victim = None
    before = settled(server)
    with eval_in_terminal(served, {"OPENAI_API_KEY": "none"}, *flags) as run:
        assert run.end(None, deadline_s=60) == 0
    assert len(trap) - before == missing
    [journal] = journals_of(store)
    check_store(store, {journal.stem: units_in(journal)})
    [summary] = History(store).runs()
    assert (summary.status.value, summary.done, summary.passed) == ("completed", CASES, CASES)


def kill_at(project: Path, trap: Trap, nth: int, *flags: str) -> None:
    """Kill an `eval` when it sends its n-th request; what its terminal showed as done is stored."""
    store = project / ".llmctl"
    before = sum(len(units_in(journal)) for journal in journals_of(store))
    with eval_in_terminal(project, {"OPENAI_API_KEY": "none"}, *flags) as run:
        trap.victim, trap.nth = run.process, len(trap) + nth
        assert run.end(None, deadline_s=60) == -signal.SIGKILL
        shown = run.done
    assert before + shown <= sum(len(units_in(journal)) for journal in journals_of(store))
