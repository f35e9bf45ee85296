"""The journal of events: several writers at once, damage, full disks, and an index that is built from it."""

from __future__ import annotations

import errno
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from llmctl.errors import StoreError
from llmctl.providers.redaction import Redactor
from llmctl.runs.append_file import FileCalls
from llmctl.runs.checkup import State
from llmctl.runs.codec import parse
from llmctl.runs.doctor import examine
from llmctl.runs.line_rows import LINE_KINDS
from llmctl.store.layout import Layout
from llmctl.traffic.feedback.events import Event, Given
from llmctl.traffic.feedback.journal import EventJournal, events_alone
from llmctl.traffic.feedback.store import FeedbackStore
from llmctl.traffic.logged_call import LoggedFeedback
from tests.traffic.feedback.logs import call, keep, logged, say

WRITER = """
import sys
from pathlib import Path
from tests.traffic.feedback.logs import keep, say
sys.stdin.readline()
for number in range(20):
    keep(Path(sys.argv[1]), say(f"{sys.argv[2]}-{number}"), say(f"{sys.argv[2]}-{number}", "comment", None, text="x"))
"""


def test_an_event_comes_back_with_everything_that_it_holds(tmp_path: Path) -> None:
    [call_id] = logged(tmp_path, call("a"))
    said = LoggedFeedback("edit", 0.25, "Final\nÜ \ud800", "tone", "human", call_id, 1.5e9)
    keep(tmp_path, Event("00000000000000ff", said, Given.IMPLICIT, "anna", 0.5, "Draft"))
    [found] = FeedbackStore(tmp_path).latest()
    assert found.said == LoggedFeedback("edit", 0.25, "Final\nÜ \\ud800", "tone", "human", call_id, 1.5e9)
    assert (found.given, found.call_id, found.by, found.token_distance) == (Given.IMPLICIT, call_id, "anna", 0.5)
    assert (found.prompt, found.prompt_version, found.model) == ("reply", "1", "gpt")
    rows = FeedbackStore(tmp_path).reader.rows("SELECT id, draft FROM feedback_rows", [])
    assert rows == [("00000000000000ff", "Draft")]


def test_the_index_has_a_column_for_all_that_is_said() -> None:
    columns = LINE_KINDS["feedback"].lines.values.keys()
    assert {field.name for field in fields(LoggedFeedback)} | {"id", "origin", "by", "draft"} <= set(columns)


def test_many_processes_write_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(number)], stdin=subprocess.PIPE)
        for number in range(4)
    ]
    for writer in writers:
        writer.communicate(b"go\n", timeout=60)
    assert [writer.returncode for writer in writers] == [0] * 4
    lines = Layout(tmp_path).events.read_bytes().splitlines()
    assert [parse(line).seq for line in lines] == list(range(1, 161))
    assert FeedbackStore(tmp_path).count() == 160
    assert all(check.state is not State.PROBLEM for check in examine(tmp_path))


def test_doctor_builds_the_index_anew_from_the_journal(tmp_path: Path) -> None:
    logged(tmp_path, call("a"))
    keep(tmp_path, say("a"), say("later"))
    before = FeedbackStore(tmp_path).latest()
    assert len(before) == 2
    checks = {check.name: check for check in examine(tmp_path, rebuild=True)}
    assert checks["index"].state is State.REPAIRED
    assert checks["journals"].state is State.OK  # it has no end, and nobody was killed
    assert FeedbackStore(tmp_path).latest() == before
    assert Layout(tmp_path).events.stat().st_mode & 0o777 == 0o600


def test_a_damaged_line_costs_itself_and_a_torn_one_is_cut_off(tmp_path: Path) -> None:
    keep(tmp_path, say("a"), say("b"), say("c"))
    events = Layout(tmp_path).events
    lines = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(lines[0] + lines[1].replace(b'"b"', b'"X"') + lines[2] + b'{"crc":"0000')
    assert FeedbackStore(tmp_path).count() == 2
    remarks = [remark.text for check in examine(tmp_path) for remark in check.remarks]
    assert any("./events.jsonl: line 2 cannot be read" in text for text in remarks)
    keep(tmp_path, say("d"))
    assert parse(events.read_bytes().splitlines()[-1]).seq == 4
    assert FeedbackStore(tmp_path).count() == 3


def test_a_full_disk_is_one_sentence_and_leaves_whole_lines(tmp_path: Path) -> None:
    keep(tmp_path, say("a"))
    before = Layout(tmp_path).events.read_bytes()

    def full(fd: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with events_alone(tmp_path), pytest.raises(StoreError, match="No space left"):
        EventJournal(tmp_path, Redactor({}), calls=FileCalls(write=full)).add([say("b")])
    assert Layout(tmp_path).events.read_bytes() == before
    keep(tmp_path, say("c"))
    assert FeedbackStore(tmp_path).count() == 2


def test_whoever_waits_for_the_lock_too_long_is_told(tmp_path: Path) -> None:
    with (
        events_alone(tmp_path),
        pytest.raises(StoreError, match="Another process is writing feedback"),
        events_alone(tmp_path, wait_s=0.05),
    ):
        pass


def test_keys_never_reach_the_journal(tmp_path: Path) -> None:
    key = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD"
    with events_alone(tmp_path):
        journal = EventJournal(tmp_path, Redactor({"MY_KEY": "hunter2-hunter2"}))
        journal.add(
            [say("a", "comment", None, text=f"uses {key}"), say("a", "comment", None, text="and hunter2-hunter2")]
        )
    text = Layout(tmp_path).events.read_text()
    assert key not in text
    assert journal.redacted >= 1
    assert '"kind":"comment"' in text


def test_a_run_named_events_is_a_run(tmp_path: Path) -> None:
    keep(tmp_path, say("a"))
    layout = Layout(tmp_path)
    assert layout.journal_name(layout.runs / "events.jsonl") == "events"
    assert layout.is_run("events")
    assert not layout.is_run(layout.journal_name(layout.events))
