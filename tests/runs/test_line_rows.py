"""From a line's JSON to rows: the columns are those of the tables, and what cannot be read is not made up."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmctl.canonical import to_json
from llmctl.providers.records import Attempt, Usage
from llmctl.runs.codec import decode, encode
from llmctl.runs.history import History
from llmctl.runs.importer import ImportSummary, import_journals
from llmctl.runs.line_rows import LINE_KINDS
from llmctl.runs.records import CallEvent, CaseEvent, Event, MetricScore, ResultEvent
from llmctl.store.schema import EVENT_TABLES, TABLES
from tests.runs.journal_examples import OTHER_ID, RUN_ID, any_of, call, case, journal_of, result, run
from tests.runs.test_journal_codec import resealed


def write(store: Path, lines: Sequence[bytes], run_id: str = RUN_ID) -> None:
    path = journal_of(store, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def changed(event: Event, **fields: object) -> bytes:
    """The event's line with other fields; `...` leaves one out."""
    values = {**json.loads(encode(event, 1)), **fields}
    return resealed({name: value for name, value in values.items() if value is not ...})


def table(store: Path, name: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(store / "llmctl.duckdb"), read_only=True) as con:
        found = con.execute(f"SELECT * FROM {name} ORDER BY ALL")
        columns = [column[0] for column in found.description]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def filled(store: Path) -> list[str]:
    return [name for name in EVENT_TABLES if table(store, name)]


def test_every_column_of_a_table_is_filled() -> None:
    with duckdb.connect() as con:
        for statement in TABLES:
            con.execute(statement)
        for kind in LINE_KINDS.values():
            for one in (kind.lines, kind.items):
                if one is not None:
                    columns = {row[0] for row in con.execute(f"DESCRIBE {one.name}").fetchall()}
                    assert set(one.values) == columns, one.name


ATTEMPT = Attempt(1, 2.0, 3.0, call(1).call.outcome, 4, "e", 5.0, "r", 6.0, "req", "res", {"h": "v"})
SCORE = MetricScore("m", "e", 1.5, 0.25, True, "x", True, "found", "key")


def test_each_value_stands_in_the_column_of_its_name(tmp_path: Path) -> None:
    made = dataclasses.replace(call(1).call, usage=Usage(1, 2, 3, 4), attempts=(ATTEMPT,), ttft_ms=7.5, error="why")
    scored = dataclasses.replace(result(1), scores=(SCORE,), group="g", case_number=9, must_pass=True, cached=True)
    events: list[Event] = [case(1), CallEvent("c", made), scored]
    lines = [encode(event, 1)[:-1] for event in events]
    write(tmp_path, lines)
    assert import_journals(tmp_path) == ImportSummary(lines=3)
    for name, position in (("case_rows", 0), ("call_rows", len(lines[0]) + 1), ("attempt_rows", len(lines[0]) + 1)):
        assert [(row["run_id"], row["position"]) for row in table(tmp_path, name)] == [(RUN_ID, position)]
    free = {"vars", "expected", "evaluators", "tool_calls", "response_headers"}
    wanted: dict[str, tuple[object, ...]] = {
        "case_rows": (case(1),),
        "call_rows": (CallEvent("c", made), made, made.usage),
        "attempt_rows": (ATTEMPT,),
        "result_rows": (scored,),
        "score_rows": (SCORE,),
    }
    for name, records in wanted.items():
        [row] = table(tmp_path, name)
        for record in records:
            for field in dataclasses.fields(record):  # type: ignore[arg-type]
                value = getattr(record, field.name)
                if field.name not in row or (field.name in free and name != "result_rows"):
                    continue
                assert row[field.name] == (list(value) if isinstance(value, tuple) else value), field.name
    assert table(tmp_path, "case_rows")[0]["vars"] == to_json(case(1).vars).decode()
    assert table(tmp_path, "attempt_rows")[0]["response_headers"] == '{"h":"v"}'


