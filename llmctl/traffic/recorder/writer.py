"""Writes recorded calls in a thread of its own. Nobody waits for it: what finds no room is counted instead."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from llmctl.errors import StoreError
from llmctl.traffic.journal import TrafficJournal
from llmctl.traffic.logged_call import LoggedCall

__all__ = ["CallWriter", "Recorded", "RecordedCall"]

_MOST_HELD_BYTES = 256 * 2**20
_MOST_HELD = 100_000
_SYNC_S = 0.2

NO_ROOM = "the disk was slower than the calls"
NOT_WRITTEN = "the journal could not be written"


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call, and its payloads as JSON text."""

    call: LoggedCall
    raw: str


Recorded = Callable[[], RecordedCall | str]
"""Makes the record, in the writer's thread; or says why it is none (`not a model call`)."""


class CallWriter:
    """The thread that writes one journal. The journal is made with the first call."""

    def __init__(
        self,
        opened: Callable[[], TrafficJournal],
        tell: Callable[[str], None],
        *,
        most_held_bytes: int = _MOST_HELD_BYTES,
    ) -> None:
        """`tell` is called once, from the thread, with a sentence when nothing can be written any more."""
        self._opened = opened
        self._tell = tell
        self._most_held_bytes = most_held_bytes
        self._queue: queue.SimpleQueue[tuple[Recorded, int] | threading.Event | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._held_bytes = 0
        self._journal: TrafficJournal | None = None
        self._broken = False
        self._unsynced_since: float | None = None
        self.recorded = 0
        """Calls in the journal."""
        self.lost: Counter[str] = Counter()
        """Calls that are not, by reason."""
        self.passed: Counter[str] = Counter()
        """What was no call of a model, by reason."""
        self._thread = threading.Thread(target=self._work, name="llmctl-traffic-writer", daemon=True)
        self._thread.start()

    @property
    def import_id(self) -> str | None:
        """Of the journal; None: there is none yet."""
        return self._journal.import_id if self._journal is not None else None

    def put(self, recorded: Recorded, size: int) -> bool:
        """Hand over a call of about `size` bytes; whether there was room. Never waits."""
        with self._lock:
            if self._held_bytes + size > self._most_held_bytes or self._queue.qsize() >= _MOST_HELD:
                self.lost[NO_ROOM] += 1
                return False
            self._held_bytes += size
        self._queue.put((recorded, size))
        return True

    def lose(self, reason: str) -> None:
        """Count a call that cannot be kept."""
        with self._lock:
            self.lost[reason] += 1

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until everything that was handed over is on the disk; whether it is."""
        done = threading.Event()
        self._queue.put(done)
        return done.wait(timeout_s)

    def close(self) -> None:
        """Write what is left, close the journal, and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        going_on = True
        while going_on:
            item = self._next()
            if isinstance(item, tuple):
                self._write(*item)
            elif isinstance(item, threading.Event):
                self._sync()
                item.set()
            else:
                going_on = item is not None
        self._end()

    def _next(self) -> tuple[Recorded, int] | threading.Event | None:
        """The next one; what was written before is on the disk within 200 ms, or as soon as nothing more comes."""
        while True:
            if self._unsynced_since is not None and time.monotonic() - self._unsynced_since >= _SYNC_S:
                self._sync()
            try:
                return self._queue.get(timeout=None if self._unsynced_since is None else _SYNC_S / 4)
            except queue.Empty:
                self._sync()

    def _write(self, recorded: Recorded, size: int) -> None:
        try:
            made = recorded()
            if isinstance(made, str):
                self.passed[made] += 1
            elif self._broken:
                self.lose(NOT_WRITTEN)
            else:
                if self._journal is None:
                    self._journal = self._opened()
                self._journal.add(made.call, made.raw)
                self.recorded += 1
                if self._unsynced_since is None:
                    self._unsynced_since = time.monotonic()
        except StoreError as error:
            self._fail(error)
            self.lose(NOT_WRITTEN)
        except Exception as error:  # the thread goes on with the next call; this one is counted and said
            self.lose(f"the recorder failed on it ({type(error).__name__})")
        finally:
            with self._lock:
                self._held_bytes -= size

    def _sync(self) -> None:
        self._unsynced_since = None
        if self._journal is None or self._broken:
            return
        try:
            self._journal.sync()
        except StoreError as error:
            self._fail(error)

    def _fail(self, error: StoreError) -> None:
        if not self._broken:
            self._broken = True
            self._tell(f"{error.message} Calls are passed on, and no longer recorded.")

    def _end(self) -> None:
        if self._journal is None:
            return
        try:
            self._journal.close({"recorded": self.recorded, "lost": dict(self.lost), "passed": dict(self.passed)})
        except StoreError as error:
            self._fail(error)
