"""Imports feedback from files: known one left out, the rest into the journal of events, in the order of the files."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from llmctl.providers.redaction import Redactor
from llmctl.runs.store_reader import StoreReader
from llmctl.traffic.documents.found import Unreadable
from llmctl.traffic.feedback.events import EditKind, Event
from llmctl.traffic.feedback.journal import EventJournal, events_alone
from llmctl.traffic.feedback.store import FeedbackStore
from llmctl.traffic.feedback.vellum import VellumActuals
from llmctl.traffic.identity import feedback_identity
from llmctl.traffic.importing import ALREADY, TWICE, Importing, SkipCount, TrafficImport
from llmctl.traffic.lines import Origin
from llmctl.traffic.logged_call import LoggedFeedback
from llmctl.traffic.pii import Pseudonyms
from llmctl.traffic.readers.base import SetAside
from llmctl.traffic.readers.registry import readers
from llmctl.traffic.reading import Reading
from llmctl.traffic.seen import Seen
from llmctl.traffic.sources import Source

__all__ = ["FeedbackImport", "FeedbackWriting", "import_feedback"]

_CALL = "a logged call, not feedback (`traffic import` reads it)"
_NO_TARGET = "it does not say of which call"
_AT_ONCE = 1_000
_EXAMPLES = 5


@dataclass(slots=True)
class FeedbackImport(TrafficImport):
    """What an import of feedback did."""

    unknown: int = 0
    """Imported for calls that are not known here: it counts when they are."""
    kinds: Counter[str] = field(default_factory=Counter)
    edits: Counter[EditKind] = field(default_factory=Counter)


class FeedbackWriting:
    """Takes in events of one import, as a context manager: no other process writes feedback meanwhile."""

    def __init__(self, store: Path, redactor: Redactor, *, redact: bool = False) -> None:
        """`redact`: whether personal data is replaced. Keys are, always."""
        self.done = FeedbackImport()
        self.store = FeedbackStore(store)
        self._path = store
        self._journal = EventJournal(store, redactor)
        self._pseudonyms = Pseudonyms() if redact else None
        self._alone = events_alone(store)
        self._known = self._new = Seen()
        self._events: list[Event] = []

    def __enter__(self) -> FeedbackWriting:
        self._alone.__enter__()
        try:
            self._known, self._new = self.store.known(), Seen()
        except BaseException:
            self._alone.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self._alone.__exit__(kind, error, trace)
        if kind is None and self.done.imported:
            self.done.later = StoreReader(self._path).refresh().later

    def take(self, event: Event, origin: Origin) -> bool:
        """Keep an event if it is new; whether it is."""
        number = int(event.id, 16)
        if number in self._known or not self._new.add(number):
            self.skip(ALREADY if number in self._known else TWICE, origin)
            return False
        self._events.append(self._without_personal_data(event))
        if len(self._events) >= _AT_ONCE:
            self.flush()
        return True

    def skip(self, reason: str, origin: Origin, *, unreadable: bool = False) -> None:
        """Count what is not kept."""
        skip = self.done.skips.setdefault(reason, SkipCount(reason, unreadable=unreadable))
        skip.count += 1
        if len(skip.examples) < _EXAMPLES:
            skip.examples.append(origin)

    def flush(self) -> None:
        """Write what was taken.

        Raises:
            StoreError: the disk is full or broken.
        """
        if not self._events:
            return
        events, self._events = self._events, []
        self._journal.add(events)
        done = self.done
        done.imported += len(events)
        done.redacted_lines = self._journal.redacted
        if self._pseudonyms is not None:
            done.redacted = self._pseudonyms.counts
        done.kinds.update(event.said.kind for event in events)
        known = self.store.calls_named([event.said.target or "" for event in events])
        done.unknown += sum(event.said.target not in known for event in events)

    def _without_personal_data(self, event: Event) -> Event:
        if self._pseudonyms is None:
            return event
        said = dataclasses.replace(event.said, text=self._pseudonyms.value(event.said.text))
        return dataclasses.replace(event, said=said, draft=self._pseudonyms.value(event.draft))


def import_feedback(store: Path, sources: Sequence[Source], options: Importing, redactor: Redactor) -> FeedbackImport:
    """Import feedback that other tools have kept: what a document is, it says itself, unless there is a reader.

    Raises:
        StoreError: the store cannot be read or written; what was imported before is kept.
    """
    with FeedbackWriting(store, redactor, redact=options.redact) as writing:
        known = (VellumActuals(), *readers())
        reading = Reading(sources, reader=options.reader, encoding=options.encoding, known=known)
        for item in reading.items():
            if isinstance(item, SetAside | Unreadable):
                writing.skip(item.reason, reading.place(item.line), unreadable=isinstance(item, Unreadable))
                continue
            for event, reason in _events(item.record, item.raw):
                if event is None:
                    writing.skip(reason, reading.place(item.line))
                else:
                    writing.take(event, reading.place(item.line))
    return writing.done


def _events(record: object, raw: str) -> Iterator[tuple[Event | None, str]]:
    """The event, or why there is none."""
    if not isinstance(record, LoggedFeedback):
        yield None, _CALL
    elif not record.target:
        yield None, _NO_TARGET
    else:
        yield Event(feedback_identity(record, raw), record), ""
