"""The journal of a run that is scored again: written in blocks, since all of it can be made again but judges' calls."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Protocol

from llmctl.errors import StoreError
from llmctl.runs.append_file import AppendFile, TornWriteError
from llmctl.runs.codec import body_of, sealed
from llmctl.runs.records import Event

__all__ = ["NewJournal"]

_BLOCK_BYTES = 256 * 1024


class Unpublished(Protocol):
    """A plan, or the file of one."""

    @property
    def journal(self) -> Path:
        """Where it is to be recorded."""

    def publish(self) -> AppendFile:
        """The journal, open to be continued."""


class NewJournal:
    """Goes on behind the plan, under the journal's own name. A context manager: at its end all is on the disk."""

    def __init__(self, plan: Unpublished) -> None:
        """Publish the plan.

        Raises:
            StoreError: the disk is full.
        """
        self.path = plan.journal
        self._file = plan.publish()
        self._seq = self._file.last_seq
        self._lines: list[bytes] = []
        self._bytes = 0

    def add(self, event: Event) -> int:
        """Write an event; the byte at which its line begins.

        Raises:
            StoreError: the disk is full.
        """
        return self.add_body(body_of(event))

    def add_body(self, body: bytes) -> int:
        """The same of what `body_of` gave."""
        self._seq += 1
        line = sealed(body, self._seq)
        position = self._file.size + self._bytes
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= _BLOCK_BYTES:
            self.flush()
        return position

    def flush(self) -> None:
        """Have everything in the file, safe from the death of the process."""
        lines, self._lines, self._bytes = self._lines, [], 0
        if not lines:
            return
        try:
            self._file.append(lines)
        except TornWriteError as error:
            raise self._unwritten(str(error)) from None

    def __enter__(self) -> NewJournal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.flush()
            self._file.sync()
        except OSError as failure:
            raise self._unwritten(failure.strerror or str(failure)) from None
        finally:
            self._file.close()

    def _unwritten(self, reason: str) -> StoreError:
        return StoreError(
            f"The journal {self.path} cannot be written: {reason}.",
            hint="The run that is scored again is untouched. Make room, then start anew.",
        )
