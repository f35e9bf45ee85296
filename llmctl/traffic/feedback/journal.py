"""Writes `<store>/events.jsonl`: checksummed lines that never change; several processes write it, in turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from llmctl.errors import StoreError
from llmctl.providers.redaction import Redactor
from llmctl.runs.append_file import AppendFile, FileCalls, TornWriteError
from llmctl.runs.codec import sealed
from llmctl.store.layout import Layout
from llmctl.traffic.feedback.events import FEEDBACK, Event
from llmctl.traffic.lines import LineEncoder
from llmctl.traffic.logged_call import LoggedFeedback

__all__ = ["EventJournal", "events_alone"]

_WAIT_S = 10.0
_AT_ONCE = 1_000
"""Lines that are written in one go."""
_SAID = tuple(field.name for field in fields(LoggedFeedback))


class EventJournal:
    """The journal of events of a store. Use it within `events_alone`."""

    def __init__(self, store: Path, redactor: Redactor, *, calls: FileCalls | None = None) -> None:
        """`redactor` takes keys out of everything that is written."""
        self._layout = Layout(store)
        self._encoder = LineEncoder(redactor)
        self._calls = calls or FileCalls()

    @property
    def redacted(self) -> int:
        """Lines from which keys were taken."""
        return self._encoder.redacted

    def add(self, events: Sequence[Event]) -> None:
        """Write events; when it returns they are on the disk.

        Raises:
            StoreError: the disk is full or broken; the first of them may have been written.
        """
        file = AppendFile(self._layout.events, self._calls)
        try:
            for start in range(0, len(events), _AT_ONCE):
                seq = file.last_seq + 1 + start
                file.append(
                    [sealed(self._body(one), seq + i) for i, one in enumerate(events[start : start + _AT_ONCE])]
                )
            file.sync()
        except (TornWriteError, OSError) as error:
            said = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise StoreError(
                f"The journal {self._layout.events} cannot be written: {said}.",
                hint="What was written before is kept. Make room, then do it again.",
            ) from None
        finally:
            file.close()

    def _body(self, event: Event) -> bytes:
        values: dict[str, object] = {"id": event.id, "origin": event.given.value}
        values |= {name: getattr(event.said, name) for name in _SAID}
        values |= {"by": event.by, "token_distance": event.token_distance, "draft": event.draft}
        return self._encoder.event(FEEDBACK, {name: value for name, value in values.items() if value is not None})


@contextmanager
def events_alone(store: Path, *, wait_s: float = _WAIT_S) -> Iterator[None]:
    """One process at a time: it sees what is there before it adds to it.

    Raises:
        StoreError: another process writes for longer than `wait_s`, or the store cannot be written.
    """
    from filelock import FileLock, Timeout

    layout = Layout(store)
    layout.prepare()
    lock = FileLock(layout.events_lock, timeout=wait_s, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise StoreError(
            f"Another process is writing feedback into {layout.root}.", hint="Wait until it ends, then try again."
        ) from None
    except OSError as error:
        raise StoreError(f"The store {layout.root} cannot be written: {error.strerror or error}.") from None
    try:
        yield
    finally:
        lock.release()
