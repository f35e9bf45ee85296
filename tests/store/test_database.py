from __future__ import annotations

import os
import re
import stat
import struct
import threading
from pathlib import Path

import duckdb
import pytest

from llmctl.errors import StoreError
from llmctl.store.append import append_rows
from llmctl.store.database import BusyError, CorruptError, NewerError, OlderError, open_database, quarantine
from llmctl.store.layout import Layout, private_directory
from llmctl.store.migrations import MIGRATIONS, schema_version
from llmctl.store.schema import ADDED_COLUMNS, EVENT_TABLES


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A store with an empty database."""
    layout = Layout(tmp_path / "store")
    layout.prepare()
    with open_database(layout, read_only=False):
        pass
    return layout


def test_the_file_is_made_for_older_versions_of_duckdb_and_for_this_user_only(layout: Layout) -> None:
    with open_database(layout, read_only=True) as con:
        tags = con.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'llmctl'").fetchall()
    assert tags == [({"storage_version": "v1.4.0+"},)]
    if os.name != "nt":
        assert stat.S_IMODE(layout.database.stat().st_mode) == 0o600
    assert sorted(path.name for path in layout.root.iterdir()) == [".gitignore", "llmctl.duckdb", "runs", "tmp"]


def test_no_query_reaches_for_the_network(layout: Layout) -> None:
    with open_database(layout, read_only=True) as con:
        for setting in ("autoinstall_known_extensions", "autoload_known_extensions"):
            assert con.execute(f"SELECT current_setting('{setting}')").fetchall() == [(False,)]
        assert con.execute("SELECT current_setting('temp_directory')").fetchall() == [(str(layout.scratch),)]


def test_a_reader_cannot_write(layout: Layout) -> None:
    with pytest.raises(StoreError, match="read-only"), open_database(layout, read_only=True) as con:
        con.execute("DELETE FROM result_rows")


def test_threads_of_one_process_take_turns(layout: Layout) -> None:
    """DuckDB itself refuses a reader beside a writer of the same process."""
    writing, done = threading.Event(), threading.Event()

    def write() -> None:
        with open_database(layout, read_only=False) as con:
            writing.set()
            assert done.wait(10)
            append_rows(con, "bank_rows", [("r", 0, "b", "p", "d", "[]")])

    thread = threading.Thread(target=write)
    thread.start()
    assert writing.wait(10)
    with pytest.raises(BusyError, match="another task"), open_database(layout, read_only=True, wait_s=0.01):
        pass
    done.set()
    with open_database(layout, read_only=True) as con:
        assert con.execute("SELECT count(*) FROM bank_rows").fetchall() == [(1,)]
    thread.join()


def test_a_file_of_a_newer_duckdb_is_said_and_left_alone(layout: Layout) -> None:
    content = bytearray(layout.database.read_bytes())
    content[12:20] = struct.pack("<Q", 7000)
    content[:8] = struct.pack("<Q", _checksum(bytes(content[8:4096])))
    layout.database.write_bytes(content)
    for read_only in (True, False):
        with pytest.raises(NewerError, match="newer version of DuckDB"), open_database(layout, read_only=read_only):
            pass


def _checksum(block: bytes) -> int:
    """DuckDB's checksum of a header block."""
    total = 5381
    for word in struct.unpack("<511Q", block):
        total ^= word * 0xBF58476D1CE4E5B9 & 2**64 - 1
    return total


def test_an_older_schema_is_brought_up_to_date_by_a_writer_only(layout: Layout) -> None:
    with open_database(layout, read_only=False) as con:
        columns = con.execute("DESCRIBE result_rows").fetchall()
        con.execute("DELETE FROM migrations WHERE number > 2")
        con.execute("DROP VIEW runs")
        con.execute("DROP TABLE plan_rows")
        for change in ADDED_COLUMNS:
            con.execute(re.sub(r"ADD COLUMN IF NOT EXISTS (\S+) .*", r"DROP COLUMN \1", change))
    with pytest.raises(OlderError), open_database(layout, read_only=True):
        pass
    with open_database(layout, read_only=False) as con:
        assert schema_version(con) == len(MIGRATIONS)
        assert con.execute("SELECT count(*) FROM runs").fetchall() == [(0,)]
        assert con.execute("DESCRIBE result_rows").fetchall() == columns


