from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from llmctl.runs.checkup import Check, State, worst
from llmctl.runs.doctor import examine
from llmctl.runs.importer import import_journals
from llmctl.runs.journal import JournalWriter
from llmctl.runs.journal_health import line_ranges
from tests.crash.stores import fill_blocks, wound_unread_block
from tests.runs.journal_examples import OTHER_ID, RUN_ID, journal_of, result, run, whole_run, write_journal
from tests.runs.test_importer import held, stored


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """One whole run, imported."""
    store = tmp_path / "store"
    write_journal(journal_of(store), whole_run())
    import_journals(store)
    return store


def checks(store: Path, **flags: bool) -> dict[str, Check]:
    return {check.name: check for check in examine(store, wait_s=0.2, **flags)}


def said(check: Check) -> str:
    return " ".join(f"{remark.text} {remark.hint or ''}" for remark in check.remarks)


def states(found: dict[str, Check]) -> dict[str, State]:
    return {name: check.state for name, check in found.items() if check.state is not State.OK}


def test_a_store_that_is_missing_is_no_problem(tmp_path: Path) -> None:
    [check] = examine(tmp_path / "none")
    assert check.state is State.NOTE
    assert not (tmp_path / "none").exists()


def test_a_sound_store_is_left_as_it_is(store: Path) -> None:
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    assert states(checks(store)) == {}
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before


def test_what_is_new_is_imported(store: Path) -> None:
    write_journal(journal_of(store, OTHER_ID), whole_run(OTHER_ID))
    found = checks(store)
    assert states(found) == {}
    assert found["index"].facts["runs"] == 2
    assert found["index"].facts["imported_lines"] == len(whole_run())


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM result_rows WHERE position = (SELECT max(position) FROM result_rows)",
        "DELETE FROM attempt_rows WHERE number = 2",
        "DELETE FROM call_rows",
        "DELETE FROM score_rows WHERE number = 1",
        "DELETE FROM plan_rows; DELETE FROM run_ends",
        "INSERT INTO result_rows SELECT * FROM result_rows LIMIT 1",
        "INSERT INTO case_rows SELECT * FROM case_rows",
        "UPDATE call_rows SET position = position + 1",
        "UPDATE journal_rows SET read_bytes = read_bytes - 1, seen_bytes = seen_bytes, lines = lines - 1",
    ],
)
def test_an_index_that_holds_other_rows_than_the_journals_is_built_anew(store: Path, harm: str) -> None:
    """Rows lost without an error, as DuckDB loses them when a bit of its log is wrong; and rows that stand twice."""
    before = stored(store)
    with duckdb.connect(str(store / "llmctl.duckdb")) as con:
        con.execute(harm)
    found = checks(store)
    assert found["index"].state is State.REPAIRED
    assert RUN_ID in said(found["index"])
    assert stored(store) == before
    assert len(list(store.glob("corrupt-*/llmctl.duckdb"))) == 1
    assert states(checks(store)) == {"left over": State.NOTE}


def test_a_damaged_block_that_nobody_reads_is_found(store: Path) -> None:
    """A block is compared with its checksum only when it is read, and counting reads few."""
    fill_blocks(store)
    before = stored(store)
    wound_unread_block(store)
    found = checks(store)
    assert found["index"].state is State.REPAIRED
    assert "damaged" in said(found["index"])
    assert stored(store) == before


def test_runs_that_only_the_index_knows_are_said(store: Path) -> None:
    write_journal(journal_of(store, OTHER_ID), whole_run(OTHER_ID))
    import_journals(store)
    journal_of(store, OTHER_ID).unlink()
    found = checks(store)
    assert states(found) == {"index": State.NOTE}
    assert OTHER_ID in said(found["index"])


def test_rebuilding_sets_the_old_file_aside(store: Path) -> None:
    before = stored(store)
    content = (store / "llmctl.duckdb").read_bytes()
    found = checks(store, rebuild=True)
    assert found["index"].state is State.REPAIRED
    assert [path.read_bytes() for path in store.glob("corrupt-*/llmctl.duckdb")] == [content]
    assert stored(store) == before


