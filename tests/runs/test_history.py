from __future__ import annotations

import contextlib
import dataclasses
import random
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmctl.errors import StoreError, UsageError
from llmctl.runs.history import History, RunState
from llmctl.runs.importer import ImportSummary
from llmctl.runs.journal import JournalWriter
from llmctl.runs.records import (
    BankEvent,
    CallEvent,
    CaseEvent,
    EndEvent,
    Event,
    PromptEvent,
    ResultEvent,
    RunEvent,
    RunStatus,
    TargetEvent,
)
from tests.runs import journal_examples as examples
from tests.runs.journal_examples import (
    BANK,
    OTHER_ID,
    PROMPT,
    RUN_ID,
    TARGET,
    call,
    case,
    journal_of,
    result,
    run,
    same,
    whole_run,
    write_journal,
)
from tests.runs.test_importer import held


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A finished run, and a younger one that was killed."""
    write_journal(journal_of(tmp_path), whole_run(label="nightly"))
    write_journal(journal_of(tmp_path, OTHER_ID), [run(OTHER_ID), PROMPT, TARGET, call(1), result(1)])
    return History(tmp_path)


def test_a_missing_store_is_an_empty_history(tmp_path: Path) -> None:
    history = History(tmp_path / "none")
    assert history.runs() == []
    assert list(history.results(RUN_ID)) == []
    assert history.targets(RUN_ID) == []
    with pytest.raises(UsageError, match="no run yet"):
        history.find("@last")
    with pytest.raises(UsageError, match="There is no run"):
        history.find("nightly")
    assert not (tmp_path / "none").exists()


def test_a_run_is_summed_up(history: History) -> None:
    summary = history.run(RUN_ID)
    assert dataclasses.asdict(summary) == {
        "run_id": RUN_ID,
        "label": "nightly",
        "command": "llmctl eval",
        "status": RunState.COMPLETED,
        "started_at": datetime.fromtimestamp(1_795_000_000.25, UTC),
        "ended_at": datetime.fromtimestamp(1_795_000_009.75, UTC),
        "commit": "abc",
        "branch": "main",
        "dirty": None,
        "planned": 4,
        "done": 4,
        "passed": 2,
        "failed": 1,
        "errors": 1,
        "cached": 0,
        "targets": 1,
        "calls": 4,
        "unpriced_calls": 0,
        "cost_usd": pytest.approx(0.004),
        "input_tokens": 120,
        "output_tokens": 8,
        "error": None,
        "damaged_lines": 0,
    }


def test_runs_come_newest_first_and_in_pages(history: History) -> None:
    assert [one.run_id for one in history.runs()] == [OTHER_ID, RUN_ID]
    assert [one.run_id for one in history.runs(limit=1)] == [OTHER_ID]
    assert [one.run_id for one in history.runs(limit=1, offset=1)] == [RUN_ID]


def test_a_run_without_end_was_killed_or_is_running(tmp_path: Path) -> None:
    with JournalWriter(journal_of(tmp_path)) as journal:
        journal.append(run()).result(timeout=10)
        assert History(tmp_path).run(RUN_ID).status is RunState.RUNNING
    assert History(tmp_path).run(RUN_ID).status is RunState.KILLED
    assert History(tmp_path).run(RUN_ID).ended_at is None


@pytest.mark.parametrize("status", [status for status in RunStatus if status is not RunStatus.RUNNING])
def test_a_run_ends_as_it_says(tmp_path: Path, status: RunStatus) -> None:
    write_journal(journal_of(tmp_path), [run(), EndEvent(status, 2.0, 0, "no key")])
    summary = History(tmp_path).run(RUN_ID)
    assert summary.status.value == status.value
    assert summary.error == "no key"
    assert History(tmp_path).end(RUN_ID) == EndEvent(status, 2.0, 0, "no key")


def test_what_a_run_spent_is_what_it_sent(tmp_path: Path) -> None:
    """A reused call cost nothing now; a call of unknown cost makes the sum a lower bound; nothing known is unknown."""
    reused = dataclasses.replace(result(1), cached=True)
    write_journal(journal_of(tmp_path), [run(), reused])
    assert (History(tmp_path).run(RUN_ID).cost_usd, History(tmp_path).run(RUN_ID).cached) == (0.0, 1)
    free = CallEvent("c", dataclasses.replace(call(2).call, cost_usd=None))
    write_journal(journal_of(tmp_path), [free])
    assert History(tmp_path).run(RUN_ID).cost_usd is None
    write_journal(journal_of(tmp_path), [call(3)])
    assert History(tmp_path).run(RUN_ID).cost_usd == pytest.approx(0.001)
    assert History(tmp_path).run(RUN_ID).unpriced_calls == 1


def test_a_run_whose_first_line_is_damaged_is_still_listed(tmp_path: Path) -> None:
    path = write_journal(journal_of(tmp_path), whole_run())
    content = bytearray(path.read_bytes())
    content[30] ^= 1
    path.write_bytes(content)
    summary = History(tmp_path).run(RUN_ID)
    assert (summary.damaged_lines, summary.done, summary.status) == (1, 4, RunState.COMPLETED)
    assert summary.started_at.year == 2026
    with pytest.raises(UsageError, match="not kept"):
        History(tmp_path).head(RUN_ID)


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("@last", OTHER_ID),
        ("@last~0", OTHER_ID),
        ("@last~1", RUN_ID),
        (RUN_ID, RUN_ID),
        (RUN_ID.upper(), RUN_ID),
        (RUN_ID[:9], RUN_ID),
        (f"run:{RUN_ID[:9]}", RUN_ID),
        ("nightly", RUN_ID),
        ("label:nightly", RUN_ID),
    ],
)
def test_a_run_is_found(history: History, reference: str, found: str) -> None:
    assert history.find(reference) == found


@pytest.mark.parametrize(
    ("reference", "message", "hint"),
    [
        ("@last~2", "There are only 2 runs", None),
        ("@last~x", 'There is no run "@last~x"', None),
        ("nightyl", 'There is no run "nightyl"', 'Did you mean "nightly"?'),
        ("run:nightly", 'There is no run "run:nightly"', 'Did you mean "nightly"?'),
        ("zzzzzz", 'There is no run "zzzzzz"', "llmctl runs"),
        (RUN_ID[:3], "too short", "6 characters"),
        (RUN_ID[:6], f'"{RUN_ID[:6]}" means 2 runs: {OTHER_ID}, {RUN_ID} (nightly)', "whole id"),
        ("%", "There is no run", "llmctl runs"),
        ("", "too short", "6 characters"),
    ],
)
def test_a_run_that_is_not_found_is_a_sentence(
    history: History, reference: str, message: str, hint: str | None
) -> None:
    with pytest.raises(UsageError) as raised:
        history.find(reference)
    assert message in raised.value.message
    assert hint is None or hint in str(raised.value.hint)


def test_a_label_of_two_runs_is_ambiguous(tmp_path: Path) -> None:
    for run_id in (RUN_ID, OTHER_ID):
        write_journal(journal_of(tmp_path, run_id), [run(run_id, "nightly")])
    with pytest.raises(UsageError, match="means 2 runs"):
        History(tmp_path).find("nightly")


def test_everything_of_a_run_comes_back(history: History) -> None:
    events = whole_run(label="nightly")
    assert history.head(RUN_ID) == events[0]
    assert history.end(RUN_ID) == events[-1]
    assert history.end(OTHER_ID) is None
    assert history.targets(RUN_ID) == [TARGET]
    assert history.prompts(RUN_ID) == [PROMPT]
    assert history.prompt(RUN_ID, "triage@main") == PROMPT
    assert history.banks(RUN_ID) == [BANK]
    assert list(history.results(RUN_ID)) == [event for event in events if isinstance(event, ResultEvent)]
    assert list(history.cases(RUN_ID)) == [case(number) for number in range(4)]
    assert same(history.case(RUN_ID, "triage", "case-2"), case(2))
    assert history.calls.call(f"{RUN_ID}.3") == call(3).call


def test_what_is_not_there_is_a_sentence_with_the_nearest(history: History) -> None:
    with pytest.raises(UsageError, match="There is no run 1m83"):
        history.run("1m83")
    with pytest.raises(UsageError, match='has no prompt "triage"') as prompt:
        history.prompt(RUN_ID, "triage")
    assert prompt.value.hint == 'Did you mean "triage@main"?'
    with pytest.raises(UsageError, match='no case "case-22"') as missing:
        history.case(RUN_ID, "triage", "case-22")
    assert missing.value.hint == 'Did you mean "case-2"?'
    with pytest.raises(UsageError, match="There is no call x"):
        history.calls.call("x")


def test_results_are_chosen_by_bank_and_case(history: History) -> None:
    assert [one.case_id for one in history.results(RUN_ID, case_id="case-2")] == ["case-2"]
    assert len(list(history.results(RUN_ID, bank="triage"))) == 4
    assert list(history.results(RUN_ID, bank="other")) == []


def test_results_stream_in_chunks_while_others_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmctl.runs.store_reader._CHUNK", 3)
    events: list[Event] = [run(), *(result(number) for number in range(10))]
    write_journal(journal_of(tmp_path), events)
    stream = History(tmp_path).results(RUN_ID)
    first = [next(stream) for _ in range(4)]
    write_journal(journal_of(tmp_path), [result(10)])
    assert History(tmp_path).run(RUN_ID).done == 11  # imported while the stream is open
    assert [one.case_id for one in [*first, *stream]] == [f"case-{number}" for number in range(11)]


def test_a_block_that_rots_is_found_when_it_is_read_and_the_store_rebuilt(tmp_path: Path) -> None:
    noise = random.Random(1)
    events = [dataclasses.replace(result(number), output=noise.randbytes(3000).hex()) for number in range(200)]
    write_journal(journal_of(tmp_path), events)
    assert History(tmp_path).run(RUN_ID).done == 200
    _rot_a_block_of_outputs(tmp_path / "llmctl.duckdb")
    history = History(tmp_path)
    assert history.refresh() == ImportSummary()  # opening the file does not show it
    assert list(history.results(RUN_ID)) == events
    assert list(tmp_path.glob("corrupt-*/llmctl.duckdb"))


def _rot_a_block_of_outputs(database: Path) -> None:
    whole = database.read_bytes()
    for position in range(3 * 4096 + 1000, len(whole), 2**18):  # one byte in each block behind the headers
        content = bytearray(whole)
        content[position] ^= 1
        database.write_bytes(content)
        with contextlib.suppress(duckdb.Error), duckdb.connect(str(database), read_only=True) as con:
            con.execute("SELECT * FROM journal_rows, migrations").fetchall()
            try:
                con.execute("SELECT max(output) FROM result_rows").fetchall()
            except duckdb.Error:
                return
    pytest.fail("no block holds only outputs")


def test_a_store_that_others_hold_is_a_sentence_with_the_holder(tmp_path: Path) -> None:
    write_journal(journal_of(tmp_path), whole_run())
    History(tmp_path).refresh()
    with held(tmp_path, read_only=False) as pid, pytest.raises(StoreError, match=f"process {pid}"):
        History(tmp_path, wait_s=0.1).runs()


def test_readers_do_not_exclude_each_other(tmp_path: Path) -> None:
    write_journal(journal_of(tmp_path), whole_run())
    History(tmp_path).refresh()
    with held(tmp_path, read_only=True):
        assert len(History(tmp_path, wait_s=0.1).runs()) == 1


@settings(max_examples=8, deadline=None)
@given(st.lists(examples.events, min_size=5, max_size=20))
def test_any_event_comes_back_from_the_store(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> None:
    store = tmp_path_factory.mktemp("store")
    write_journal(journal_of(store), events)
    history = History(store)

    def of(kind: type) -> list[object]:
        return [event for event in events if isinstance(event, kind)]

    assert same(list(history.results(RUN_ID)), of(ResultEvent))
    assert same(list(history.cases(RUN_ID)), of(CaseEvent))
    assert same(history.targets(RUN_ID), of(TargetEvent))
    assert same(history.prompts(RUN_ID), of(PromptEvent))
    assert same(history.banks(RUN_ID), of(BankEvent))
    heads = [event for event in events if isinstance(event, RunEvent)]
    if heads:
        assert same(history.head(RUN_ID), dataclasses.replace(heads[-1], run_id=RUN_ID))
    calls = [event for event in events if isinstance(event, CallEvent)]
    if calls and [one.call_id for one in calls].count(calls[0].call_id) == 1:
        found = history.calls.call(calls[0].call_id)
        kept = sorted(calls[0].call.attempts, key=lambda attempt: attempt.number)
        assert same(dataclasses.replace(found, attempts=()), dataclasses.replace(calls[0].call, attempts=()))
        assert sorted(map(repr, found.attempts)) == sorted(map(repr, kept))
    assert history.run(RUN_ID).damaged_lines == 0


def test_the_views_have_the_columns_that_users_rely_on(history: History) -> None:
    promised = {
        "runs": "run_id label command status started_at ended_at commit branch dirty",
        "results": "run_id bank case_id prompt prompt_name model repeat outcome passed score output expected reason "
        "tags latency_ms ttft_ms input_tokens output_tokens cost_usd cached call_id",
        "scores": "run_id bank case_id prompt model repeat metric evaluator score passed explanation",
        "calls": "run_id call_id call_key model outcome output cost_usd started_at",
        "attempts": "run_id call_id number status request_body response_body",
    }
    history.refresh()
    with duckdb.connect(str(history.layout.database), read_only=True) as con:
        for view, names in promised.items():
            quoted = ", ".join(f'"{name}"' for name in names.split())
            assert con.execute(f"SELECT {quoted} FROM {view}").fetchall(), view
        assert con.execute("SELECT DISTINCT prompt, prompt_name FROM results").fetchall() == [("triage@main", "triage")]
        assert con.execute("SELECT count(*) FROM scores WHERE metric = 'exact'").fetchall() == [(5,)]
        assert con.execute("SELECT started_at FROM runs WHERE label = 'nightly'").fetchall() == [
            (datetime.fromtimestamp(1_795_000_000.25, UTC).replace(tzinfo=None),)
        ]
        assert con.execute("SELECT count(*) FROM results WHERE list_contains(tags, 'smoke')").fetchall() == [(5,)]
