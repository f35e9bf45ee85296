"""An identical call is not sent again: counted at the server."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import BANK, Invoke, write
from tests.support.openai_server import OpenAIServer, Reply


@pytest.fixture
def server(project: Path) -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        write(project, "llmctl.toml", f'[models.fake]\nmodel = "openai/echo"\napi_base = "{server.url}"\n')
        yield server


def sent(server: OpenAIServer, llmctl: Invoke, *flags: str) -> int:
    """How many requests an `eval` makes."""
    before = len(server.seen)
    result = llmctl("eval", *flags)
    assert result.code in {0, 4}, result.err
    return len(server.seen) - before


def test_a_second_run_sends_nothing(server: OpenAIServer, llmctl: Invoke) -> None:
    assert sent(server, llmctl) == 3
    assert sent(server, llmctl) == 0
    document = json.loads(llmctl("eval", "--json").out)
    assert [result["cached"] for result in document["results"]] == [True] * 3
    first = json.loads(llmctl("show", "@last~2", "--json").out)["results"]
    assert {row["call_id"] for row in document["results"]} == {row["call_id"] for row in first}
    assert {row["output"] for row in document["results"]} == {row["output"] for row in first}
    assert llmctl("show", "@last", "card", "--payloads").code == 0


def test_only_what_changed_is_sent(server: OpenAIServer, project: Path, llmctl: Invoke) -> None:
    assert sent(server, llmctl) == 3
    write(project, "testbanks/route.yaml", BANK.replace("When are you open?", "When do you open?"))
    assert sent(server, llmctl) == 1
    write(project, "testbanks/route.yaml", BANK.replace("max: 20", "max: 30").replace("expected: hours", "expected: x"))
    assert sent(server, llmctl) == 0


def test_repeats_are_draws_of_their_own(server: OpenAIServer, llmctl: Invoke) -> None:
    assert sent(server, llmctl) == 3
    assert sent(server, llmctl, "-r", "3") == 6
    assert sent(server, llmctl, "-r", "2") == 0


def test_no_cache_sends_and_replaces_the_draw(server: OpenAIServer, llmctl: Invoke) -> None:
    server.script("echo", Reply("first"))
    assert sent(server, llmctl) == 3
    server.script("echo", Reply("second"))
    assert sent(server, llmctl, "--no-cache") == 3
    document = json.loads(llmctl("eval", "--json").out)
    assert {result["output"] for result in document["results"]} == {"second"}


def test_what_has_no_evidence_is_asked_again(server: OpenAIServer, llmctl: Invoke) -> None:
    server.script("echo", Reply(status=401))
    assert sent(server, llmctl) == 3
    server.script("echo", Reply("answer"))
    assert sent(server, llmctl) == 3


def test_a_floating_name_ages_out(server: OpenAIServer, project: Path, llmctl: Invoke) -> None:
    assert sent(server, llmctl) == 3
    config = project / "llmctl.toml"
    config.write_text(config.read_text(encoding="utf-8") + '[eval]\ncache_max_age = "0s"\n', encoding="utf-8")
    assert sent(server, llmctl) == 3
    config.write_text(config.read_text(encoding="utf-8").replace("openai/echo", "openai/echo-2026-11-01"), "utf-8")
    assert sent(server, llmctl) == 3
    assert sent(server, llmctl) == 0


def test_calls_of_a_run_that_is_going_on_are_found(server: OpenAIServer, project: Path, llmctl: Invoke) -> None:
    server.script("echo", Reply("first"), Reply("second"), Reply(fault="hang"))
    other = subprocess.Popen([sys.executable, "-m", "llmctl", "eval", "-j", "1"], cwd=project, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while recorded_calls(project) < 2 or len(server.seen) < 3:
            assert other.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        server.script("echo", Reply("third"))
        document = json.loads(llmctl("eval", "--json").out)
    finally:
        other.kill()
        other.communicate()
    assert len(server.seen) == 3 + 1
    assert sorted(row["cached"] for row in document["results"]) == [False, True, True]
    assert {row["output"] for row in document["results"]} == {"first", "second", "third"}


def recorded_calls(project: Path) -> int:
    """Calls in the journals, whoever writes them."""
    return sum(path.read_bytes().count(b'"type":"call"') for path in project.glob(".llmctl/runs/*.jsonl"))