@settings(max_examples=15, deadline=None)
@given(st.lists(any_of(CaseEvent) | any_of(ResultEvent) | any_of(CallEvent), min_size=1, max_size=8))
def test_whatever_is_written_is_read_back(events: list[Event]) -> None:
    """NUL, escapes, written scalars, deep and odd JSON: as the journal itself says it."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        lines = [encode(event, seq)[:-1] for seq, event in enumerate(events, 1)]
        write(store, lines)
        assert import_journals(store) == ImportSummary(lines=len(lines))
        history = History(store)
        said = [decode(line).event for line in lines]
        cases = [event for event in said if isinstance(event, CaseEvent)]
        assert list(map(to_json, history.cases(RUN_ID))) == list(map(to_json, cases))
        results = [event for event in said if isinstance(event, ResultEvent)]
        names = {(one.bank, one.case_id, one.prompt, one.model, one.repeat) for one in results}
        if len(names) == len(results):  # else the later one counts
            assert list(history.results(RUN_ID)) == results
        calls = {event.call_id: event.call for event in reversed(said) if isinstance(event, CallEvent)}
        for call_id, made in calls.items():
            found = history.calls.call(call_id)
            assert to_json(found.tool_calls) == to_json(made.tool_calls)
            assert dataclasses.replace(found, attempts=()) == dataclasses.replace(made, attempts=())
        count = sum(len(event.call.attempts) for event in said if isinstance(event, CallEvent))
        assert len(table(store, "attempt_rows")) == count


@pytest.mark.parametrize(
    "line",
    [
        changed(result(1), bank=...),
        changed(result(1), repeat=...),
        changed(result(1), repeat="first"),
        changed(result(1), outcome="fine"),
        changed(result(1), outcome=5),
        changed(result(1), reason=None),
        changed(case(1), vars=[]),
        changed(case(1), vars=...),
        changed(case(1), evaluators={}),
        changed(case(1), case_id=None),
        changed(call(1), call_id=None),
        changed(call(1), call=None),
        changed(call(1), call={}),
        changed(call(1), call=[1]),
        changed(call(1), purpose="fun"),
        changed(run(), started_at="now"),
        b'{"crc":"00000000","seq":1,"type":"result"}',
        resealed({"type": "result", "seq": 1}).replace(b"}", b""),
    ],
)
def test_what_cannot_be_read_is_damage_and_adds_nothing(tmp_path: Path, line: bytes) -> None:
    sound = [encode(event, 2)[:-1] for event in (case(2), call(2), result(2))]
    write(tmp_path, [sound[0], line, *sound[1:]])
    assert import_journals(tmp_path) == ImportSummary(lines=4, damage=1)
    assert filled(tmp_path) == ["case_rows", "call_rows", "attempt_rows", "result_rows", "score_rows"]
    for name, rows in (("case_rows", 1), ("call_rows", 1), ("attempt_rows", 2), ("result_rows", 1), ("score_rows", 2)):
        assert len(table(tmp_path, name)) == rows, name
    assert table(tmp_path, "journal_rows")[0]["damage"] == 1


def test_damage_is_told_of_the_journal_that_has_it(tmp_path: Path) -> None:
    sound, broken = encode(result(1), 1)[:-1], changed(result(1), outcome="fine")
    write(tmp_path, [sound, broken, sound, broken])
    write(tmp_path, [sound, broken, broken, broken], OTHER_ID)
    assert import_journals(tmp_path) == ImportSummary(lines=8, damage=5)
    damage = {row["run_id"]: row["damage"] for row in table(tmp_path, "journal_rows")}
    assert damage == {RUN_ID: 2, OTHER_ID: 3}


def test_a_part_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    made = json.loads(encode(call(1), 1))["call"]
    first, second = made["attempts"]
    write(
        tmp_path,
        [
            changed(call(1), call={**made, "attempts": [{**first, "outcome": "fine"}, second]}),
            changed(result(1), scores=[{"metric": "exact"}, 5, json.loads(encode(result(1), 1))["scores"][1]]),
        ],
    )
    assert import_journals(tmp_path) == ImportSummary(lines=2)
    assert [row["number"] for row in table(tmp_path, "attempt_rows")] == [2]
    assert [(row["metric"], row["number"]) for row in table(tmp_path, "score_rows")] == [("tone", 2)]


def test_a_value_of_another_kind_is_unknown(tmp_path: Path) -> None:
    """A provider may give any number; what a column cannot hold is not stored as something else."""
    write(tmp_path, [changed(result(1), input_tokens=2**64 - 1, output_tokens=[5], latency_ms="slow", score={})])
    assert import_journals(tmp_path) == ImportSummary(lines=1)
    [row] = table(tmp_path, "result_rows")
    assert [row[name] for name in ("input_tokens", "output_tokens", "latency_ms", "score")] == [None] * 4


def test_an_older_line_gets_the_defaults_of_what_it_lacks(tmp_path: Path) -> None:
    made = json.loads(encode(call(1), 1))["call"]
    del made["tool_calls"], made["usage"], made["attempts"]
    write(
        tmp_path,
        [
            changed(result(1), case_number=..., group=..., must_pass=..., tags=..., cached=..., scores=...),
            changed(case(1), expected=..., weight=..., evaluators=..., digest=...),
            changed(call(1), purpose=..., call=made),
        ],
    )
    assert import_journals(tmp_path) == ImportSummary(lines=3)
    [row] = table(tmp_path, "result_rows")
    assert [row[name] for name in ("case_number", "group", "must_pass", "tags", "cached")] == [
        None, None, False, [], False,
    ]  # fmt: skip
    [row] = table(tmp_path, "case_rows")
    assert [row[name] for name in ("expected", "weight", "evaluators", "digest")] == ["null", 1, "[]", ""]
    [row] = table(tmp_path, "call_rows")
    assert [row[name] for name in ("purpose", "tool_calls", "input_tokens")] == ["target", "[]", None]


def test_a_type_of_a_newer_llmctl_adds_nothing(tmp_path: Path) -> None:
    write(tmp_path, [resealed({"seq": 1, "type": "future", "more": [1]})])
    assert import_journals(tmp_path) == ImportSummary(lines=1)
    assert filled(tmp_path) == []


def test_fields_in_another_order_are_read_too(tmp_path: Path) -> None:
    fields = json.loads(encode(result(1), 7))
    write(tmp_path, [resealed(dict(sorted(fields.items(), reverse=True)))])
    assert import_journals(tmp_path) == ImportSummary(lines=1)
    assert filled(tmp_path) == ["result_rows", "score_rows"]


@pytest.mark.parametrize("name", ["it's [a]*", "**", "{a,b}"])
def test_a_store_may_lie_anywhere(tmp_path: Path, name: str) -> None:
    """DuckDB takes a path for a pattern."""
    for folder in (tmp_path / name, tmp_path / "a", tmp_path / "other"):
        write(folder, [encode(result(1), 1)[:-1]])
        assert import_journals(folder) == ImportSummary(lines=1)
        assert len(table(folder, "result_rows")) == 1