def test_nothing_is_removed_unasked_and_only_what_nothing_needs(store: Path) -> None:
    checks(store, rebuild=True)
    (store / "llmctl.duckdb.new").write_bytes(b"half")
    (store / "tmp").mkdir(exist_ok=True)
    (store / "tmp" / "spilled").write_bytes(b"x" * 5000)
    (store / "mine.txt").write_text("not llmctl's")
    found = checks(store)
    assert found["left over"].state is State.NOTE
    assert found["left over"].summary.startswith("3 items")
    assert "--prune" in said(found["left over"])
    assert (store / "tmp" / "spilled").exists()
    found = checks(store, prune=True)
    assert found["left over"].state is State.OK
    assert found["left over"].summary.startswith("3 items removed")
    assert sorted(path.name for path in store.rglob("*")) == [
        ".gitignore",
        f"{RUN_ID}.jsonl",
        "llmctl.duckdb",
        "llmctl.lock",
        "mine.txt",
        "runs",
        "tmp",
    ]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_permissions_are_mended(store: Path) -> None:
    import_journals(store)
    outside = store.parent / "outside.txt"
    outside.write_text("somebody's")
    outside.chmod(0o644)
    (store / "runs" / "link.txt").symlink_to(outside)
    for path in (store, store / "runs"):
        path.chmod(0o755)
    for path in (journal_of(store), store / "llmctl.duckdb"):
        path.chmod(0o644)
    found = checks(store)
    assert states(found) == {"permissions": State.REPAIRED}
    assert f"{RUN_ID}.jsonl (0644)" in said(found["permissions"])
    assert {stat.S_IMODE(path.stat().st_mode) for path in (store, store / "runs")} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (journal_of(store), store / "llmctl.duckdb")} == {0o600}
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
    assert states(checks(store)) == {}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_a_folder_that_is_not_only_llmctls_keeps_its_permissions(store: Path) -> None:
    (store / ".gitignore").write_text("*.pyc\n")
    store.chmod(0o755)
    assert states(checks(store)) == {}
    assert stat.S_IMODE(store.stat().st_mode) == 0o755


def test_a_run_that_goes_on_is_no_killed_one(store: Path) -> None:
    with JournalWriter(journal_of(store, OTHER_ID)) as journal:
        journal.append(run(OTHER_ID)).result(timeout=10)
        found = checks(store)
        assert found["journals"].state is State.OK
        assert found["locks"].state is State.NOTE
        assert OTHER_ID in said(found["locks"])
        if Path("/proc/locks").exists():
            assert f"process {os.getpid()}" in said(found["locks"])
    found = checks(store)
    assert found["locks"].state is State.OK
    assert found["journals"].state is State.NOTE
    assert f"llmctl eval --resume {OTHER_ID}" in said(found["journals"])


def test_a_line_that_is_being_written_is_not_torn(store: Path) -> None:
    with JournalWriter(journal_of(store, OTHER_ID)) as journal:
        journal.append(result(1)).result(timeout=10)
        with journal_of(store, OTHER_ID).open("ab") as file:
            file.write(b'{"crc":"')
        assert checks(store)["journals"].state is State.OK
    found = checks(store)["journals"]
    assert found.state is State.NOTE
    assert "8 bytes" in said(found)


def test_a_store_that_another_process_holds_is_said(store: Path) -> None:
    write_journal(journal_of(store, OTHER_ID), whole_run(OTHER_ID))
    with held(store, read_only=False) as pid:
        found = checks(store)
    assert found["index"].state is State.PROBLEM
    assert f"process {pid}" in said(found["index"])
    if Path("/proc/locks").exists():
        assert f"process {pid} has the index open" in said(found["locks"])
    assert states(checks(store)) == {}


@contextmanager
def importing(store: Path) -> Iterator[int]:
    """Another process that holds the lock of importers; its id."""
    script = (
        "import filelock, sys; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(1, flush=True); input()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(store / "llmctl.lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == b"1\n"
        yield child.pid
        child.communicate(b"\n")


def test_a_lock_that_another_process_holds_is_said_and_nothing_is_removed(store: Path) -> None:
    (store / "llmctl.duckdb.new").write_bytes(b"half")
    with importing(store) as pid:
        found = checks(store, prune=True)
    assert "imports journals" in said(found["locks"])
    if Path("/proc/locks").exists():
        assert f"process {pid}" in said(found["locks"])
    assert found["left over"].state is State.PROBLEM
    assert (store / "llmctl.duckdb.new").exists()
    assert found["index"].state is State.OK


def test_a_full_disk_while_rebuilding_loses_nothing(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stored(store)

    def full(*_: object) -> None:
        raise duckdb.TransactionException('Failed to commit: Could not write file "x": No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr("llmctl.runs.importer.append_rows", full)
        found = checks(store, rebuild=True)
    assert found["index"].state is State.PROBLEM
    assert "No space left" in said(found["index"])
    assert worst(check.state for check in checks(store).values()) is State.NOTE
    assert stored(store) == before


def test_a_plan_that_is_being_made_is_not_left_over(store: Path) -> None:
    plan = store / "runs" / f"{OTHER_ID}.jsonl.new"
    with JournalWriter(plan):
        assert checks(store, prune=True)["left over"].summary == "nothing"
        assert plan.exists()
    assert checks(store)["left over"].state is State.NOTE
    assert checks(store, prune=True)["left over"].summary.startswith("1 item removed")
    assert not plan.exists()


def test_line_numbers_are_told_in_ranges() -> None:
    assert line_ranges([7]) == "line 7"
    assert line_ranges([3, 41, 42, 43]) == "lines 3, 41-43"
    assert line_ranges(list(range(1, 100, 2))) == "lines 1, 3, 5, 7, 9, 11, 13, 15 and 42 more"
