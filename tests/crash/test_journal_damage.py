"""A journal that was torn, cut, flipped or doubled: everything else of it is used, and `doctor` says which lines."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from llmctl.runs.checkup import Check, State, worst
from llmctl.runs.codec import encode
from llmctl.runs.doctor import examine
from llmctl.runs.journal import JournalLine, read_journal
from tests.crash.invariants import rows_of_index
from tests.crash.rounds import rounds
from tests.crash.stores import RUN_IDS, make_store
from tests.runs.journal_examples import journal_of, whole_run

RESULTS = 6


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store", RESULTS)


@pytest.fixture
def journal(store: Path) -> Path:
    return journal_of(store, RUN_IDS[0])


@pytest.fixture
def lines() -> list[bytes]:
    return [encode(event, seq) for seq, event in enumerate(whole_run(RUN_IDS[0], RESULTS), 1)]


def checks(store: Path) -> dict[str, Check]:
    return {check.name: check for check in examine(store)}


def said(check: Check) -> str:
    return " ".join(f"{remark.text} {remark.hint or ''}" for remark in check.remarks)


def facts(store: Path, run_id: str = RUN_IDS[0]) -> dict[str, object]:
    return facts_in(checks(store), run_id)


def facts_in(found: dict[str, Check], run_id: str = RUN_IDS[0]) -> dict[str, object]:
    listed = found["journals"].facts["journals"]
    assert isinstance(listed, list)
    return next(one for one in listed if one["run_id"] == run_id)


def index_holds(store: Path, journal: Path) -> None:
    """The results in the index are those whose lines can be read."""
    offsets = {line.offset for line in read_journal(journal) if isinstance(line, JournalLine)}
    positions = {row[1] for row in rows_of_index(store)["result_rows"] if row[0] == journal.stem}
    calls = {row[1] for row in rows_of_index(store)["call_rows"] if row[0] == journal.stem}
    assert positions | calls <= offsets
    assert len(positions) + len(calls) >= 2 * RESULTS - 2


def test_a_flipped_bit_anywhere_is_one_line_that_doctor_names(store: Path, journal: Path) -> None:
    whole = journal.read_bytes()
    ends = [line.end for line in read_journal(journal) if isinstance(line, JournalLine)]
    chance = random.Random(20261103)
    for _ in range(rounds(12)):
        position = chance.randrange(ends[-1])
        content = bytearray(whole)
        content[position] ^= 1 << chance.randrange(8)
        journal.write_bytes(content)
        found = checks(store)
        hit = sum(end <= position for end in ends) + 1
        named = facts_in(found)["damaged_lines"]
        if position == ends[-1] - 1:  # the last newline: a line without its end is no line
            assert (named, facts_in(found)["torn_bytes"]) == ([], ends[-1] - ends[-2])
            continue
        assert isinstance(named, list)
        assert named in ([hit], [hit, hit + 1]), position  # a newline more, or one less
        assert found["journals"].state is State.PROBLEM
        assert f"{hit}" in said(found["journals"])
        assert found["index"].state in {State.OK, State.REPAIRED}
        index_holds(store, journal)


def test_a_journal_that_was_cut_anywhere_keeps_its_whole_lines(store: Path, journal: Path) -> None:
    whole = journal.read_bytes()
    ends = [0, *(line.end for line in read_journal(journal))]
    chance = random.Random(20261103)
    for _ in range(rounds(12)):
        size = chance.randrange(len(whole))
        journal.write_bytes(whole[:size])
        found = checks(store)
        kept = max(end for end in ends if end <= size)
        assert facts_in(found)["torn_bytes"] == size - kept
        assert facts_in(found)["lines"] == ends.index(kept)
        assert worst(check.state for check in found.values()) is not State.PROBLEM
        assert "--resume" in said(found["journals"])
        positions = {row[1] for table in rows_of_index(store).values() for row in table if row[0] == journal.stem}
        assert positions == set(ends[: ends.index(kept)])


def test_a_line_that_is_gone_or_stands_twice_is_said(store: Path, journal: Path, lines: list[bytes]) -> None:
    journal.write_bytes(b"".join(lines[:4] + lines[6:]))
    assert facts(store)["missing_lines"] == 2
    found = checks(store)
    assert found["journals"].state is State.PROBLEM
    assert "2 lines missing that the journal once had" in said(found["journals"])
    journal.write_bytes(b"".join(lines + lines[-2:]))
    assert facts(store)["unordered_lines"] == [len(lines) + 1]
    assert checks(store)["journals"].state is State.PROBLEM


def test_blocks_of_zeros_cost_only_the_lines_that_they_cover(store: Path, journal: Path, lines: list[bytes]) -> None:
    """What a power failure leaves of pages that were not written."""
    content = bytearray(b"".join(lines))
    first = len(b"".join(lines[:5]))
    content[first + 10 : first + 20] = bytes(10)
    journal.write_bytes(content)
    assert facts(store)["damaged_lines"] == [6]
    assert facts(store)["missing_lines"] == 0
    index_holds(store, journal)


def test_what_the_index_took_in_before_its_line_was_damaged_is_kept(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", results=300)
    before = rows_of_index(store)
    journal = journal_of(store, RUN_IDS[0])
    content = bytearray(journal.read_bytes())
    content[len(content) // 2] ^= 1  # far from the ends, by which the importer knows the file
    journal.write_bytes(content)
    found = checks(store)
    assert found["journals"].state is State.PROBLEM
    assert "The index still holds rows" in said(found["journals"])
    assert found["index"].state is State.OK
    assert rows_of_index(store) == before


def test_a_copied_journal_is_said(store: Path, journal: Path) -> None:
    journal.with_name("1m83z0000zzzz.jsonl").write_bytes(journal.read_bytes())
    found = checks(store)["journals"]
    assert found.state is State.NOTE
    assert f"a copy of the one of {RUN_IDS[0]}" in said(found)


def test_a_journal_that_cannot_be_read_hides_no_other(store: Path, journal: Path) -> None:
    journal.unlink()
    journal.mkdir()
    found = checks(store)
    assert found["journals"].state is State.PROBLEM
    assert facts(store)["unreadable"] is not None
    assert facts(store, RUN_IDS[1])["results"] == RESULTS
