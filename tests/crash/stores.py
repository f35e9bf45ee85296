"""Stores for the tests of damage: whole runs, imported, with or without a log that is still to be applied."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import duckdb

from llmctl.runs.importer import import_journals
from llmctl.store.database import open_database
from llmctl.store.layout import Layout
from llmctl.store.schema import EVENT_TABLES
from tests.runs.journal_examples import journal_of, result, run, whole_run, write_journal

__all__ = ["LONG_ID", "RUN_IDS", "fill_blocks", "make_store", "with_log", "wound_unread_block"]

RUN_IDS = tuple(f"1m83z0000{number:04d}" for number in range(2))
LONG_ID = "1m83z0000long"


def make_store(store: Path, results: int = 8) -> Path:
    """Two runs, imported."""
    for run_id in RUN_IDS:
        write_journal(journal_of(store, run_id), whole_run(run_id, results))
    import_journals(store)
    return store


def with_log(store: Path, results: int = 8) -> Path:
    """Two runs, imported; every row and the offsets are in DuckDB's log, a transaction for each run."""
    make_store(store, results)
    database, whole = store / "llmctl.duckdb", store / "whole.duckdb"
    database.rename(whole)
    with open_database(Layout(store), read_only=False):
        pass  # makes an empty one
    with duckdb.connect(str(database)) as con:
        con.execute("PRAGMA disable_checkpoint_on_shutdown")
        con.execute("SET checkpoint_threshold = '1GB'")
        con.execute(f"ATTACH '{whole}' AS whole (READ_ONLY)")
        for run_id in RUN_IDS:
            con.begin()
            for table in (*EVENT_TABLES, "journal_rows"):
                con.execute(f"INSERT INTO {table} SELECT * FROM whole.{table} WHERE run_id = ?", [run_id])
            con.commit()
    whole.unlink()
    assert (store / "llmctl.duckdb.wal").stat().st_size > 10_000
    return store


def fill_blocks(store: Path) -> None:
    """Import a run whose outputs fill blocks of their own."""
    chance = random.Random(1)
    long = [dataclasses.replace(result(number), output=chance.randbytes(600).hex()) for number in range(1200)]
    write_journal(journal_of(store, LONG_ID), [run(LONG_ID, planned=len(long)), *long])
    import_journals(store)


def wound_unread_block(store: Path) -> None:
    """Flip a bit in a block that holds outputs only: counting does not meet it, reading the outputs does."""
    database = store / "llmctl.duckdb"
    content = database.read_bytes()
    for start in range(3 * 4096, len(content), 256 * 1024):
        wound = start + 128 * 1024
        database.write_bytes(content[:wound] + bytes([content[wound] ^ 1]) + content[wound + 1 :])
        if _answers(database, "count(*), sum(position)") and not _answers(database, "max(output)"):
            return
    raise AssertionError("no block holds outputs only")


def _answers(database: Path, wanted: str) -> bool:
    try:
        with duckdb.connect(str(database), read_only=True) as con:
            con.execute(f"SELECT {wanted} FROM result_rows").fetchall()
    except duckdb.Error:
        return False
    return True
