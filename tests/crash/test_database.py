"""Whatever happens to the DuckDB file and its log: after any command everything that journals hold is there, once."""

from __future__ import annotations

import os
import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from llmctl.runs.history import History
from llmctl.runs.importer import import_journals
from llmctl.store.schema import EVENT_TABLES
from tests.cli.conftest import Invoke
from tests.crash.invariants import check_store, everything_in, rows_of_index
from tests.crash.rounds import every, rounds
from tests.crash.stores import LONG_ID, RUN_IDS, fill_blocks, make_store, with_log, wound_unread_block
from tests.runs.journal_examples import journal_of

Damage = Callable[[Path, random.Random], None]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("pristine") / "store")


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_log(tmp_path_factory.mktemp("logged") / "store")


@pytest.fixture(scope="module")
def expected(pristine: Path) -> list[object]:
    return everything_in(pristine)


@pytest.fixture
def store(project: Path) -> Path:
    return project / ".llmctl"


def flip(path: Path, position: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def missing(path: Path, chance: random.Random) -> None:
    path.unlink()


def empty(path: Path, chance: random.Random) -> None:
    path.write_bytes(b"")


def garbage(path: Path, chance: random.Random) -> None:
    path.write_bytes(chance.randbytes(chance.choice([7, 500, 20_000])))


def truncated(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(1, path.stat().st_size))


def zero_tail(path: Path, chance: random.Random) -> None:
    """What a power failure leaves where the size was written and the data was not."""
    content = path.read_bytes()
    keep = chance.randrange(len(content) // 2, len(content))
    path.write_bytes(content[:keep] + bytes(len(content) - keep))


def zeros_behind(path: Path, chance: random.Random) -> None:
    with path.open("ab") as file:
        file.write(bytes(chance.randrange(1, 5000)))


def any_bit(path: Path, chance: random.Random) -> None:
    flip(path, chance.randrange(path.stat().st_size), chance.randrange(8))


def header_bit(path: Path, chance: random.Random) -> None:
    flip(path, chance.randrange(3 * 4096), chance.randrange(8))


def data_bits(path: Path, chance: random.Random) -> None:
    for _ in range(40):
        flip(path, chance.randrange(3 * 4096, path.stat().st_size), chance.randrange(8))


def of_another_database(path: Path, chance: random.Random) -> None:
    other = path.parent / "other.duckdb"
    with duckdb.connect(str(other)) as con:
        con.execute("PRAGMA disable_checkpoint_on_shutdown")
        con.execute("CREATE TABLE numbers AS SELECT * FROM range(100)")
    other.with_name("other.duckdb.wal").replace(path)
    other.unlink()


def older_copy(path: Path, chance: random.Random) -> None:
    """Somebody put back an older file: it knows of the first run only."""
    with duckdb.connect(str(path)) as con:
        for table in EVENT_TABLES:
            con.execute(f"DELETE FROM {table} WHERE run_id = ?", [RUN_IDS[1]])
        con.execute("DELETE FROM journal_rows WHERE run_id = ?", [RUN_IDS[1]])


DATABASE = (missing, empty, garbage, truncated, zero_tail, any_bit, header_bit, data_bits)
LOG = (missing, empty, garbage, truncated, zero_tail, zeros_behind, any_bit, of_another_database)


def with_commands(*damages: Damage) -> list[object]:
    """Each damage with a command after it; in `make crash` with every command."""
    commands = ("runs", "eval", "doctor")
    return [
        pytest.param(damage, command, id=f"{damage.__name__}-{command}")
        for number, damage in enumerate(damages)
        for command in commands
        if command == commands[number % 3] or every(3) == 1
    ]


@pytest.mark.parametrize(("damage", "command"), with_commands(*DATABASE, older_copy))
def test_a_damaged_database_is_built_again(
    damage: Damage, command: str, pristine: Path, store: Path, expected: list[object], llmctl: Invoke
) -> None:
    for number in range(rounds(1)):
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(pristine, store)
        damage(store / "llmctl.duckdb", random.Random(number))
        holds_everything(store, command, pristine, expected, llmctl)


@pytest.mark.parametrize(("damage", "command"), with_commands(*LOG))
def test_a_damaged_log_is_no_loss(
    damage: Damage, command: str, logged: Path, pristine: Path, store: Path, expected: list[object], llmctl: Invoke
) -> None:
    for number in range(rounds(1)):
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(logged, store)
        damage(store / "llmctl.duckdb.wal", random.Random(number))
        holds_everything(store, command, pristine, expected, llmctl)


def test_damage_that_only_reading_results_meets_is_repaired_when_it_is_met(pristine: Path, store: Path) -> None:
    shutil.copytree(pristine, store)
    fill_blocks(store)
    expected = list(History(store).results(LONG_ID))
    wound_unread_block(store)
    assert list(History(store).results(LONG_ID)) == expected
    assert len(list(store.glob("corrupt-*"))) == 1
    check_store(store)


def test_no_flipped_bit_of_the_log_loses_a_row(logged: Path, pristine: Path, store: Path, llmctl: Invoke) -> None:
    """A flip in an entry's size looks like a torn end to DuckDB: it drops committed rows, and says nothing."""
    log = logged / "llmctl.duckdb.wal"
    chance = random.Random(20261103)
    rows = rows_of_index(pristine)
    for _ in range(rounds(10)):
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(logged, store)
        flip(store / log.name, chance.randrange(log.stat().st_size), chance.randrange(8))
        assert llmctl("runs").code == 0
        assert rows_of_index(store) == rows


def holds_everything(store: Path, command: str, pristine: Path, expected: list[object], llmctl: Invoke) -> None:
    """After the command, and a look at everything, the index holds all that it held before, once."""
    result = llmctl(command, "--json")
    assert result.code == 0, result.err + result.out
    made = {journal.stem for journal in (store / "runs").glob("*.jsonl")} - set(RUN_IDS)
    assert len(made) == (1 if command == "eval" else 0)
    for run_id in made:  # what `eval` added
        journal_of(store, run_id).unlink()
        with duckdb.connect(str(store / "llmctl.duckdb")) as con:
            for table in (*EVENT_TABLES, "journal_rows"):
                con.execute(f"DELETE FROM {table} WHERE run_id = ?", [run_id])
    if command != "doctor":  # which has read all of it
        assert everything_in(store) == expected
    import_journals(store)
    assert rows_after(command, store, llmctl) == rows_of_index(pristine)


def rows_after(command: str, store: Path, llmctl: Invoke) -> dict[str, list[tuple[object, ...]]]:
    """All of the index. A block that no look above has read may still be damaged: whoever reads all of it heals it."""
    try:
        return rows_of_index(store)
    except duckdb.Error:
        if command == "doctor":
            raise
        assert llmctl("doctor").code == 0
        return rows_of_index(store)


def newer_storage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[12:20] = struct.pack("<Q", 7000)
    content[:8] = struct.pack("<Q", checksum(bytes(content[8:4096])))
    path.write_bytes(content)


def checksum(block: bytes) -> int:
    """DuckDB's checksum of a header block."""
    total = 5381
    for word in struct.unpack("<511Q", block):
        total ^= word * 0xBF58476D1CE4E5B9 & 2**64 - 1
    return total


def newer_schema(path: Path) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute("INSERT INTO migrations VALUES (999, 'm999_future', NULL)")


@pytest.mark.parametrize("newer", [newer_storage, newer_schema])
def test_what_a_newer_version_wrote_is_said_and_left_alone(
    newer: Callable[[Path], None], pristine: Path, store: Path, expected: list[object], llmctl: Invoke
) -> None:
    shutil.copytree(pristine, store)
    database = store / "llmctl.duckdb"
    newer(database)
    content = database.read_bytes()
    for command in ("runs", "eval"):
        result = llmctl(command)
        assert result.code == 4
        assert "newer" in result.err
        assert "pgrade" in result.err
    result = llmctl("doctor")
    assert result.code == 4
    assert "newer" in result.out
    assert "doctor --rebuild" in result.out
    assert database.read_bytes() == content
    assert not list(store.glob("corrupt-*"))
    assert llmctl("doctor", "--rebuild").code == 0
    assert [path.read_bytes() for path in store.glob("corrupt-*/llmctl.duckdb")] == [content]
    assert everything_in(store) == expected
    check_store(store)
