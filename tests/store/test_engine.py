"""An engine is used by one at a time, keeps no file, and is thrown away after an error."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from llmctl.errors import StoreError
from llmctl.store import engine as engines
from llmctl.store.database import open_database
from llmctl.store.engine import attach, engine
from llmctl.store.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "it's a store")
    layout.prepare()
    with open_database(layout, read_only=False):
        pass
    return layout


def test_the_engine_is_used_again(layout: Layout) -> None:
    with engine(layout) as first:
        pass
    with engine(layout) as second:
        assert second is first


def test_two_at_once_have_one_each(layout: Layout) -> None:
    with engine(layout) as one, engine(layout) as other:
        assert one is not other


def test_only_one_is_kept(layout: Layout, tmp_path: Path) -> None:
    with engine(layout) as first, engine(Layout(tmp_path / "other")):
        pass
    assert len(engines._idle) == 1
    assert first.execute("SELECT 1").fetchall() == [(1,)]  # the last one to be given back


def test_an_idle_engine_holds_no_file(layout: Layout) -> None:
    """Another process may write the file and take it away."""
    with open_database(layout, read_only=True) as con:
        con.execute("SELECT count(*) FROM journal_rows").fetchall()
    script = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('CREATE TABLE theirs AS SELECT 7 AS seven')"
    subprocess.run([sys.executable, "-c", script, str(layout.database)], check=True, timeout=60)
    with open_database(layout, read_only=True) as con:
        assert con.execute("SELECT seven FROM theirs").fetchall() == [(7,)]
    assert not layout.wal.exists()


def test_after_an_error_nothing_stays_attached(layout: Layout) -> None:
    with pytest.raises(StoreError), open_database(layout, read_only=False) as con:
        con.begin()
        con.execute("INSERT INTO run_ends (run_id, position) VALUES ('lost', 1)")
        con.execute("SELECT nonsense")
    with pytest.raises(KeyboardInterrupt), open_database(layout, read_only=False) as con:
        con.begin()
        con.execute("INSERT INTO run_ends (run_id, position) VALUES ('lost', 2)")
        raise KeyboardInterrupt
    with open_database(layout, read_only=False) as con:
        assert con.execute("SELECT * FROM run_ends").fetchall() == []


def test_what_is_read_only_is_not_written(layout: Layout) -> None:
    with pytest.raises(StoreError, match="read-only"), open_database(layout, read_only=True) as con:
        con.execute("DELETE FROM run_ends")


def test_each_use_has_its_own_memory(layout: Layout) -> None:
    def limit(*, read_only: bool) -> str:
        with open_database(layout, read_only=read_only) as con:
            return str(con.execute("SELECT current_setting('memory_limit')").fetchall()[0][0])

    assert limit(read_only=True) == "488.2 MiB"
    assert limit(read_only=False) == "76.2 MiB"
    with open_database(layout, read_only=False) as con:
        engines.set_memory(con, 2_000)
    assert limit(read_only=False) == "76.2 MiB"


def test_no_extension_is_fetched(layout: Layout) -> None:
    with engine(layout) as con:
        for name in ("autoinstall_known_extensions", "autoload_known_extensions"):
            assert con.execute(f"SELECT current_setting('{name}')").fetchall() == [(False,)]


def test_threads_share_nothing(layout: Layout) -> None:
    seen: list[object] = []

    def read() -> None:
        for _ in range(5):
            with open_database(layout, read_only=True) as con:
                seen.extend(con.execute("SELECT count(*) FROM journal_rows").fetchall())

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert seen == [(0,)] * 20


def test_a_file_that_is_none_is_refused_and_let_go_of(layout: Layout, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.duckdb"
    garbage.write_bytes(b"nothing" * 5_000)
    with pytest.raises(duckdb.Error), engine(layout) as con, attach(con, garbage, read_only=True):
        pass
    with engine(layout) as con:
        assert con.execute("SELECT database_name FROM duckdb_databases() WHERE NOT internal").fetchall() == [
            ("memory",)
        ]
