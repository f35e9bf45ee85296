"""Where stored calls stand, what failed, what was planned, and results that a resumed run holds twice."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import duckdb

from llmctl.outcome import Outcome
from llmctl.runs.call_history import Location
from llmctl.runs.history import History
from llmctl.runs.journal_reader import Damage, JournalLine, read_journal, read_line
from llmctl.runs.records import CallEvent, EndEvent, Event, PlanEvent, PlannedTarget, RunStatus, UnitName
from tests.runs.journal_examples import OTHER_ID, RUN_ID, call, journal_of, result, run, whole_run, write_journal


def call_at(number: int, started_at: float, call_id: str, outcome: Outcome = Outcome.ANSWERED) -> CallEvent:
    made = dataclasses.replace(call(number).call, started_at=started_at, outcome=outcome)
    return CallEvent(call_id, made)


def found(store: Path, location: Location) -> Event:
    line = read_line(journal_of(store, location.run_id), location.position)
    assert isinstance(line, JournalLine)
    assert isinstance(line.event, CallEvent)
    return line.event


def test_a_call_is_found_where_it_stands(tmp_path: Path) -> None:
    write_journal(journal_of(tmp_path), whole_run())
    located = History(tmp_path).calls.locate(["key-0", "key-3", "never-made"])
    assert sorted(located) == ["key-0", "key-3"]
    assert located["key-3"].started_at == call(3).call.started_at
    assert found(tmp_path, located["key-3"]) == call(3, f"{RUN_ID}.3")


def test_the_latest_call_counts_whatever_run_made_it(tmp_path: Path) -> None:
    write_journal(journal_of(tmp_path), [run(), call_at(1, 50.0, "old"), call_at(1, 70.0, "new")])
    write_journal(journal_of(tmp_path, OTHER_ID), [run(OTHER_ID), call_at(1, 60.0, "between")])
    [location] = History(tmp_path).calls.locate(["key-1"]).values()
    assert (location.run_id, location.started_at) == (RUN_ID, 70.0)
    assert found(tmp_path, location) == call_at(1, 70.0, "new")


def test_a_call_without_evidence_is_not_found(tmp_path: Path) -> None:
    none = [outcome for outcome in Outcome if not outcome.evidence]
    events = [call_at(number, 90.0, f"c{number}", outcome) for number, outcome in enumerate(none)]
    write_journal(journal_of(tmp_path), [run(), call_at(0, 10.0, "answer"), *events])
    located = History(tmp_path).calls.locate([f"key-{number}" for number in range(len(none))])
    assert {key: location.started_at for key, location in located.items()} == {"key-0": 10.0}


def test_a_call_whose_journal_is_gone_is_not_found_but_an_older_one_is(tmp_path: Path) -> None:
    write_journal(journal_of(tmp_path), [run(), call_at(1, 50.0, "old")])
    write_journal(journal_of(tmp_path, OTHER_ID), [run(OTHER_ID), call_at(1, 60.0, "new"), call_at(2, 60.0, "only")])
    history = History(tmp_path)
    history.refresh()
    journal_of(tmp_path, OTHER_ID).unlink()
    located = history.calls.locate(["key-1", "key-2"])
    assert {key: location.run_id for key, location in located.items()} == {"key-1": RUN_ID}


def test_a_run_that_goes_on_is_looked_at_too(tmp_path: Path) -> None:
    write_journal(journal_of(tmp_path), [run(), call_at(1, 50.0, "under way")])  # no end
    assert list(History(tmp_path).calls.locate(["key-1"])) == ["key-1"]


def test_nothing_is_located_in_nothing(tmp_path: Path) -> None:
    assert History(tmp_path / "none").calls.locate(["key-1"]) == {}
    write_journal(journal_of(tmp_path), whole_run())
    assert History(tmp_path).calls.locate([]) == {}


def test_a_line_is_read_by_its_place(tmp_path: Path) -> None:
    path = write_journal(journal_of(tmp_path), whole_run())
    for line in read_journal(path):
        assert isinstance(line, JournalLine)
        assert read_line(path, line.offset) == dataclasses.replace(line, line_number=0)
    size = path.stat().st_size
    for offset in (1, size, size + 10):
        assert isinstance(read_line(path, offset), Damage)


def test_what_failed_or_has_no_evidence(tmp_path: Path) -> None:
    write_journal(journal_of(tmp_path), whole_run(results=6))
    names = [f"case-{number}" for number in (1, 3, 5)]
    expected = [UnitName("triage", name, "triage@main", "small", 1) for name in names]
    assert History(tmp_path).failed(RUN_ID) == expected
    timed_out = dataclasses.replace(result(0), outcome=Outcome.TIMEOUT)  # passed, it says: but there is no evidence
    write_journal(journal_of(tmp_path, OTHER_ID), [run(OTHER_ID), timed_out, result(1)])
    assert [unit.case_id for unit in History(tmp_path).failed(OTHER_ID)] == ["case-0"]


def test_the_plan_of_a_run(tmp_path: Path) -> None:
    plan = PlanEvent(12, 3, 4, (PlannedTarget("triage", "triage", "small", 12),), {"smoke": 4})
    write_journal(journal_of(tmp_path), [run(planned=0), plan])
    write_journal(journal_of(tmp_path, OTHER_ID), [run(OTHER_ID, planned=5)])
    history = History(tmp_path)
    assert history.plan(RUN_ID) == plan
    assert history.plan(OTHER_ID) is None
    assert {one.run_id: one.planned for one in history.runs()} == {RUN_ID: 12, OTHER_ID: 5}


def test_of_a_result_that_a_resumed_run_holds_twice_the_later_one_counts(tmp_path: Path) -> None:
    first = [result(0, passed=False), result(1, passed=None), result(2)]
    again = [result(0), result(1)]
    ended = EndEvent(RunStatus.INTERRUPTED, 2.0, 3)
    write_journal(journal_of(tmp_path), [run(), *first, ended, run(), *again, ended])
    history = History(tmp_path)
    summary = history.run(RUN_ID)
    assert (summary.done, summary.passed, summary.failed, summary.errors) == (3, 3, 0, 0)
    assert [one.case_id for one in history.results(RUN_ID)] == ["case-2", "case-0", "case-1"]
    assert list(history.results(RUN_ID)) == [result(2), *again]
    assert history.failed(RUN_ID) == []
    with duckdb.connect(str(history.layout.database), read_only=True) as con:
        assert con.execute("SELECT count(*), count_if(passed) FROM results").fetchall() == [(3, 3)]
        assert con.execute("SELECT count(*) FROM scores").fetchall() == [(6,)]


def test_repeats_and_targets_are_not_the_same_result(tmp_path: Path) -> None:
    others = [
        dataclasses.replace(result(0), **changed)
        for changed in ({"repeat": 2}, {"model": "large"}, {"prompt": "triage"}, {"bank": "other"}, {"case_id": "x"})
    ]
    write_journal(journal_of(tmp_path), [run(), result(0), run(), *others])
    assert History(tmp_path).run(RUN_ID).done == 6
