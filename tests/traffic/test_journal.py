"""Traffic journals: lines as written, whatever a record holds."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from llmctl.errors import StoreError
from llmctl.outcome import Outcome
from llmctl.providers.redaction import Redactor
from llmctl.runs.append_file import FileCalls
from llmctl.runs.codec import parse
from llmctl.traffic.journal import TrafficHead, TrafficJournal
from llmctl.traffic.lines import Origin, call_of
from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback
from llmctl.traffic.store import TrafficStore

HEAD = TrafficHead("import", ("log.jsonl",))


def call(number: int) -> LoggedCall:
    return LoggedCall(
        "openai_chat",
        source_id=f"r{number}",
        started_at=1.7e9 + number,
        messages=({"role": "user", "content": "Hi \x00 \N{SNOWMAN}"},),
        tools=({"type": "function", "function": {"name": "f"}},),
        params={"seed": 7},
        outcome=Outcome.ANSWERED,
        output="",
        tool_calls=({"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},),
        input_tokens=0,
        variables={},
        feedback=(LoggedFeedback("rating", value=0.0, source="human"), LoggedFeedback("comment", text="no")),
        tags=("a", "b"),
    )


def test_a_record_comes_back_equal_from_journal_and_index(tmp_path: Path) -> None:
    with TrafficJournal(tmp_path, HEAD, Redactor({})) as journal:
        journal.add(call(1), "{}", Origin("log.jsonl", 1))
    lines = journal.path.read_bytes().splitlines()
    assert [parse(line).type for line in lines] == ["traffic", "logged_call", "traffic_end"]
    assert call_of(parse(lines[1]).fields) == call(1)
    [stored] = TrafficStore(tmp_path).calls()
    assert stored.call == call(1)


def test_one_text_of_several_records_is_kept_once(tmp_path: Path) -> None:
    raw = '{"spans": "' + "x" * 1000 + '"}'
    with TrafficJournal(tmp_path, HEAD, Redactor({})) as journal:
        for number in range(5):
            journal.add(call(number), raw)
        journal.add(call(9), "{}")
    assert journal.path.read_bytes().count(b"x" * 1000) == 1
    store = TrafficStore(tmp_path)
    assert [store.raw(one) for one in store.calls()] == [raw] * 5 + ["{}"]


def test_what_json_cannot_hold_is_replaced(tmp_path: Path) -> None:
    broken = call(1)
    broken.output, broken.params, broken.metadata = "\ud83d", {"seed": 2**70}, {"n": float("nan")}
    with TrafficJournal(tmp_path, HEAD, Redactor({})) as journal:
        journal.add(broken, "\ud83d")
    [stored] = TrafficStore(tmp_path).calls()
    assert stored.call.output == "\\ud83d"
    assert stored.call.params == {"seed": str(2**70)}


def test_feedback_apart_from_its_call(tmp_path: Path) -> None:
    with TrafficJournal(tmp_path, HEAD, Redactor({})) as journal:
        journal.add(LoggedFeedback("rating", value=1.0, target="r1"), "{}")
    rows = TrafficStore(tmp_path).reader.rows("SELECT kind, value, target, call_id FROM traffic_feedback_rows", [])
    assert rows == [("rating", 1.0, "r1", None)]


def test_keys_of_this_environment_are_taken_out(tmp_path: Path) -> None:
    known = call(1)
    known.metadata = {"header": "correct-horse-battery"}
    with TrafficJournal(tmp_path, HEAD, Redactor({"MY_API_KEY": "correct-horse-battery"})) as journal:
        journal.add(known, '{"x": "correct-horse-battery"}')
        assert journal.redacted == 1
    assert b"battery" not in journal.path.read_bytes()


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    def full(_fd: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    journal = TrafficJournal(tmp_path, HEAD, Redactor({}), calls=FileCalls(write=full))
    journal.add(call(1), "{}")
    with pytest.raises(StoreError, match="cannot be written: No space left"):
        journal.close()


def test_lines_of_a_writer_that_was_killed_are_there(tmp_path: Path) -> None:
    journal = TrafficJournal(tmp_path, HEAD, Redactor({}))
    journal.add(call(1), "{}")
    journal.flush()
    assert [one.call.source_id for one in TrafficStore(tmp_path).calls()] == ["r1"]
    journal.close()
