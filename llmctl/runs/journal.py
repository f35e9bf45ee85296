"""Writes a run's journal: one thread, one write per batch, an acknowledgement for every event that is in the file.

An acknowledged event survives the death of the process (`kill -9`). It survives a power failure once it is synced:
after 100 lines or 200 ms, whichever comes first, and when the journal is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType

from llmctl.errors import StoreError
from llmctl.runs.alive import is_alive
from llmctl.runs.append_file import AppendFile, FileCalls, TornWriteError
from llmctl.runs.codec import encode
from llmctl.runs.journal_reader import MAX_LINE_BYTES, Damage, JournalLine, read_journal
from llmctl.runs.records import Event

__all__ = ["Damage", "FileCalls", "Job", "JournalLine", "JournalWriter", "Told", "is_alive", "read_journal"]

_BATCH_EVENTS = 512
_GATHER_S = 0.02
"""How long events gather before they are written together, so that not each of them wakes the thread."""
_ENOUGH = 64
"""So many need not wait for more."""
_JOBS_S = 0.02
"""For how long work is done before new events, which may be answers that were paid for, are written."""
_SYNC_LINES = 100
_SYNC_S = 0.2


Job = Callable[[], None]
Told = Callable[[Exception | None, int], None]
"""Called in the writer's thread when an event is in the file, with the byte at which its line begins; or with the error
that keeps it from being written."""


@dataclass(slots=True)
class _Entry:
    """An event on its way, and who is told; then what is told: made once, it is filled in and not copied."""

    event: Event
    told: Told
    error: Exception | None = None
    """Why it was not written."""
    position: int = -1


class JournalWriter:
    """The one writer of a journal, safe to use from any thread and any event loop."""

    def __init__(self, path: Path, calls: FileCalls | None = None, *, file: AppendFile | None = None) -> None:
        """Create the journal (or go on with one), lock it, start the thread. `file`: it is open and locked already.

        Raises:
            StoreError: the file cannot be opened, or another process writes it.
        """
        self.path = path
        self._file = file or AppendFile(path, calls or FileCalls())
        self._seq = self._file.last_seq
        self._queue: SimpleQueue[_Entry | Job | None] = SimpleQueue()
        self._jobs: deque[Job] = deque()
        self._gate = threading.Lock()
        self._hurry = threading.Event()
        """There is no more to gather for."""
        self._closed = False
        self._failure: str | None = None
        self._unsynced = 0
        self._sync_at = 0.0
        self._thread = threading.Thread(target=self._run, name="llmctl-journal", daemon=True)
        self._thread.start()

    def post(self, event: Event, told: Told) -> None:
        """Hand over an event; `told` is called in the writer's thread when it is in the file: keep it short."""
        self._hand_over(_Entry(event, told))

    def later(self, job: Job) -> None:
        """Have work done in the writer's thread, after what was handed over before is written.

        A job hands its own events over; it must not raise.
        """
        self._hand_over(job)

    def hurry(self) -> None:
        """Write what was handed over now: whoever hands over waits for it."""
        self._hurry.set()

    def append(self, event: Event) -> Future[None]:
        """Hand over an event. The future is done when it is in the file, or holds the StoreError that prevents it."""
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # from here on it cannot be cancelled: it will be written

        def told(error: Exception | None, _position: int) -> None:
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        self.post(event, told)
        return future

    async def write(self, event: Event) -> None:
        """Hand over an event and wait, without holding up the loop, until it is in the file.

        Raises:
            StoreError: it cannot be written, nor can any later one.
        """
        future = self.append(event)
        self.hurry()
        await asyncio.wrap_future(future)

    def close(self) -> None:
        """Write and sync what was handed over, and drop the lock. Closing twice does nothing more.

        Raises:
            StoreError: the journal could not be written or synced to its end.
        """
        with self._gate:
            first = not self._closed
            self._closed = True
            if first:
                self._queue.put(None)
                self.hurry()
        self._thread.join()
        if first and self._failure is not None:
            raise self._store_error()

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except StoreError:
            if error is None:  # else the error under way already says more
                raise

    def _hand_over(self, item: _Entry | Job) -> None:
        with self._gate:
            if self._closed:
                raise StoreError(f"The journal {self.path} is closed.")
            self._queue.put(item)
        if self._queue.qsize() >= _ENOUGH - 1:  # the thread holds one more
            self._hurry.set()

    def _store_error(self) -> StoreError:
        return StoreError(
            f"The journal {self.path} cannot be written: {self._failure}.",
            hint="What was written before is kept. Make room, then go on with `llmctl eval --resume`.",
        )

    # Everything below runs in the writer's thread.

    def _run(self) -> None:
        going_on = True
        while going_on or self._jobs:
            batch = self._next_batch()
            going_on = going_on and None not in batch
            entries: list[_Entry] = []
            for item in batch:
                if isinstance(item, _Entry):
                    entries.append(item)
                elif item is not None:
                    self._jobs.append(item)
            self._write(entries)
            for entry in entries:
                entry.told(entry.error, entry.position)
            self._work()
            if self._unsynced and (not going_on or self._unsynced >= _SYNC_LINES or time.monotonic() >= self._sync_at):
                self._sync()
        self._file.close()

    def _next_batch(self) -> list[_Entry | Job | None]:
        """What waits in the queue; empty when it is time to sync, or to work. None in it asks for the end."""
        batch: list[_Entry | Job | None] = []
        with contextlib.suppress(Empty):
            if not self._jobs:
                patience = max(0.0, self._sync_at - time.monotonic()) if self._unsynced else None
                batch.append(self._queue.get(timeout=patience))
                self._hurry.wait(_GATHER_S)
                self._hurry.clear()
            while len(batch) < _BATCH_EVENTS and (not batch or batch[-1] is not None):
                batch.append(self._queue.get_nowait())
        return batch

    def _work(self) -> None:
        """Do jobs for a while."""
        until = time.monotonic() + _JOBS_S
        while self._jobs and time.monotonic() < until:
            self._jobs.popleft()()

    def _write(self, entries: list[_Entry]) -> None:
        """Write what can be written; each entry says what became of it."""
        if self._failure is not None:
            for entry in entries:
                entry.error = self._store_error()
            return
        ready: list[_Entry] = []
        lines: list[bytes] = []
        for entry in entries:
            try:
                line = _encoded(entry.event, self._seq + 1)
            except Exception as error:  # told to whoever waits; the journal goes on
                entry.error = error
                continue
            self._seq += 1
            ready.append(entry)
            lines.append(line)
        if ready:
            self._append(ready, lines)

    def _append(self, entries: list[_Entry], lines: list[bytes]) -> None:
        whole = len(lines)
        position = self._file.size
        for entry, line in zip(entries, lines, strict=True):
            entry.position = position
            position += len(line)
        try:
            self._file.append(lines)
        except TornWriteError as error:
            whole, self._failure = error.whole, str(error)
        if whole and not self._unsynced:
            self._sync_at = time.monotonic() + _SYNC_S
        self._unsynced += whole
        for entry in entries[whole:]:
            entry.error, entry.position = self._store_error(), -1

    def _sync(self) -> None:
        self._unsynced = 0
        try:
            self._file.sync()
        except OSError as error:
            # The kernel may have dropped the pages: nothing that follows could be promised.
            self._failure = self._failure or error.strerror or str(error)


def _encoded(event: Event, seq: int) -> bytes:
    line = encode(event, seq)
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"the event has {len(line)} bytes, more than the {MAX_LINE_BYTES} of the longest line")
    return line
