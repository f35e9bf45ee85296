"""What holds of a store after any crash: sound journals, an index equal to them, everything once, nothing lost."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb

from llmctl.runs.history import History
from llmctl.runs.importer import import_journals
from llmctl.runs.journal import JournalLine, read_journal
from llmctl.runs.records import CallEvent, ResultEvent
from llmctl.store.schema import EVENT_TABLES

__all__ = [
    "Unit",
    "check_journals",
    "check_store",
    "events_in",
    "everything_in",
    "journals_of",
    "rows_of_index",
    "unit_of",
    "units_in",
]


class Unit(NamedTuple):
    """What a result is the result of."""

    bank: str
    case_id: str
    prompt: str
    model: str
    repeat: int


def unit_of(result: ResultEvent) -> Unit:
    return Unit(result.bank, result.case_id, result.prompt, result.model, result.repeat)


def journals_of(store: Path) -> list[Path]:
    return sorted((store / "runs").glob("*.jsonl"))


def units_in(journal: Path) -> list[Unit]:
    """What a journal holds results of, in its order."""
    return [unit_of(event) for event in events_in(journal) if isinstance(event, ResultEvent)]


def check_store(store: Path, acknowledged: Mapping[str, Iterable[Unit]] | None = None) -> None:
    """Import what is new, and hold the store to everything that is promised of it.

    `acknowledged`: by run id, what somebody was told to be done.
    """
    check_journals(store)
    summary = import_journals(store)
    assert summary.later is None
    assert rows_of_index(store) == _freshly_imported(store)
    for run_id, units in (acknowledged or {}).items():
        stored = {unit_of(result) for result in History(store).results(run_id)}
        assert set(units) <= stored, f"{run_id} lost {set(units) - stored}"


def check_journals(store: Path) -> None:
    """The part of it that needs no index, and takes no time."""
    for journal in journals_of(store):
        _is_sound(journal)
        _has_everything_once(journal)
    _has_each_call_once(store)


def rows_of_index(store: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that journals are imported into."""
    database = store / "llmctl.duckdb"
    if not database.exists():
        return {}
    with duckdb.connect(str(database), read_only=True) as con:
        return {table: con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in EVENT_TABLES}


def everything_in(store: Path) -> list[object]:
    """All that the history can tell of the first run: what users see, and what heals as it is read."""
    history = History(store)
    told: list[object] = []
    for run in history.runs(limit=1000)[-1:]:
        results = list(history.results(run.run_id))
        told += [run.run_id, run.done, run.damaged_lines, history.head(run.run_id), history.end(run.run_id)]
        told += [history.targets(run.run_id), history.prompts(run.run_id), history.banks(run.run_id)]
        told += [list(history.cases(run.run_id)), results]
        told += [history.calls.call(result.call_id) for result in results[:1] if result.call_id is not None]
    return told


def events_in(journal: Path) -> Iterator[object]:
    """The events of a journal, in its order."""
    return (line.event for line in read_journal(journal) if isinstance(line, JournalLine))


def _is_sound(journal: Path) -> None:
    """Whole lines only, each with the number that follows the one before; a torn last line is no line."""
    lines = list(read_journal(journal))
    assert all(isinstance(line, JournalLine) for line in lines), f"{journal.name} is damaged"
    numbers = [line.seq for line in lines if isinstance(line, JournalLine)]
    assert numbers == list(range(1, len(lines) + 1)), f"{journal.name} has other numbers: {numbers}"


def _has_everything_once(journal: Path) -> None:
    doubled = [unit for unit, count in Counter(units_in(journal)).items() if count > 1]
    assert not doubled, f"{journal.name} holds results twice: {doubled}"


def _has_each_call_once(store: Path) -> None:
    ids = Counter(
        event.call_id for journal in journals_of(store) for event in events_in(journal) if isinstance(event, CallEvent)
    )
    assert set(ids.values()) <= {1}, f"calls are stored twice: {[call for call, count in ids.items() if count > 1]}"


def _freshly_imported(store: Path) -> dict[str, list[tuple[object, ...]]]:
    """The index that the journals make from nothing."""
    if not (store / "llmctl.duckdb").exists():
        assert not journals_of(store)
        return {}
    with TemporaryDirectory() as name:
        copy = Path(name) / "store"
        shutil.copytree(store / "runs", copy / "runs")
        import_journals(copy)
        return rows_of_index(copy)
