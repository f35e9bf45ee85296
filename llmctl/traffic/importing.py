"""Imports logged calls: read, known ones left out, redacted, into a journal, and from there into the index."""

from __future__ import annotations

import dataclasses
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from llmctl.errors import StoreError
from llmctl.providers.redaction import Redactor
from llmctl.runs.store_reader import StoreReader
from llmctl.store.database import open_database
from llmctl.store.layout import Layout
from llmctl.traffic.documents.found import Unreadable
from llmctl.traffic.identity import call_identity, feedback_identity
from llmctl.traffic.journal import TrafficHead, TrafficJournal
from llmctl.traffic.lines import Origin
from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback
from llmctl.traffic.pii import Pseudonyms
from llmctl.traffic.readers.base import Entry, Reader, SetAside
from llmctl.traffic.reading import Reading
from llmctl.traffic.seen import Seen
from llmctl.traffic.sources import Source

__all__ = ["Importing", "SkipCount", "TrafficImport", "import_traffic"]

ALREADY, TWICE = "imported already", "twice in these files"
_EXAMPLES = 5
_REDACTED_FIELDS = (
    *("messages", "tools", "params", "response_format", "output", "tool_calls", "error", "variables", "tags"),
    *("metadata", "user", "session_id"),
)
_PROGRESS_ITEMS = 5_000


@dataclass(frozen=True, slots=True)
class Importing:
    """How files are imported."""

    reader: Reader | None = None
    """For all of them; None: by what they hold."""
    encoding: str | None = None
    """Of text that is not UTF-8."""
    redact: bool = False
    """Whether personal data is replaced. Keys are, always."""
    command: str = "import"
    collect: bool = False
    """Whether to say which calls the files hold, those among them that were imported before."""


@dataclass(slots=True)
class SkipCount:
    """Documents that were set aside for one reason."""

    reason: str
    count: int = 0
    unreadable: bool = False
    """Whether they could not be read; else they were, and are no calls or nothing new."""
    examples: list[Origin] = field(default_factory=list)
    """The first of them."""


@dataclass(slots=True)
class TrafficImport:
    """What an import did."""

    import_id: str | None = None
    """None: there was nothing new, and nothing was written."""
    imported: int = 0
    """Calls, and feedback that stands apart from its call."""
    feedback: int = 0
    """Of the imported ones: feedback."""
    formats: Counter[str] = field(default_factory=Counter)
    skips: dict[str, SkipCount] = field(default_factory=dict)
    redacted_lines: int = 0
    """Lines from which keys were taken."""
    redacted: Counter[str] = field(default_factory=Counter)
    """By kind of personal data: how often it was replaced."""
    not_replayable: Counter[str] = field(default_factory=Counter)
    """By reason: imported calls that cannot be asked again as they were."""
    later: str | None = None
    """Why the index does not hold all of it yet."""
    ids: array[int] = field(default_factory=lambda: array("Q"))
    """Of the calls in the files, as numbers; only where they are collected."""

    @property
    def skipped(self) -> int:
        """How many were set aside."""
        return sum(skip.count for skip in self.skips.values())

    @property
    def unreadable(self) -> int:
        """Of these, how many could not be read."""
        return sum(skip.count for skip in self.skips.values() if skip.unreadable)


def import_traffic(
    store: Path,
    sources: Sequence[Source],
    options: Importing,
    redactor: Redactor,
    *,
    progress: Callable[[int], None] | None = None,
) -> TrafficImport:
    """Import files into a store. `progress` is told every few thousand records how many were read.

    Raises:
        StoreError: the store cannot be read or written; what was imported before is kept.
    """
    with _alone(Layout(store)), _Import(store, sources, options, redactor) as work:
        reading = Reading(sources, reader=options.reader, encoding=options.encoding)
        for number, item in enumerate(reading.items()):
            if type(item) is Entry:
                work.take(item, reading)
            elif isinstance(item, SetAside):
                work.set_aside(item, reading)
            if progress is not None and number % _PROGRESS_ITEMS == 0:
                progress(number)
    if work.done.import_id is not None:
        work.done.later = StoreReader(store).refresh().later
    return work.done


