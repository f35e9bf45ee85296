"""Writes recorded calls in a thread of its own. Nobody waits for it: what finds no room is counted instead."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable

from llmctl.traffic.journal import TrafficJournal
from llmctl.traffic.recorder.call_journal import SYNC_S, CallJournal, Recorded, RecordedCall

__all__ = ["MOST_HELD_BYTES", "NO_ROOM", "CallWriter", "RecordedCall"]

MOST_HELD_BYTES = 256 * 2**20
_MOST_HELD = 100_000
NO_ROOM = "the disk was slower than the calls"


class CallWriter:
    """The thread that writes one journal."""

    def __init__(
        self,
        opened: Callable[[], TrafficJournal],
        tell: Callable[[str], None],
        *,
        most_held_bytes: int = MOST_HELD_BYTES,
    ) -> None:
        """`tell` is called once, from the thread, with a sentence when nothing can be written any more."""
        self._calls = CallJournal(opened, tell)
        self._most_held_bytes = most_held_bytes
        self._queue: queue.SimpleQueue[tuple[Recorded, int] | threading.Event | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._held_bytes = 0
        self._refused: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._work, name="llmctl-traffic-writer", daemon=True)
        self._thread.start()

    @property
    def recorded(self) -> int:
        """Calls in the journal."""
        return self._calls.recorded

    @property
    def lost(self) -> Counter[str]:
        """Calls that are not, by reason."""
        return self._calls.lost + self._refused

    def put(self, recorded: Recorded, size: int) -> bool:
        """Hand over a call of about `size` bytes; whether there was room. Never waits."""
        with self._lock:
            if self._held_bytes + size > self._most_held_bytes or self._queue.qsize() >= _MOST_HELD:
                self._refused[NO_ROOM] += 1
                return False
            self._held_bytes += size
        self._queue.put((recorded, size))
        return True

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
                self._calls.sync()
                item.set()
            else:
                going_on = item is not None
        self._calls.close(self._refused)

    def _next(self) -> tuple[Recorded, int] | threading.Event | None:
        """The next one; what was written before is on the disk within 200 ms, or as soon as nothing more comes."""
        while True:
            self._calls.sync_if_due()
            try:
                return self._queue.get(timeout=SYNC_S / 4 if self._calls.unsynced else None)
            except queue.Empty:
                self._calls.sync()

    def _write(self, recorded: Recorded, size: int) -> None:
        try:
            self._calls.write(recorded)
        finally:
            with self._lock:
                self._held_bytes -= size
