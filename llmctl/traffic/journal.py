"""Writes a traffic journal, `<store>/traffic/<id>.jsonl`: checksummed lines that never change.

It is written from one thread. A line is in the file after `flush`, on the disk after `sync`; `close` does both.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from llmctl import __version__
from llmctl.errors import StoreError
from llmctl.providers.redaction import Redactor
from llmctl.runs.append_file import AppendFile, FileCalls, Tail, TornWriteError
from llmctl.runs.codec import sealed
from llmctl.runs.ids import new_run_id
from llmctl.store.layout import Layout
from llmctl.traffic.identity import call_identity, feedback_identity
from llmctl.traffic.lines import END, HEAD, LineEncoder, Origin
from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback

__all__ = ["TrafficHead", "TrafficJournal"]

_BUFFER_BYTES = 2**18
_NOWHERE = Origin()


@dataclass(frozen=True, slots=True)
class TrafficHead:
    """What a journal says of itself in its first line."""

    command: str
    """`import`, `record`, `litellm` ..."""
    sources: tuple[str, ...] = ()
    """Files as they were named, or the upstream's address without credentials."""
    options: Mapping[str, object] | None = None


class TrafficJournal:
    """The one writer of a traffic journal, as a context manager."""

    def __init__(
        self,
        store: Path,
        head: TrafficHead,
        redactor: Redactor,
        *,
        now: float | None = None,
        calls: FileCalls | None = None,
    ) -> None:
        """Create a journal of its own. `redactor` takes keys out of everything that is written.

        Raises:
            StoreError: it cannot be made or written.
        """
        layout = Layout(store)
        layout.prepare()
        started_at = time.time() if now is None else now
        self.import_id = new_run_id(started_at)
        self.path = layout.traffic / f"{self.import_id}.jsonl"
        self._file = AppendFile(self.path, calls or FileCalls(), Tail(0, 0))
        self._encoder = LineEncoder(redactor)
        self._lines: list[bytes] = []
        self._held_bytes = 0
        self._end = 0
        self._seq = 0
        self.missing = 0
        """Lines that could not be written: the disk was full or broken."""
        self._raw: str | None = None
        self._raw_at = 0
        self._closed = False
        self._put(self._encoder.event(HEAD, _head(head, self.import_id, started_at)))

    @property
    def redacted(self) -> int:
        """Lines from which keys were taken."""
        return self._encoder.redacted

    def add(
        self,
        record: LoggedCall | LoggedFeedback,
        raw: str,
        origin: Origin = _NOWHERE,
        *,
        record_id: str | None = None,
        kept: str | None = None,
    ) -> str:
        """Add a record with what was logged; its id. It may stand in a buffer until `flush`.

        `record_id`: where the caller has made it already. `kept`: the raw text without what is not to be kept; the id
        is made of `raw` all the same. One text given for several records, one after the other, is written once.

        Raises:
            StoreError: the disk is full or broken.
        """
        written = raw if kept is None else kept
        if isinstance(record, LoggedFeedback):
            record_id = record_id or feedback_identity(record, raw)
            self._put(self._encoder.feedback(record, record_id, origin, written))
            return record_id
        record_id = record_id or call_identity(record, raw)
        if written is self._raw:
            self._put(self._encoder.call(record, record_id, origin, None, self._raw_at))
        else:
            self._raw, self._raw_at = written, self._end
            self._put(self._encoder.call(record, record_id, origin, written, None))
        return record_id

    def flush(self) -> None:
        """Write what is in the buffer: it survives the death of the process.

        Raises:
            StoreError: the disk is full or broken.
        """
        if not self._lines:
            return
        lines, self._lines, self._held_bytes = self._lines, [], 0
        try:
            self._file.append(lines)
        except TornWriteError as error:
            self.missing += len(lines) - error.whole
            raise self._refused(str(error)) from None

    def sync(self) -> None:
        """Write what is in the buffer and have it put on the disk.

        Raises:
            StoreError: the disk is full or broken.
        """
        self.flush()
        try:
            self._file.sync()
        except OSError as error:
            raise self._refused(error.strerror or str(error)) from None

    def close(self, result: Mapping[str, object] | None = None) -> None:
        """Write the last line, sync, and drop the lock. Closing twice does nothing more. `result`: counts to keep.

        Raises:
            StoreError: it could not be written to its end.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._put(self._encoder.event(END, {"ended_at": time.time(), "result": dict(result or {})}))
            self.sync()
        finally:
            self._file.close()

    def __enter__(self) -> TrafficJournal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except StoreError:
            if error is None:  # else the error under way already says more
                raise

    def _put(self, body: bytes) -> None:
        self._seq += 1
        line = sealed(body, self._seq)
        self._lines.append(line)
        self._end += len(line)
        self._held_bytes += len(line)
        if self._held_bytes >= _BUFFER_BYTES:
            self.flush()

    def _refused(self, reason: str) -> StoreError:
        return StoreError(
            f"The journal {self.path} cannot be written: {reason}.",
            hint="What was written before is kept. Make room, then do it again: nothing is added twice.",
        )


def _head(head: TrafficHead, import_id: str, started_at: float) -> dict[str, object]:
    return {
        "import_id": import_id,
        "started_at": started_at,
        "command": head.command,
        "sources": head.sources,
        "options": head.options or {},
        "llmctl_version": __version__,
    }
