"""The head of a run's journal, written while the plan is made; it gets the journal's name when the plan holds."""

from __future__ import annotations

from pathlib import Path

from llmctl.errors import StoreError
from llmctl.providers.redaction import Redactor
from llmctl.runs.append_file import AppendFile, FileCalls, Tail, TornWriteError
from llmctl.runs.codec import encode
from llmctl.runs.records import Event

__all__ = ["PlanFile"]

_FLUSH_BYTES = 256 * 1024


class PlanFile:
    """A journal without a call. Nobody sees it before `publish`; `discard` leaves nothing behind.

    The file is made when there is something to write, so that a plan with mistakes in its files makes none.
    """

    def __init__(self, journal: Path, redactor: Redactor) -> None:
        """What users wrote loses the keys that `redactor` knows before it is kept."""
        self.journal = journal
        self.path = journal.with_name(f"{journal.name}.new")
        self._file: AppendFile | None = None
        self._redactor = redactor
        self._lines: list[bytes] = []
        self._bytes = 0
        self._end = 0
        self._seq = 0

    def add(self, event: Event) -> int:
        """Write an event; the byte at which its line begins.

        Raises:
            StoreError: the disk is full.
        """
        self._seq += 1
        line = encode(event, self._seq)
        if self._redactor.may_hold(line):
            line = encode(self._redactor.structure(event), self._seq)
        start = self._end
        self._end += len(line)
        self._bytes += len(line)
        self._lines.append(line)
        if self._bytes >= _FLUSH_BYTES:
            self._flush()
        return start

    def flushed(self) -> Path:
        """Where what was written so far can be read, though it is no journal yet.

        Raises:
            StoreError: the disk is full.
        """
        self._flush()
        return self.path

    def publish(self) -> AppendFile:
        """Give the file the journal's name, and open it to be continued.

        Raises:
            StoreError: the disk is full, or the file cannot be renamed.
        """
        file = self._flush()
        try:
            file.sync()
            file.close()
            self._file = None
            self.path.replace(self.journal)
        except OSError as error:
            raise self._unwritten(error.strerror or str(error)) from None
        return AppendFile(self.journal, FileCalls(), Tail(self._end, self._seq))

    def discard(self) -> None:
        """Delete the file, if it was not published."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self.path.unlink(missing_ok=True)

    def _flush(self) -> AppendFile:
        if self._file is None:
            self._file = AppendFile(self.path, FileCalls())
        try:
            self._file.append(self._lines)
        except TornWriteError as error:
            raise self._unwritten(str(error)) from None
        self._lines, self._bytes = [], 0
        return self._file

    def _unwritten(self, reason: str) -> StoreError:
        return StoreError(
            f"The plan cannot be kept in {self.path.parent}: {reason}.",
            hint="Nothing was sent. Make room, or set LLMCTL_STORE to another place.",
        )