def test_migrations_are_recorded_by_name(layout: Layout) -> None:
    with open_database(layout, read_only=True) as con:
        rows = con.execute("SELECT number, name FROM migrations ORDER BY number").fetchall()
        applied = con.execute("SELECT applied_at > TIMESTAMP '2026-01-01' FROM migrations").fetchall()
    assert rows == [(number, change.__name__) for number, change in enumerate(MIGRATIONS, 1)]
    assert set(applied) == {(True,)}


def test_every_event_table_exists_with_run_and_position_first(layout: Layout) -> None:
    with open_database(layout, read_only=True) as con:
        for table in EVENT_TABLES:
            names = [row[0] for row in con.execute(f"DESCRIBE {table}").fetchall()]
            assert names[:2] == ["run_id", "position"], table


def test_a_half_made_file_of_a_killed_process_is_in_nobodys_way(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.prepare()
    (tmp_path / "llmctl.duckdb.new").write_bytes(b"half")
    (tmp_path / "llmctl.duckdb.new.wal").write_bytes(b"half")
    with open_database(layout, read_only=False) as con:
        assert schema_version(con) == len(MIGRATIONS)
    assert not list(tmp_path.glob("*.new*"))


def test_the_log_of_a_deleted_database_is_set_aside(layout: Layout) -> None:
    layout.database.unlink()
    layout.wal.write_bytes(b"left over")
    with open_database(layout, read_only=False) as con:
        assert schema_version(con) == len(MIGRATIONS)
    assert [path.read_bytes() for path in layout.root.glob("corrupt-*/llmctl.duckdb.wal")] == [b"left over"]


def test_quarantine_keeps_the_damaged_file_and_its_log(layout: Layout) -> None:
    layout.database.write_bytes(b"broken")
    layout.wal.write_bytes(b"log")
    with pytest.raises(CorruptError), open_database(layout, read_only=True):
        pass
    moved = quarantine(layout)
    assert moved.name.startswith("corrupt-")
    assert {path.name: path.read_bytes() for path in moved.iterdir()} == {
        "llmctl.duckdb": b"broken",
        "llmctl.duckdb.wal": b"log",
    }


def test_a_mistake_in_a_query_is_no_corruption(layout: Layout) -> None:
    with pytest.raises(StoreError) as raised, open_database(layout, read_only=True) as con:
        con.execute("SELECT CAST('Corrupt database: checksum' AS INTEGER)")
    assert not isinstance(raised.value, CorruptError)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_file_without_permission_is_no_corruption(layout: Layout) -> None:
    layout.database.chmod(0)
    with pytest.raises(StoreError, match="Permission denied") as raised, open_database(layout, read_only=True):
        pass
    assert not isinstance(raised.value, CorruptError)


def test_a_path_with_quotes_works(tmp_path: Path) -> None:
    layout = Layout(tmp_path / 'it\'s; a "store"')
    layout.prepare()
    with open_database(layout, read_only=False) as con:
        assert schema_version(con) == len(MIGRATIONS)


def test_rows_are_part_of_the_transaction(layout: Layout) -> None:
    with open_database(layout, read_only=False) as con:
        con.begin()
        append_rows(con, "bank_rows", [("r", 0, "b\x00", "p", None, "[]")] * 3000)
        con.rollback()
        assert con.execute("SELECT count(*) FROM bank_rows").fetchall() == [(0,)]
        con.begin()
        append_rows(con, "bank_rows", [("r", 0, "b\x00", "p", None, "[]")] * 3000)
        con.commit()
        assert con.execute("SELECT DISTINCT name, digest FROM bank_rows").fetchall() == [("b\x00", None)]
        assert con.execute("SELECT count(*) FROM bank_rows").fetchall() == [(3000,)]


def test_a_value_that_does_not_fit_is_an_error(layout: Layout) -> None:
    with open_database(layout, read_only=False) as con, pytest.raises(duckdb.Error):
        append_rows(con, "bank_rows", [("r", "no number", "b", "p", "d", "[]")])


def test_the_store_is_not_for_git(layout: Layout) -> None:
    assert (layout.root / ".gitignore").read_text(encoding="utf-8").endswith("\n*\n")
    layout.prepare()
    assert layout.journal("abc") == layout.root / "runs" / "abc.jsonl"


def test_a_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StoreError, match="is not a directory"):
        private_directory(file)
    with pytest.raises(StoreError, match="cannot be made"):
        private_directory(file / "below")
