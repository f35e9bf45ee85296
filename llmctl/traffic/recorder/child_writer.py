"""Hands ended exchanges to a child process that writes them down. Nobody waits for it, and what waits is bounded.

The event loop collects them for some milliseconds, a thread packs them into a pipe, and the child makes the records: so
that what writing costs is not taken from the process that passes calls on.
"""

from __future__ import annotations

import contextlib
import pickle
import queue
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import orjson

from llmctl.processes.groups import own_group, python_module
from llmctl.traffic.recorder.call_journal import NOT_WRITTEN, SYNC_S
from llmctl.traffic.recorder.exchange import Exchange
from llmctl.traffic.recorder.frames import Kind, packed, signal_frame
from llmctl.traffic.recorder.setting import LENGTH_BYTES, Setting
from llmctl.traffic.recorder.writer import MOST_HELD_BYTES, NO_ROOM

__all__ = ["ChildWriter"]

_MODULE = "llmctl.traffic.recorder.child"
_PIPE_BUFFER_BYTES = 2**18
_HASTE = 4
"""When a part of the room of one in so many is taken, the child does not rest any more."""


class ChildWriter:
    """One journal, and the process that writes it."""

    def __init__(
        self, setting: Setting, tell: Callable[[str], None], *, most_held_bytes: int = MOST_HELD_BYTES
    ) -> None:
        """Start the child. `tell` is called once, from a thread, when nothing can be written any more.

        Raises:
            OSError: no process can be started.
        """
        self._tell = tell
        self._most_held_bytes = most_held_bytes
        self._queue: queue.SimpleQueue[Sequence[Exchange] | bytes | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._held_bytes = 0
        self._given = 0
        self._refused: Counter[str] = Counter()
        self._told: Mapping[str, object] = {}
        self._closing = False
        self._broken = False
        self._flushed = threading.Semaphore(0)
        self._process = subprocess.Popen(
            python_module(_MODULE),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=_PIPE_BUFFER_BYTES,
            **own_group(),
        )
        data = pickle.dumps(setting)
        self._queue.put(len(data).to_bytes(LENGTH_BYTES) + data)
        self._threads = [
            threading.Thread(target=work, name=f"llmctl-traffic-{name}", daemon=True)
            for name, work in (("writer", self._write), ("counts", self._listen))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def import_id(self) -> str | None:
        """Of the journal; None: there is none yet."""
        found = self._told.get("import_id")
        return found if isinstance(found, str) else None

    @property
    def recorded(self) -> int:
        """Calls in the journal, as the child has last said."""
        found = self._told.get("recorded", 0)
        return found if isinstance(found, int) else 0

    @property
    def passed(self) -> Counter[str]:
        """What was no call of a model, by reason."""
        return Counter(self._told.get("passed", {}))  # type: ignore[call-overload, no-any-return]

    @property
    def lost(self) -> Counter[str]:
        """Calls that are not in the journal, by reason. Of a child that died, also all that it has not answered for."""
        known: Counter[str] = Counter(self._told.get("lost", {}))  # type: ignore[call-overload]
        if self._broken:
            known[NOT_WRITTEN] += self._given - self.recorded - self.passed.total() - known.total()
        return +(known + self._refused)

    def put(self, exchanges: Sequence[Exchange]) -> None:
        """Hand over exchanges that have ended. Never waits; those without room are counted."""
        taken = []
        with self._lock:
            for exchange in exchanges:
                if self._held_bytes + exchange.size > self._most_held_bytes:
                    self._refused[NO_ROOM] += 1
                else:
                    self._held_bytes += exchange.size
                    taken.append(exchange)
            self._given += len(taken)
        if taken:
            self._queue.put(taken)

    def lose(self, reason: str) -> None:
        """Count a call that cannot be kept."""
        with self._lock:
            self._refused[reason] += 1

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until everything that was handed over is on the disk; whether it is."""
        self._queue.put(signal_frame(Kind.FLUSH))
        return self._flushed.acquire(timeout=timeout_s) and not self._broken

    def close(self) -> None:
        """Have written what is left, and the journal closed; the child ends."""
        self._closing = True
        self._queue.put(signal_frame(Kind.CLOSE, dict(self._refused)))
        self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._process.wait()

    # --- the thread that packs ----------------------------------------------------------------------------------------

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        unsynced = False
        while True:
            try:
                item = self._queue.get(timeout=SYNC_S if unsynced else None)
            except queue.Empty:
                item, unsynced = signal_frame(Kind.SYNC), False
            if item is None:
                break
            try:
                if isinstance(item, bytes):
                    pipe.write(item)
                else:
                    unsynced = True
                    self._send(item)
                pipe.flush()
            except OSError:  # the child has died, which the other thread says
                continue
        with contextlib.suppress(OSError):
            pipe.close()

    def _send(self, exchanges: Sequence[Exchange]) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            for exchange in exchanges:
                hasty = self._closing or self._held_bytes * _HASTE > self._most_held_bytes
                for piece in packed(exchange, hasty=hasty):
                    pipe.write(piece)
        finally:
            with self._lock:
                self._held_bytes -= sum(exchange.size for exchange in exchanges)

    # --- the thread that listens --------------------------------------------------------------------------------------

    def _listen(self) -> None:
        answers = self._process.stdout
        assert answers is not None
        closed = False
        for line in answers:
            said = orjson.loads(line)
            if "failed" in said:
                self._tell(said["failed"])
                continue
            self._told = said
            closed = said["closed"]
            if said["flushed"]:
                self._flushed.release()
        answers.close()
        if not closed:
            self._broken = True
            self._tell("The process that writes calls down has ended. Calls are passed on, and no longer recorded.")
        self._flushed.release()
