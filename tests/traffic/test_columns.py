"""The store's columns are the record's fields."""

from __future__ import annotations

from dataclasses import fields

from llmctl.runs.line_rows import LINE_KINDS
from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback


def test_every_field_of_a_call_has_its_column() -> None:
    known = set(LINE_KINDS["logged_call"].lines.values) - {"run_id", "position", "id", "file", "line", "raw_at"}
    assert known | {"feedback"} == {field.name for field in fields(LoggedCall)}


def test_every_field_of_feedback_has_its_column() -> None:
    known = set(LINE_KINDS["logged_feedback"].lines.values) - {"run_id", "position", "id", "call_id"}
    assert known == {field.name for field in fields(LoggedFeedback)}
