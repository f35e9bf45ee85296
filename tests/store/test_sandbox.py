"""What a query of somebody else's can do: read the store, and nothing else."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from llmctl.errors import LlmctlError, StoreError, UnfinishedError
from llmctl.runs.store_reader import StoreReader
from llmctl.store.database import CorruptError
from llmctl.store.layout import Layout
from llmctl.store.query import Query, running
from llmctl.store.sandbox import Limits, open_sandbox
from llmctl.store.shapes import Shape
from tests.runs.journal_examples import journal_of, whole_run, write_journal
from tests.runs.test_history import _rot_a_block_of_outputs

ENDLESS = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    write_journal(journal_of(tmp_path), whole_run())
    reader = StoreReader(tmp_path)
    reader.refresh()
    return reader.layout


def found(layout: Layout, text: str, limits: Limits | None = None) -> Sequence[tuple[str | None, ...]]:
    with running(layout, Query(text), limits or Limits()) as rows:
        return list(rows.rows(Shape.CELLS))


STATEMENTS = [
    "DROP VIEW results",
    "DELETE FROM result_rows",
    "UPDATE result_rows SET passed = true",
    "INSERT INTO run_heads (run_id, position) VALUES ('x', 1)",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE TABLE memory.x AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "CREATE SECRET (TYPE s3)",
    "ATTACH '{other}'",
    "ATTACH '{database}' AS again",
    "DETACH llmctl",
    "USE memory",
    "COPY (SELECT 1) TO '{other}'",
    "COPY (SELECT 1) TO '{database}' (USE_TMP_FILE false)",
    "COPY (PIVOT results ON repeat USING count(*)) TO '{database}' (USE_TMP_FILE false)",
    "COPY result_rows FROM '{other}'",
    "EXPORT DATABASE '{other}'",
    "IMPORT DATABASE '{other}'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{database}' (USE_TMP_FILE false)",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '100GB'",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA enable_profiling",
    "PRAGMA database_size",
    "CALL enable_logging()",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "SELECT 1; DROP VIEW results",
    "SELECT 1) AS x; COPY (SELECT 1) TO '{other}'; FROM (SELECT 1",
    "SELECT 1) TO '{other}' --",
    "WITH gone AS (DELETE FROM result_rows RETURNING *) SELECT * FROM gone",
]
TABLES = [
    "read_text('{secret}')",
    "read_blob('{secret}')",
    "read_blob('{database}')",
    "read_csv('{secret}')",
    "read_json('{secret}')",
    "read_parquet('{secret}')",
    "read_text('https://127.0.0.1:9/x')",
    "read_duckdb('{database}')",
    "glob('{folder}/*')",
    "'{secret}'",
    "'https://127.0.0.1:9/x.csv'",
    "parquet_metadata('{secret}')",
    "sniff_csv('{secret}')",
    "duckdb_extensions()",
    "enable_logging()",
    "sqlite_scan('{secret}', 't')",
    "query('COPY (SELECT 1) TO ''{other}''')",
]


@pytest.mark.parametrize("text", [*STATEMENTS, *(f"SELECT * FROM {table}" for table in TABLES)])
def test_a_hostile_query_is_refused_in_a_sentence(layout: Layout, tmp_path: Path, text: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("password\n")
    other = tmp_path / "written"
    filled = text.format(database=layout.database, other=other, secret=secret, folder=tmp_path)
    before = layout.database.read_bytes()
    with pytest.raises(LlmctlError) as raised:
        found(layout, filled)
    assert not isinstance(raised.value, StoreError)
    assert "password" not in str(raised.value)
    assert layout.database.read_bytes() == before
    assert not other.exists()
    assert found(layout, "SELECT count(*) FROM results") == [("4",)]


@pytest.mark.parametrize("table", ["checkpoint('llmctl')", "force_checkpoint('llmctl')", "duckdb_secrets()"])
def test_what_is_not_refused_does_nothing(layout: Layout, table: str) -> None:
    before = layout.database.read_bytes()
    try:
        found(layout, f"SELECT * FROM {table}")
    except LlmctlError as error:
        assert not isinstance(error, StoreError)
    assert layout.database.read_bytes() == before


def test_the_connection_itself_can_write_nothing(layout: Layout, tmp_path: Path) -> None:
    """Also where a statement passed the check: the file system is gone."""
    import duckdb

    before = layout.database.read_bytes()
    for target in (layout.database, tmp_path / "written"):
        for statement in (f"COPY (SELECT 1) TO '{target}' (USE_TMP_FILE false)", f"ATTACH '{target}' AS x"):
            with open_sandbox(layout, Limits()) as con, pytest.raises(duckdb.PermissionException):
                con.execute(statement)
    assert layout.database.read_bytes() == before


def test_only_the_named_file_can_be_written(layout: Layout, tmp_path: Path) -> None:
    import duckdb

    named, other = tmp_path / "named.parquet", tmp_path / "other.parquet"
    with open_sandbox(layout, Limits(), output=named) as con:
        con.execute(f"COPY (SELECT 1) TO '{named}' (FORMAT parquet, USE_TMP_FILE false)")
        with pytest.raises(duckdb.PermissionException):
            con.execute(f"COPY (SELECT 1) TO '{other}' (FORMAT parquet, USE_TMP_FILE false)")
    assert named.exists()
    assert not other.exists()


def test_a_query_that_takes_too_long_is_stopped(layout: Layout) -> None:
    with pytest.raises(UnfinishedError, match=r"longer than 0\.2 s"):
        found(layout, ENDLESS, Limits(time_s=0.2))


def test_rows_that_never_end_are_stopped(layout: Layout) -> None:
    with (
        pytest.raises(UnfinishedError, match=r"longer than 0\.2 s"),
        running(layout, Query("SELECT 1 FROM range(10000000) a, range(10000000) b"), Limits(time_s=0.2)) as rows,
    ):
        assert sum(1 for _ in rows.rows(Shape.CELLS)) < 0


def test_a_query_that_needs_too_much_memory_is_stopped(layout: Layout) -> None:
    with pytest.raises(UnfinishedError, match="more than 64 MB of memory"):
        found(layout, "SELECT len(list(range)) FROM range(12000000)", Limits(memory_mb=64))  # 96 MB
    assert not any(layout.scratch.iterdir())


def test_ctrl_c_stops_a_query(layout: Layout) -> None:
    """Whenever it comes: the query has no end."""
    timer = threading.Timer(0.2, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        found(layout, ENDLESS)
    timer.join()


def test_a_missing_store_is_an_empty_one(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "none")
    assert found(layout, "SELECT count(*) FROM results") == [("0",)]
    assert found(layout, "SELECT * FROM runs") == []
    assert not layout.root.exists()


def test_a_damaged_block_is_the_stores_and_is_mended(tmp_path: Path) -> None:
    import dataclasses
    import random

    from tests.runs.journal_examples import result

    noise = random.Random(1)
    write_journal(
        journal_of(tmp_path),
        [dataclasses.replace(result(number), output=noise.randbytes(3000).hex()) for number in range(200)],
    )
    reader = StoreReader(tmp_path)
    reader.refresh()
    _rot_a_block_of_outputs(reader.layout.database)
    text = "SELECT max(output), count(*) FROM results"
    with pytest.raises(CorruptError):
        found(reader.layout, text)
    [(_, count)] = reader.look(lambda layout: found(layout, text))
    assert count == "200"
