from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import duckdb
import pytest
from filelock import FileLock

from llmctl.errors import StoreError
from llmctl.runs import importer, line_batch
from llmctl.runs.codec import encode
from llmctl.runs.importer import ImportSummary, import_journals, rebuild
from llmctl.runs.journal import JournalWriter
from llmctl.runs.records import CallEvent, Event
from llmctl.store.append import insert_rows
from llmctl.store.database import NewerError
from llmctl.store.schema import EVENT_TABLES
from tests.runs.journal_examples import OTHER_ID, RUN_ID, call, journal_of, result, run, whole_run, write_journal
from tests.runs.test_journal_codec import resealed


def stored(store: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with duckdb.connect(str(store / "llmctl.duckdb"), read_only=True) as con:
        return {
            table: con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()
            for table in (*EVENT_TABLES, "journal_rows")
        }


def count(store: Path, table: str = "result_rows") -> int:
    return len(stored(store)[table])


@contextmanager
def held(store: Path, *, read_only: bool) -> Iterator[int]:
    """Another process that holds the database open; its id."""
    script = (
        "import duckdb, sys; con = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == 'ro');"
        "print('held', flush=True); input()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(store / "llmctl.duckdb"), "ro" if read_only else "rw"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == b"held\n"
        yield child.pid
        child.communicate(b"\n")


def test_a_missing_store_holds_nothing_and_is_not_made(tmp_path: Path) -> None:
    assert import_journals(tmp_path / "none") == ImportSummary()
    assert not (tmp_path / "none").exists()


def test_every_line_is_imported(tmp_path: Path) -> None:
    events = whole_run()
    write_journal(journal_of(tmp_path), events)
    assert import_journals(tmp_path) == ImportSummary(lines=len(events))
    rows = {table: len(found) for table, found in stored(tmp_path).items()}
    assert rows == {
        "run_heads": 1,
        "run_ends": 1,
        "prompt_rows": 1,
        "target_rows": 1,
        "bank_rows": 1,
        "case_rows": 4,
        "plan_rows": 1,
        "judge_rows": 1,
        "call_rows": 4,
        "attempt_rows": 8,
        "result_rows": 4,
        "score_rows": 8,
        "traffic_rows": 0,
        "traffic_feedback_rows": 0,
        "feedback_rows": 0,
        "journal_rows": 1,
    }


def test_importing_twice_equals_once(tmp_path: Path) -> None:
    write_journal(journal_of(tmp_path), whole_run())
    import_journals(tmp_path)
    before = stored(tmp_path)
    assert import_journals(tmp_path) == ImportSummary()
    assert stored(tmp_path) == before
    os.utime(journal_of(tmp_path), ns=(1, 1))  # touched, but the same
    assert import_journals(tmp_path) == ImportSummary()
    for table in EVENT_TABLES:
        assert stored(tmp_path)[table] == before[table]


def test_a_growing_journal_is_imported_from_where_the_last_import_ended(tmp_path: Path) -> None:
    path = journal_of(tmp_path)
    with JournalWriter(path) as journal:
        journal.append(run()).result(timeout=10)
        for number in range(5):
            journal.append(result(number)).result(timeout=10)
            assert import_journals(tmp_path).lines == (2 if number == 0 else 1)
    assert count(tmp_path) == 5


@pytest.mark.parametrize("cuts", [(0, 3, 3), (1, 2, 9, 12)])
def test_the_moments_of_import_change_nothing(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    store = tmp_path / "store"
    events = whole_run()
    lines = [encode(event, seq) for seq, event in enumerate(events, 1)]
    path = journal_of(store)
    path.parent.mkdir(parents=True)
    for cut in cuts:
        path.write_bytes(b"".join(lines[:cut]) + lines[cut][: cut * 20])  # with a torn line
        import_journals(store)
    path.write_bytes(b"".join(lines))
    import_journals(store)
    once = tmp_path / "once"
    write_journal(journal_of(once), events)
    import_journals(once)
    one, other = stored(store), stored(once)
    for table in EVENT_TABLES:
        assert one[table] == other[table]


def test_a_torn_line_is_imported_when_it_is_whole(tmp_path: Path) -> None:
    path = write_journal(journal_of(tmp_path), [result(1)])
    line = encode(result(2), 2)
    with path.open("ab") as file:
        file.write(line[:100])
    assert import_journals(tmp_path) == ImportSummary(lines=1)
    assert import_journals(tmp_path) == ImportSummary()
    with path.open("ab") as file:
        file.write(line[100:])
    assert import_journals(tmp_path) == ImportSummary(lines=1)
    assert count(tmp_path) == 2


def test_transactions_are_small_and_carry_their_offset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmctl.runs.importer._MAX_LINES", 7)
    write_journal(journal_of(tmp_path), whole_run(results=10))
    write_journal(journal_of(tmp_path, OTHER_ID), whole_run(OTHER_ID, results=3))
    summary = import_journals(tmp_path)
    assert summary.lines == len(whole_run(results=10)) + len(whole_run(results=3))
    assert count(tmp_path) == 13
    assert count(tmp_path, "journal_rows") == 2


def test_an_import_that_dies_is_taken_up_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction that fails leaves neither rows nor an offset; those before it stay."""
    monkeypatch.setattr(importer, "_MAX_LINES", 5)
    write_journal(journal_of(tmp_path), whole_run(results=10))
    calls = [0]

    def failing(con: duckdb.DuckDBPyConnection, statement: str) -> int:
        calls[0] += 1
        if calls[0] == 6:
            raise KeyboardInterrupt
        return insert_rows(con, statement)

    monkeypatch.setattr(line_batch, "insert_rows", failing)
    with pytest.raises(KeyboardInterrupt):
        import_journals(tmp_path)
    done = stored(tmp_path)["journal_rows"][0][2]
    assert isinstance(done, int)
    assert 0 < done < len(whole_run(results=10))
    assert import_journals(tmp_path).lines == len(whole_run(results=10)) - done
    resumed = stored(tmp_path)
    rebuild(tmp_path)
    assert resumed == stored(tmp_path)


def test_processes_that_import_at_once_import_each_line_once(tmp_path: Path) -> None:
    total = 0
    for number in range(6):
        run_id = f"1m83z0000{number:04d}"
        events: list[Event] = [run(run_id), *(result(case) for case in range(200))]
        write_journal(journal_of(tmp_path, run_id), events)
        total += len(events)
    script = (
        "import sys; from pathlib import Path; import llmctl.runs.importer as i; i._MAX_LINES = 150;"
        "input(); print(i.import_journals(Path(sys.argv[1])).lines)"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    lines = [int(child.communicate()[0]) for child in children]
    assert sum(lines) == total
    assert count(tmp_path) == 1200
    assert count(tmp_path, "journal_rows") == 6


def test_damage_is_counted_and_costs_only_its_line(tmp_path: Path) -> None:
    path = write_journal(journal_of(tmp_path), [result(number) for number in range(3)])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert import_journals(tmp_path) == ImportSummary(lines=3, damage=1)
    assert count(tmp_path) == 2
    assert import_journals(tmp_path) == ImportSummary()
    assert stored(tmp_path)["journal_rows"][0][3] == 1


def _shorter(path: Path) -> None:
    path.write_bytes(encode(result(7), 1))


def _longer(path: Path) -> None:
    path.write_bytes(b"".join(encode(result(7), seq) for seq in range(1, 40)))


def _same_size(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"case-0", b"case-9"))


@pytest.mark.parametrize(("replace", "lines"), [(_shorter, 1), (_longer, 39), (_same_size, 3)])
def test_a_replaced_journal_is_imported_again(tmp_path: Path, replace: Callable[[Path], None], lines: int) -> None:
    path = write_journal(journal_of(tmp_path), [result(number) for number in range(3)])
    write_journal(journal_of(tmp_path, OTHER_ID), whole_run(OTHER_ID))
    import_journals(tmp_path)
    replace(path)
    os.utime(path, ns=(1, 1))
    summary = import_journals(tmp_path)
    assert summary.lines == lines
    expected = lines - summary.damage
    rows = [row for row in stored(tmp_path)["result_rows"] if row[0] == RUN_ID]
    assert len(rows) == expected
    assert count(tmp_path) == expected + 4
    assert count(tmp_path, "journal_rows") == 2


@pytest.mark.parametrize("read_only", [True, False])
def test_a_locked_database_means_later(tmp_path: Path, read_only: bool) -> None:
    path = write_journal(journal_of(tmp_path), [result(1)])
    import_journals(tmp_path)
    with path.open("ab") as file:
        file.write(encode(result(2), 2))
    with held(tmp_path, read_only=read_only) as pid:
        summary = import_journals(tmp_path, wait_s=0.2)
    assert summary.lines == 0
    assert summary.later is not None
    assert f"process {pid}" in summary.later
    assert import_journals(tmp_path) == ImportSummary(lines=1)
    assert count(tmp_path) == 2


def test_another_importer_means_later(tmp_path: Path) -> None:
    write_journal(journal_of(tmp_path), [result(1)])
    with FileLock(tmp_path / "llmctl.lock"):
        summary = import_journals(tmp_path, wait_s=0.1)
    assert summary.later is not None
    assert "importing" in summary.later
    assert import_journals(tmp_path) == ImportSummary(lines=1)


def test_the_database_is_let_go_of_between_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long import lets others read and write; nothing is imported twice because of it."""
    monkeypatch.setattr(importer, "_MAX_LINES", 9)
    monkeypatch.setattr(importer, "_TURN_S", 0.0)
    write_journal(journal_of(tmp_path), whole_run(results=10))
    seen: list[int] = []

    def pause(seconds: float) -> None:
        assert 0.075 < seconds < 1  # those who wait try again after that long
        with FileLock(tmp_path / "llmctl.lock", timeout=0), held(tmp_path, read_only=True):
            seen.append(count(tmp_path))

    monkeypatch.setattr("llmctl.runs.importer.time.sleep", pause)
    import_journals(tmp_path)
    assert count(tmp_path) == 10
    assert len(seen) > 1
    assert seen == sorted(seen)


@pytest.mark.parametrize("megabytes", [1, 12])
def test_long_answers_fit_into_little_memory(tmp_path: Path, megabytes: int) -> None:
    """A row is held several times over: DuckDB gets more for it than it has for many short ones."""
    text = os.urandom(megabytes * 2**19).hex()
    answer = call(1).call
    attempts = (dataclasses.replace(answer.attempts[1], request_body=text, response_body=text),)
    long_call = CallEvent("long", dataclasses.replace(answer, output=text, attempts=attempts))
    events: list[Event] = [run()]
    events += [event for _ in range(3) for event in (long_call, dataclasses.replace(result(1), output=text))]
    write_journal(journal_of(tmp_path), events)
    assert import_journals(tmp_path) == ImportSummary(lines=7)
    with duckdb.connect(str(tmp_path / "llmctl.duckdb"), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM call_rows WHERE output = ?", [text]).fetchall() == [(3,)]


def test_an_import_holds_a_part_of_the_journal(tmp_path: Path) -> None:
    """Lines are handed on by way of files; measured in Python's own memory."""
    path = journal_of(tmp_path)
    path.parent.mkdir()
    path.write_bytes(b"".join(encode(event, seq) for seq, event in enumerate(whole_run(results=2_000), 1)))
    tracemalloc.start()
    assert import_journals(tmp_path).damage == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 2


def test_lines_are_handed_over_many_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("often", "once"):
        if name == "often":
            monkeypatch.setattr(line_batch, "_HELD_BYTES", 3_000)
        else:
            monkeypatch.undo()
        write_journal(journal_of(tmp_path / name), whole_run(results=20))
        assert import_journals(tmp_path / name).damage == 0
    often, once = stored(tmp_path / "often"), stored(tmp_path / "once")
    for table in EVENT_TABLES:
        assert often[table] == once[table]


def test_nothing_is_left_of_the_files_of_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_journal(journal_of(tmp_path), whole_run())
    seen: list[int] = []

    def failing(con: duckdb.DuckDBPyConnection, statement: str) -> int:
        seen.extend(path.stat().st_mode & 0o777 for path in (tmp_path / "tmp").glob("import-*/*"))
        raise KeyboardInterrupt

    monkeypatch.setattr(line_batch, "insert_rows", failing)
    with pytest.raises(KeyboardInterrupt):
        import_journals(tmp_path)
    assert seen == [0o600] * 3
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_disk_that_is_full_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of an import lie on the store's disk; nothing is lost, and what is missing is made up for."""
    write_journal(journal_of(tmp_path), [run(), result(1)])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", _full_disk(Path.open))
        with pytest.raises(StoreError, match=r"cannot write to .*: No space left on device") as caught:
            import_journals(tmp_path)
        assert caught.value.hint is not None
    assert import_journals(tmp_path) == ImportSummary(lines=2)
    assert count(tmp_path) == 1


def _full_disk(opened: Callable[..., IO[bytes]]) -> Callable[..., IO[bytes]]:
    """Opens `/dev/full` in place of the files of an import."""

    def full(path: Path, *args: object, **kwargs: object) -> IO[bytes]:
        return opened(Path("/dev/full") if path.parent.name.startswith("import-") else path, *args, **kwargs)

    return full


def test_a_line_that_a_newer_llmctl_wrote_otherwise_costs_only_itself(tmp_path: Path) -> None:
    events: list[Event] = [result(1), result(2), call(3)]
    lines = [json.loads(encode(event, seq)) for seq, event in enumerate(events, 1)]
    lines[0]["outcome"] = "beyond_all"
    lines[2]["call"] = "made"
    path = journal_of(tmp_path)
    path.parent.mkdir()
    path.write_bytes(b"".join(resealed(line) + b"\n" for line in lines))
    assert import_journals(tmp_path) == ImportSummary(lines=3, damage=2)
    assert {name: len(rows) for name, rows in stored(tmp_path).items() if rows} == {
        "result_rows": 1,
        "score_rows": 2,
        "journal_rows": 1,
    }


def _missing(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _garbage(path: Path) -> None:
    path.write_bytes(b"\x00\xff" * 9000)


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _header(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)


def _foreign_wal(path: Path) -> None:
    path.with_name("llmctl.duckdb.wal").write_bytes(os.urandom(500))


@pytest.mark.parametrize("damage", [_missing, _empty, _garbage, _truncated, _header, _foreign_wal])
def test_whatever_happens_to_the_database_the_journals_build_it_again(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    write_journal(journal_of(tmp_path), whole_run())
    import_journals(tmp_path)
    before = stored(tmp_path)
    damage(tmp_path / "llmctl.duckdb")
    write_journal(journal_of(tmp_path, OTHER_ID), [run(OTHER_ID)])
    summary = import_journals(tmp_path)
    after = stored(tmp_path)
    assert len(after.pop("journal_rows")) == 2
    assert len(after.pop("run_heads")) == 2
    for table, rows in after.items():
        assert rows == before[table]
    moved = sorted(tmp_path.glob("corrupt-*/*"))
    if summary.rebuilt is not None:
        assert {path.parent for path in moved} == {summary.rebuilt}
    assert bool(moved) == (damage not in (_missing, _foreign_wal)) or damage is _foreign_wal


def test_a_database_whose_log_was_lost_is_filled_up_again(tmp_path: Path) -> None:
    """Rows and offset are lost together, so that nothing is missing and nothing doubled."""
    write_journal(journal_of(tmp_path), whole_run())
    import_journals(tmp_path)
    database = tmp_path / "llmctl.duckdb"
    old = database.read_bytes()
    with journal_of(tmp_path).open("ab") as file:
        file.write(encode(result(50), 50))
    import_journals(tmp_path)
    after = stored(tmp_path)
    database.write_bytes(old)
    import_journals(tmp_path)
    assert stored(tmp_path) == after


def test_rebuilding_gives_the_same_rows(tmp_path: Path) -> None:
    write_journal(journal_of(tmp_path), whole_run())
    import_journals(tmp_path)
    before = stored(tmp_path)
    summary = rebuild(tmp_path)
    assert summary.lines == len(whole_run())
    assert summary.rebuilt is not None
    assert (summary.rebuilt / "llmctl.duckdb").exists()
    assert stored(tmp_path) == before


def test_a_store_of_a_newer_llmctl_is_left_alone(tmp_path: Path) -> None:
    write_journal(journal_of(tmp_path), [result(1)])
    import_journals(tmp_path)
    database = tmp_path / "llmctl.duckdb"
    with duckdb.connect(str(database)) as con:
        con.execute("INSERT INTO migrations VALUES (999, 'm999_future', NULL)")
    with pytest.raises(NewerError, match="newer llmctl"):
        import_journals(tmp_path)
    assert database.exists()


def test_a_hostile_number_of_tokens_does_not_stop_the_import(tmp_path: Path) -> None:
    line = encode(result(1), 1).replace(b'"input_tokens":30', b'"input_tokens":%d' % (2**64 - 1))
    path = journal_of(tmp_path)
    path.parent.mkdir()
    path.write_bytes(resealed(json.loads(line)) + b"\n")
    assert import_journals(tmp_path) == ImportSummary(lines=1)
    assert count(tmp_path) == 1


def test_a_journal_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs" / f"{RUN_ID}.jsonl").mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot be read"):
        import_journals(tmp_path)