class _Import:
    """One import while it goes on; closes its journal at the end, and writes none where there is nothing new."""

    def __init__(self, store: Path, sources: Sequence[Source], options: Importing, redactor: Redactor) -> None:
        self.done = TrafficImport()
        self._store = store
        self._head = TrafficHead(
            options.command,
            tuple(source.name for source in sources[:100]),
            {"files": len(sources), "redact": options.redact, "encoding": options.encoding},
        )
        self._redactor = redactor
        self._collects = options.collect
        self._pseudonyms = Pseudonyms() if options.redact else None
        self._known = _known(store)
        self._new = Seen()
        self._journal: TrafficJournal | None = None
        self._kept: tuple[str, str] = ("", "")

    def __enter__(self) -> _Import:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is None:
            return
        self.done.redacted_lines = self._journal.redacted
        if self._pseudonyms is not None:
            self.done.redacted = self._pseudonyms.counts
        skipped = {one.reason: one.count for one in self.done.skips.values()}
        result = {"imported": self.done.imported, "skipped": skipped}
        try:
            self._journal.close(result)
        except StoreError:
            if error is None:
                raise

    def take(self, entry: Entry, reading: Reading) -> None:
        """Write a record that is new."""
        record = entry.record
        record_id = (
            call_identity(record, entry.raw) if isinstance(record, LoggedCall) else feedback_identity(record, entry.raw)
        )
        number = int(record_id, 16)
        if self._collects and isinstance(record, LoggedCall):
            self.done.ids.append(number)
        if number in self._known or not self._new.add(number):
            reason = ALREADY if number in self._known else TWICE
            self._skip(reason, reading.place(entry.line), unreadable=False)
            return
        if self._journal is None:
            self._journal = TrafficJournal(self._store, self._head, self._redactor)
            self.done.import_id = self._journal.import_id
        kept = self._without_personal_data(record, entry.raw) if self._pseudonyms is not None else None
        self._journal.add(record, entry.raw, reading.place(entry.line), record_id=record_id, kept=kept)
        self.done.imported += 1
        if isinstance(record, LoggedCall):
            self.done.formats[record.format] += 1
            if record.not_replayable is not None:
                self.done.not_replayable[record.not_replayable] += 1
        else:
            self.done.feedback += 1

    def set_aside(self, item: SetAside, reading: Reading) -> None:
        """Count what is no record."""
        self._skip(item.reason, reading.place(item.line), unreadable=isinstance(item, Unreadable))

    def _skip(self, reason: str, origin: Origin, *, unreadable: bool) -> None:
        skip = self.done.skips.get(reason)
        if skip is None:
            skip = self.done.skips[reason] = SkipCount(reason, unreadable=unreadable)
        skip.count += 1
        if len(skip.examples) < _EXAMPLES:
            skip.examples.append(origin)

    def _without_personal_data(self, record: LoggedCall | LoggedFeedback, raw: str) -> str:
        """Replace it in the record; the raw text without it."""
        assert self._pseudonyms is not None
        if isinstance(record, LoggedFeedback):
            record.text = self._pseudonyms.value(record.text)
        else:
            for name in _REDACTED_FIELDS:
                setattr(record, name, self._pseudonyms.value(getattr(record, name)))
            record.feedback = tuple(
                dataclasses.replace(one, text=self._pseudonyms.value(one.text)) for one in record.feedback
            )
        if self._kept[0] is not raw:
            counted = self._pseudonyms.counts.copy()
            self._kept = (raw, self._pseudonyms.raw(raw))
            self._pseudonyms.counts = counted  # the record has them already
        return self._kept[1]


def _known(store: Path) -> Seen:
    """The ids that the store holds."""
    reader = StoreReader(store)

    def found(layout: Layout) -> Seen:
        if not layout.database.exists():
            return Seen()
        with open_database(layout, read_only=True) as con:
            ids = con.execute(
                "SELECT CAST('0x' || id AS UBIGINT) AS number FROM traffic_rows UNION ALL "
                "SELECT CAST('0x' || id AS UBIGINT) FROM traffic_feedback_rows WHERE id IS NOT NULL "
                "UNION ALL SELECT CAST('0x' || id AS UBIGINT) FROM feedback_rows"
            ).fetchnumpy()["number"]
        return Seen(iter(ids.tolist()))

    return reader.look(found)


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """One import at a time: two of them would not see what the other adds."""
    from filelock import FileLock, Timeout

    layout.prepare()
    lock = FileLock(layout.traffic_lock, timeout=10, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise StoreError(
            f"Another process is importing logged calls into {layout.root}.", hint="Wait until it ends, then try again."
        ) from None
    except OSError as error:
        raise StoreError(f"The store {layout.root} cannot be written: {error.strerror or error}.") from None
    try:
        yield
    finally:
        lock.release()
