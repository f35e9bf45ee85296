"""From a line's JSON to rows: the columns are those of the tables, and what does not fit is refused, not stored."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import duckdb
import pytest

from llmctl.providers.records import Attempt
from llmctl.runs.codec import CodecError, Line, encode, parse
from llmctl.runs.line_rows import rows_of
from llmctl.runs.records import Event
from llmctl.store.schema import EVENT_TABLES, TABLES
from tests.runs.journal_examples import call, case, result, whole_run


def line_of(event: Event, **changed: object) -> Line:
    line = parse(encode(event, 1)[:-1])
    return dataclasses.replace(line, fields={**line.fields, **changed})


def tables_of(line: Line) -> list[str]:
    return [table for table, _ in rows_of(line, "run", 7)]


def test_every_row_has_the_columns_of_its_table() -> None:
    with duckdb.connect() as con:
        for table in TABLES:
            con.execute(table)
        found = set()
        for event in whole_run():
            for table, row in rows_of(line_of(event), "run", 7):
                columns = con.execute(f"DESCRIBE {table}").fetchall()
                assert len(row) == len(columns), table
                assert row[:2] == ("run", 7)
                found.add(table)
    assert found == set(EVENT_TABLES)


def test_columns_stand_in_the_order_of_the_table() -> None:
    """Values of different columns are different here, so that two of one type that change places are seen."""
    attempt = Attempt(1, 2.0, 3.0, call(1).call.outcome, 4, "e", 5.0, "r", 6.0, "req", "res", {"h": "v"})
    made = dataclasses.replace(call(1).call, attempts=(attempt,))
    rows = dict(rows_of(line_of(dataclasses.replace(call(1), call=made)), "run", 7))
    names = "run_id position call_id number started_at latency_ms outcome status error ttft_ms request_id retry_after_s"
    with duckdb.connect() as con:
        for table in TABLES:
            con.execute(table)
        columns = [row[0] for row in con.execute("DESCRIBE attempt_rows").fetchall()]
    assert columns == [*names.split(), "request_body", "response_body", "response_headers"]
    assert dict(zip(columns, rows["attempt_rows"], strict=True)) == {
        "run_id": "run", "position": 7, "call_id": "call-1", "number": 1, "started_at": 2.0, "latency_ms": 3.0,
        "outcome": "answered", "status": 4, "error": "e", "ttft_ms": 5.0, "request_id": "r", "retry_after_s": 6.0,
        "request_body": "req", "response_body": "res", "response_headers": '{"h":"v"}',
    }  # fmt: skip


@pytest.mark.parametrize(
    ("event", "changed", "reason"),
    [
        (result(1), {"output": 5}, "output is of another kind"),
        (result(1), {"repeat": "1"}, "repeat is of another kind"),
        (result(1), {"repeat": True}, "repeat is of another kind"),
        (result(1), {"passed": "yes"}, "passed is of another kind"),
        (result(1), {"score": "1"}, "score is of another kind"),
        (result(1), {"tags": "smoke"}, "tags is of another kind"),
        (result(1), {"tags": ["a", 1]}, "tags are no texts"),
        (result(1), {"outcome": "fine"}, "no outcome 'fine'"),
        (result(1), {"scores": [{"metric": "exact"}]}, "its evaluator is missing"),
        (result(1), {"scores": 5}, "cannot be read"),
        (result(1), {"scores": [5]}, "cannot be read"),
        (case(1), {"vars": []}, "vars is of another kind"),
        (case(1), {"evaluators": {}}, "evaluators is of another kind"),
        (call(1), {"call_id": None}, "call_id is of another kind"),
        (call(1), {"call": None}, "cannot be read"),
        (call(1), {"call": {}}, "its key is missing"),
        (whole_run()[0], {"started_at": "now"}, "cannot be read"),
        (whole_run()[-1], {"status": "fine"}, "cannot be read"),
    ],
)
def test_what_does_not_fit_is_refused(event: Event, changed: dict[str, object], reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        rows_of(line_of(event, **changed), "run", 7)


def test_nested_records_are_checked_too() -> None:
    made = json.loads(encode(call(1), 1))["call"]
    for place, value in (("status", "200"), ("outcome", "fine"), ("request_body", None)):
        attempts = [{**made["attempts"][0], place: value}]
        with pytest.raises(CodecError):
            rows_of(line_of(call(1), call={**made, "attempts": attempts}), "run", 7)
    with pytest.raises(CodecError):
        rows_of(line_of(call(1), call={**made, "usage": {"input_tokens": "5"}}), "run", 7)


def test_an_older_line_gets_the_defaults_of_what_it_lacks() -> None:
    line = line_of(result(1))
    older: dict[str, Any] = {
        name: value for name, value in line.fields.items() if name not in ("case_number", "group", "must_pass", "tags")
    }
    row = dict(rows_of(dataclasses.replace(line, fields=older), "run", 7))["result_rows"]
    assert row[-5:] == ([], "billing", None, None, False)


def test_a_number_that_a_column_cannot_hold_is_unknown() -> None:
    row = dict(rows_of(line_of(result(1), input_tokens=2**64 - 1), "run", 7))["result_rows"]
    assert 2**64 - 1 not in row


def test_a_type_of_a_newer_llmctl_adds_nothing() -> None:
    assert rows_of(Line("future", 1, {"type": "future"}), "run", 7) == []


def test_a_result_adds_its_scores_and_a_call_its_attempts() -> None:
    assert tables_of(line_of(result(1))) == ["result_rows", "score_rows", "score_rows"]
    assert tables_of(line_of(call(1))) == ["call_rows", "attempt_rows", "attempt_rows"]
