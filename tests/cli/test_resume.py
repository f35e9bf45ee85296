"""`--resume` sends exactly what is missing, from the plan in the journal; `--failed` asks again what failed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CONFIG, PROMPT, Invoke, write
from tests.cli.test_engine import MODEL, PRICE, many
from tests.support.openai_server import OpenAIServer, Reply

CASES = 150
"""More than an instant server answers before a stop is noticed."""


@pytest.fixture
def server(project: Path) -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        write(project, "llmctl.toml", CONFIG + MODEL.format(url=server.url, more=PRICE))
        write(project, "testbanks/route.yaml", many(CASES))
        yield server


def asked(server: OpenAIServer) -> list[str]:
    return [body["messages"][-1]["content"] for body in server.bodies("gpt")]


def stopped(server: OpenAIServer, llmctl: Invoke, *flags: str) -> dict[str, Any]:
    """A run that stopped by itself within its plan."""
    server.script("gpt", Reply("yes it is"), Reply("yes it is"), Reply("no"), Reply("yes it is"))
    result = llmctl("eval", "-j", "1", "-x", "1", "--json", *flags)
    assert result.code == 5, result.err
    document: dict[str, Any] = json.loads(result.out)
    assert 3 <= len(document["results"]) < CASES
    return document


def test_resume_sends_what_is_missing_and_reports_the_whole_run(server: OpenAIServer, llmctl: Invoke) -> None:
    first = stopped(server, llmctl, "--label", "mine")
    result = llmctl("eval", "--resume", "--json")
    document = json.loads(result.out)
    assert result.code == 0, result.err
    assert document["run"]["run_id"] == first["run"]["run_id"]
    assert (document["run"]["status"], document["run"]["label"]) == ("completed", "mine")
    assert sorted(asked(server)) == sorted(set(asked(server)))
    assert len(server.seen) == CASES
    assert sorted(row["case_id"] for row in document["results"]) == sorted(f"c{n}" for n in range(CASES))
    assert document["results"][: len(first["results"])] == first["results"]
    assert document["total"]["planned"] == document["total"]["done"] == CASES
    [run] = json.loads(llmctl("runs", "--json").out)["runs"]
    assert (run["planned"], run["done"], run["status"], run["calls"]) == (CASES, CASES, "completed", CASES)


def test_resume_takes_the_plan_of_the_journal_not_todays_files(
    server: OpenAIServer, project: Path, llmctl: Invoke
) -> None:
    first = stopped(server, llmctl)
    write(project, "prompts/route.yaml", PROMPT.replace("Ticket:", "Something else:"))
    (project / "testbanks/route.yaml").unlink()
    result = llmctl("eval", "--resume", first["run"]["run_id"], "--json")
    assert result.code == 0, result.err
    assert len(server.seen) == CASES
    assert all(text.startswith("Ticket: ") for text in asked(server))
    assert len(json.loads(result.out)["results"]) == CASES


def test_a_call_without_its_result_is_not_sent_again(server: OpenAIServer, project: Path, llmctl: Invoke) -> None:
    first = stopped(server, llmctl, "--no-cache")
    journal = project / ".llmctl" / "runs" / f"{first['run']['run_id']}.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if b'"type":"result"' in line)
    journal.write_bytes(b"".join(lines[:last]))  # as a kill between an answer and its score leaves it
    assert llmctl("eval", "--resume").code == 0
    assert len(server.seen) == CASES


def test_a_damaged_result_is_made_again_from_its_call(server: OpenAIServer, project: Path, llmctl: Invoke) -> None:
    first = stopped(server, llmctl)
    journal = project / ".llmctl" / "runs" / f"{first['run']['run_id']}.jsonl"
    text = journal.read_bytes()
    place = text.index(b'"type":"result"') + 40
    journal.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
    result = llmctl("eval", "--resume", "--json")
    assert result.code == 0, result.err
    assert len(server.seen) == CASES
    assert len({row["case_id"] for row in json.loads(result.out)["results"]}) == CASES


def test_a_damaged_case_cannot_be_resumed(server: OpenAIServer, project: Path, llmctl: Invoke) -> None:
    first = stopped(server, llmctl)
    journal = project / ".llmctl" / "runs" / f"{first['run']['run_id']}.jsonl"
    text = journal.read_bytes()
    place = text.index(b'"type":"case"') + 20
    journal.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
    sent = len(server.seen)
    result = llmctl("eval", "--resume")
    assert (result.code, len(server.seen)) == (2, sent)
    assert "whole plan" in result.err and "new run" in result.err


def test_a_whole_run_has_nothing_to_resume(project: Path, llmctl: Invoke) -> None:
    assert llmctl("eval").code == 0
    before = [path.read_bytes() for path in (project / ".llmctl" / "runs").iterdir()]
    result = llmctl("eval", "--resume")
    assert result.code == 0 and "Nothing is missing" in result.err
    assert [path.read_bytes() for path in (project / ".llmctl" / "runs").iterdir()] == before


@pytest.mark.parametrize("flags", [["route"], ["-m", "echo"], ["-t", "smoke"], ["--no-cache"], ["-r", "2"]])
def test_resume_takes_no_selection(project: Path, llmctl: Invoke, flags: list[str]) -> None:
    assert llmctl("eval").code == 0
    result = llmctl("eval", "--resume", "@last", *flags)
    assert result.code == 2 and "new run" in result.err


def test_failed_asks_again_what_failed(server: OpenAIServer, llmctl: Invoke) -> None:
    server.script("gpt", Reply("no"), Reply(status=404), Reply("yes it is"))
    first = json.loads(llmctl("eval", "-j", "1", "--json").out)
    wrong = {row["case_id"] for row in first["results"] if not row["passed"]}
    assert len(wrong) == 2
    server.seen.clear()
    result = llmctl("eval", "--failed", "--json")
    document = json.loads(result.out)
    assert result.code == 0, result.err
    assert {row["case_id"] for row in document["results"]} == wrong
    assert document["run"]["run_id"] != first["run"]["run_id"]
    assert len(server.seen) == 2
    assert all(row["passed"] for row in document["results"])
    assert "Nothing failed" in llmctl("eval", "--failed").err


def test_failed_of_a_bank_and_with_todays_files(server: OpenAIServer, project: Path, llmctl: Invoke) -> None:
    server.script("gpt", Reply("no"), Reply("yes it is"))
    assert llmctl("eval", "-j", "1").code == 0
    write(project, "prompts/route.yaml", PROMPT.replace("Ticket:", "Now:"))
    server.seen.clear()
    result = llmctl("eval", "--failed", "route", "--json")
    assert result.code == 0, result.err
    assert len(json.loads(result.out)["results"]) == 1
    [text] = asked(server)
    assert text.startswith("Now: ")


def test_its_own_calls_count_though_another_run_made_them_later(
    server: OpenAIServer, project: Path, llmctl: Invoke
) -> None:
    first = stopped(server, llmctl, "--no-cache")
    journal = project / ".llmctl" / "runs" / f"{first['run']['run_id']}.jsonl"
    assert llmctl("eval", "--no-cache").code == 0
    lines = journal.read_bytes().splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if b'"type":"result"' in line)
    journal.write_bytes(b"".join(lines[:last]))
    sent = len(server.seen)
    assert llmctl("eval", "--resume", first["run"]["run_id"]).code == 0
    assert len(server.seen) - sent == CASES - len(first["results"])
