from __future__ import annotations

import asyncio
import errno
import os
import random
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llmctl.errors import StoreError
from llmctl.runs.codec import encode
from llmctl.runs.journal import Damage, FileCalls, JournalLine, JournalWriter, is_alive, read_journal
from llmctl.runs.records import BankEvent, Event, ResultEvent
from tests.runs.journal_examples import BANK, journal_of, result, whole_run, write_journal


def events_in(path: Path, offset: int = 0) -> list[object]:
    return [line.event for line in read_journal(path, offset) if isinstance(line, JournalLine)]


def damage_in(path: Path) -> list[Damage]:
    return [line for line in read_journal(path) if isinstance(line, Damage)]


class Disk:
    """Counts writes, takes at most `piece` bytes at once, and fails from the n-th write on."""

    def __init__(self, piece: int = 1 << 30, fails_at: int | None = None, code: int = errno.ENOSPC) -> None:
        self.piece = piece
        self.fails_at = fails_at
        self.code = code
        self.writes = 0

    def write(self, fd: int, data: memoryview) -> int:
        self.writes += 1
        if self.fails_at is not None and self.writes >= self.fails_at:
            raise OSError(self.code, os.strerror(self.code))
        return os.write(fd, data[: self.piece])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    events = whole_run()
    path = write_journal(journal_of(tmp_path), events)
    lines = [line for line in read_journal(path) if isinstance(line, JournalLine)]
    assert [line.event for line in lines] == events
    assert [line.seq for line in lines] == [line.line_number for line in lines] == list(range(1, len(events) + 1))
    assert lines[-1].end == path.stat().st_size
    assert not damage_in(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_the_journal_is_private(tmp_path: Path) -> None:
    path = write_journal(journal_of(tmp_path / "deep" / "store"), [BANK])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (path.parent, path.parent.parent, tmp_path / "deep"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_reading_goes_on_at_an_offset(tmp_path: Path) -> None:
    events = whole_run()
    path = write_journal(journal_of(tmp_path), events)
    middle = list(read_journal(path))[4]
    assert events_in(path, middle.end) == events[5:]
    assert next(read_journal(path, middle.end, line_number=6)).line_number == 6


async def test_write_returns_when_the_event_is_in_the_file(tmp_path: Path) -> None:
    path = journal_of(tmp_path)
    with JournalWriter(path) as journal:
        for number in range(3):
            await journal.write(result(number))
            assert len(events_in(path)) == number + 1


async def test_many_tasks_write_at_once(tmp_path: Path) -> None:
    path = journal_of(tmp_path)
    with JournalWriter(path) as journal:
        await asyncio.gather(*(journal.write(result(number)) for number in range(500)))
        assert len(events_in(path)) == 500
    assert [event.case_id for event in events_in(path) if isinstance(event, ResultEvent)] == [
        f"case-{number}" for number in range(500)
    ]


async def test_waiting_for_the_disk_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    free = threading.Event()

    def slow(fd: int, data: memoryview) -> int:
        assert free.wait(10)
        return os.write(fd, data)

    with JournalWriter(journal_of(tmp_path), FileCalls(write=slow)) as journal:
        task = asyncio.create_task(journal.write(BANK))
        await asyncio.sleep(0)
        assert not task.done()
        free.set()  # only a loop that still runs comes here
        await task


async def test_a_task_that_is_cancelled_leaves_the_journal_alone(tmp_path: Path) -> None:
    free = threading.Event()

    def slow(fd: int, data: memoryview) -> int:
        assert free.wait(10)
        return os.write(fd, data)

    path = journal_of(tmp_path)
    with JournalWriter(path, FileCalls(write=slow)) as journal:
        task = asyncio.create_task(journal.write(result(1)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        free.set()
        async with asyncio.timeout(10):
            await journal.write(result(2))
    assert len(events_in(path)) == 2


def test_lines_that_wait_are_written_at_once(tmp_path: Path) -> None:
    entered, free = threading.Event(), threading.Event()
    disk = Disk()

    def slow(fd: int, data: memoryview) -> int:
        entered.set()
        assert free.wait(10)
        return disk.write(fd, data)

    with JournalWriter(journal_of(tmp_path), FileCalls(write=slow)) as journal:
        journal.append(result(0))
        assert entered.wait(10)
        rest = [journal.append(result(number)) for number in range(1, 101)]
        free.set()
        rest[-1].result(timeout=10)
    assert disk.writes == 2


def test_lines_are_synced_by_their_number_off_the_callers_thread(tmp_path: Path) -> None:
    threads: list[int] = []

    def sync(fd: int) -> None:
        threads.append(threading.get_ident())
        os.fsync(fd)

    with JournalWriter(journal_of(tmp_path), FileCalls(sync=sync)) as journal:
        for number in range(250):
            journal.append(result(number)).result(timeout=10)
        assert len(threads) >= 2
    assert threading.get_ident() not in threads


def test_a_lonely_line_is_synced_after_a_while_and_at_the_end(tmp_path: Path) -> None:
    synced = threading.Event()
    count = [0]

    def sync(fd: int) -> None:
        os.fsync(fd)
        count[0] += 1
        synced.set()

    with JournalWriter(journal_of(tmp_path), FileCalls(sync=sync)) as journal:
        journal.append(BANK)
        assert synced.wait(10)
        journal.append(BANK)
    assert count[0] == 2


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_leaves_whole_lines_and_says_which_file(tmp_path: Path, code: int) -> None:
    """Fails at the first write, then at the second, ... until nothing fails any more."""
    for nth in range(1, 200):
        path = journal_of(tmp_path / str(nth))
        disk = Disk(piece=150, fails_at=nth, code=code)
        written: list[Event] = []
        refused = 0
        journal = JournalWriter(path, FileCalls(write=disk.write))
        futures = [(event, journal.append(event)) for event in map(result, range(8))]
        for event, future in futures:
            error = future.exception(timeout=10)
            if error is None:
                written.append(event)
                continue
            refused += 1
            assert isinstance(error, StoreError)
            assert str(path) in error.message
            assert os.strerror(code) in error.message
        assert path.read_bytes() == b"".join(encode(event, seq) for seq, event in enumerate(written, 1))
        if not refused:
            journal.close()
            assert nth > 8
            return
        with pytest.raises(StoreError, match="cannot be written"):
            journal.append(BANK).result(timeout=10)
        with pytest.raises(StoreError, match="cannot be written"):
            journal.close()
        journal.close()
    pytest.fail("the disk never worked")


@pytest.mark.parametrize("fits", [0, 1, 4])
def test_of_lines_that_are_written_at_once_those_that_fit_are_kept(tmp_path: Path, fits: int) -> None:
    entered, free = threading.Event(), threading.Event()
    rest = [result(number) for number in range(1, 6)]
    room = sum(len(encode(event, seq)) for seq, event in enumerate(rest[:fits], 2)) + 20

    def filling(fd: int, data: memoryview) -> int:
        if not entered.is_set():
            entered.set()
            assert free.wait(10)
            return os.write(fd, data)
        if len(data) < 1 + sum(len(encode(event, seq)) for seq, event in enumerate(rest, 2)) - room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.write(fd, data[:room])

    path = journal_of(tmp_path)
    journal = JournalWriter(path, FileCalls(write=filling))
    futures = [journal.append(result(0))]
    assert entered.wait(10)
    futures += [journal.append(event) for event in rest]
    free.set()
    assert [future.exception(timeout=10) is None for future in futures] == [True] * (fits + 1) + [False] * (5 - fits)
    with pytest.raises(StoreError):
        journal.close()
    assert events_in(path) == [result(0), *rest[:fits]]
    assert path.read_bytes().endswith(b"\n")


def test_where_even_cutting_back_fails_readers_and_the_next_writer_step_over_the_torn_line(tmp_path: Path) -> None:
    def truncate(fd: int, size: int) -> None:
        raise OSError(errno.EIO, "no")

    path = write_journal(journal_of(tmp_path), [result(0)])
    disk = Disk(piece=150, fails_at=2)
    journal = JournalWriter(path, FileCalls(write=disk.write, truncate=truncate))
    assert journal.append(result(1)).exception(timeout=10) is not None
    with pytest.raises(StoreError):
        journal.close()
    assert not path.read_bytes().endswith(b"\n")
    assert events_in(path) == [result(0)]
    assert not damage_in(path)
    write_journal(path, [result(2)])
    assert events_in(path) == [result(0), result(2)]
    assert [line.seq for line in read_journal(path) if isinstance(line, JournalLine)] == [1, 2]


def test_a_failing_sync_is_not_hidden(tmp_path: Path) -> None:
    def sync(fd: int) -> None:
        raise OSError(errno.EIO, "the disk is gone")

    journal = JournalWriter(journal_of(tmp_path), FileCalls(sync=sync))
    journal.append(BANK).result(timeout=10)
    with pytest.raises(StoreError, match="the disk is gone"):
        journal.close()


async def test_a_failure_reaches_the_task_that_waits(tmp_path: Path) -> None:
    journal = JournalWriter(journal_of(tmp_path), FileCalls(write=Disk(fails_at=1).write))
    with pytest.raises(StoreError, match="No space left"):
        await journal.write(BANK)
    with pytest.raises(StoreError):
        journal.close()


def test_the_error_under_way_is_not_replaced_by_that_of_closing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), JournalWriter(journal_of(tmp_path), FileCalls(write=Disk(fails_at=1).write)):
        raise ZeroDivisionError


def test_an_event_that_cannot_be_encoded_harms_no_other(tmp_path: Path) -> None:
    path = journal_of(tmp_path)
    with JournalWriter(path) as journal:
        bad = journal.append(BankEvent("b", "p", object()))  # type: ignore[arg-type]
        good = journal.append(BANK)
        assert isinstance(bad.exception(timeout=10), TypeError)
        good.result(timeout=10)
    assert events_in(path) == [BANK]


def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    journal = JournalWriter(journal_of(tmp_path))
    journal.close()
    journal.close()
    with pytest.raises(StoreError, match="closed"):
        journal.append(BANK)


def test_a_journal_has_one_writer_and_is_alive_as_long_as_it_writes(tmp_path: Path) -> None:
    path = journal_of(tmp_path)
    assert not is_alive(path)
    with JournalWriter(path):
        assert is_alive(path)
        with pytest.raises(StoreError, match="Another process"):
            JournalWriter(path)
    assert not is_alive(path)


def test_a_child_process_does_not_keep_a_dead_run_alive(tmp_path: Path) -> None:
    path = journal_of(tmp_path)
    with JournalWriter(path):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert not is_alive(path)
    finally:
        child.communicate(b"\n")


def test_a_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be made|not a directory"):
        JournalWriter(tmp_path / "file" / "runs" / "x.jsonl")


def flip(position: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content[position] ^= 0x10

    return change


def test_a_flipped_bit_costs_its_line_and_no_other(tmp_path: Path) -> None:
    originals: list[Event] = [result(number) for number in range(9)]
    path = write_journal(journal_of(tmp_path), originals)
    whole = path.read_bytes()
    lines = [line for line in read_journal(path) if isinstance(line, JournalLine)]
    for seed in range(100):
        source = random.Random(seed)
        hit = source.choice(lines[:-1])
        content = bytearray(whole)
        content[source.randrange(hit.offset, hit.end - 1)] ^= 1 << source.randrange(8)
        path.write_bytes(content)
        kept = [original for line, original in zip(lines, originals, strict=True) if line is not hit]
        assert events_in(path) == kept
        damage = damage_in(path)
        assert {one.line_number for one in damage} >= {hit.line_number}
        assert damage[0].offset == hit.offset
        assert damage[-1].end == hit.end


@pytest.mark.parametrize("garbage", [b"\n", b"\x00" * 4096 + b"\n", b"{}\n", b'{"crc":"\n', "\u2028\n".encode()])
def test_garbage_between_lines_is_said_and_stepped_over(tmp_path: Path, garbage: bytes) -> None:
    path = write_journal(journal_of(tmp_path), [result(1)])
    first = path.read_bytes()
    path.write_bytes(first + garbage + encode(result(2), 2))
    assert events_in(path) == [result(1), result(2)]
    assert [(one.line_number, one.offset) for one in damage_in(path)] == [(2, len(first))]


@pytest.mark.parametrize("size", [1, 8, 30, 200])
@pytest.mark.parametrize("zeros", [False, True])
def test_a_torn_last_line_is_neither_event_nor_damage(tmp_path: Path, size: int, zeros: bool) -> None:
    path = write_journal(journal_of(tmp_path), [result(1)])
    with path.open("ab") as file:
        file.write(bytes(size) if zeros else encode(result(2), 2)[:size])
    assert events_in(path) == [result(1)]
    assert not damage_in(path)


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmctl.runs.journal_reader.MAX_LINE_BYTES", 4096)
    path = write_journal(journal_of(tmp_path), [result(1)])
    with path.open("ab") as file:
        file.write(b"x" * 10_000 + b"\n" + encode(result(2), 2) + b"y" * 10_000)
    assert events_in(path) == [result(1), result(2)]
    assert [one.reason for one in damage_in(path)] == ["it is longer than any line that is written"]


def test_a_journal_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        list(read_journal(tmp_path / "missing.jsonl"))


def test_a_job_runs_after_what_was_handed_over_before(tmp_path: Path) -> None:
    order: list[str] = []
    path = tmp_path / "j.jsonl"
    with JournalWriter(path) as journal:
        for number in range(50):
            journal.post(result(number), lambda error, position, number=number: order.append(f"line {number}"))  # type: ignore[misc]
            journal.later(lambda number=number: order.append(f"job {number}"))  # type: ignore[misc]
    assert sorted(order) == sorted([*(f"line {n}" for n in range(50)), *(f"job {n}" for n in range(50))])
    for number in range(50):
        assert order.index(f"line {number}") < order.index(f"job {number}")


def test_an_event_is_written_between_long_jobs(tmp_path: Path) -> None:
    """An answer that was paid for does not wait until all answers before it are scored."""
    scored: list[int] = []
    started, release = threading.Event(), threading.Event()

    def first() -> None:
        started.set()
        release.wait(timeout=10)
        time.sleep(0.05)  # longer than jobs may take at a time

    with JournalWriter(tmp_path / "j.jsonl") as journal:
        journal.later(first)
        for number in range(5):
            journal.later(lambda number=number: scored.append(number))  # type: ignore[misc]
        assert started.wait(timeout=10)
        scored_before: list[int] = []
        journal.post(result(1), lambda error, position: scored_before.extend(scored))
        release.set()
    assert scored_before == []
    assert scored == [0, 1, 2, 3, 4]
