"""The head of a journal: nobody sees it before the plan holds, and what follows goes on behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.errors import StoreError
from llmctl.providers.redaction import Redactor
from llmctl.runs.journal import JournalLine, JournalWriter, read_journal
from llmctl.runs.line_reader import LineReader
from llmctl.runs.plan_file import PlanFile
from llmctl.runs.records import EndEvent, RunStatus
from tests.runs.journal_examples import BANK, case, plan, run


def test_it_becomes_a_journal_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "r.jsonl"
    file = PlanFile(path, Redactor({}))
    file.add(run())
    positions = [file.add(case(number)) for number in range(3000)]
    file.add(BANK)
    file.add(plan(3000))
    assert not path.exists()
    end = EndEvent(RunStatus.COMPLETED, 1.0, 0)
    with JournalWriter(path, file=file.publish()) as journal:
        journal.append(end).result(timeout=10)
    lines = [line for line in read_journal(path) if isinstance(line, JournalLine)]
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    assert [line.event for line in lines] == [run(), *map(case, range(3000)), BANK, plan(3000), end]
    reader = LineReader(path)
    assert [reader.at(position) for position in reversed(positions)] == [
        case(number) for number in reversed(range(3000))
    ]
    reader.close()
    assert [item.name for item in path.parent.iterdir()] == ["r.jsonl"]


@pytest.mark.parametrize("cases", [0, 5000])
def test_a_plan_that_does_not_hold_leaves_nothing(tmp_path: Path, cases: int) -> None:
    file = PlanFile(tmp_path / "runs" / "r.jsonl", Redactor({}))
    file.add(run())
    for number in range(cases):
        file.add(case(number))
    file.discard()
    file.discard()
    assert not list((tmp_path / "runs").iterdir()) if cases else not (tmp_path / "runs").exists()


def test_another_process_cannot_take_the_journal_between(tmp_path: Path) -> None:
    file = PlanFile(tmp_path / "r.jsonl", Redactor({}))
    file.add(run())
    held = file.publish()
    with pytest.raises(StoreError, match="Another process"):
        JournalWriter(tmp_path / "r.jsonl")
    held.close()
