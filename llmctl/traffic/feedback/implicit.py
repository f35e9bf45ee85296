"""Reads off what people made of answers: the text that was drafted against the one that was used."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath

from llmctl.errors import UsageError
from llmctl.providers.redaction import Redactor
from llmctl.traffic.documents.found import Unreadable
from llmctl.traffic.feedback.edits import TooLongError, edit_distance, need_distance
from llmctl.traffic.feedback.events import EDIT, Event, Given, edit_kind, identity_of_edit
from llmctl.traffic.feedback.importing import FeedbackImport, FeedbackWriting
from llmctl.traffic.importing import Importing
from llmctl.traffic.lines import Origin
from llmctl.traffic.logged_call import LoggedFeedback
from llmctl.traffic.readers.paths import Path, parse_path
from llmctl.traffic.readers.values import epoch_s, json_text
from llmctl.traffic.sources import Source

__all__ = ["Columns", "import_edits"]

_NO_ID, _NO_DRAFT = "no id in it", "no draft, and no answer of a known call"
_AT_ONCE = 1_000
_PLAIN = Importing()


@dataclass(frozen=True, slots=True)
class Columns:
    """Where things stand in a row: columns, dotted paths, or JSON pointers."""

    id: str
    final: str
    draft: str | None = None
    """None: the logged answer is the draft."""
    at: str | None = None
    """When the final text was sent."""


@dataclass(frozen=True, slots=True)
class _Row:
    target: str
    draft: str | None
    final: str | None
    at: float | None
    origin: Origin


def import_edits(
    store: FilePath,
    finals: Sequence[Source],
    columns: Columns,
    redactor: Redactor,
    options: Importing = _PLAIN,
    *,
    drafts: Sequence[Source] = (),
) -> FeedbackImport:
    """Measure how far the final texts are from their drafts, and keep it as implicit feedback.

    `drafts`: files apart with the same ids; a draft without a final text was abandoned, as one with an empty one.

    Raises:
        UsageError: a column that no row has, or a package is not installed.
        StoreError: the store cannot be read or written; what was imported before is kept.
    """
    need_distance()
    with FeedbackWriting(store, redactor, redact=options.redact) as writing:
        reading = _Reading(columns, writing, options.encoding)
        rows = reading.joined(drafts, finals) if drafts else reading.rows(finals, with_draft=columns.draft is not None)
        for rows_at_once in _batches(rows):
            _take(rows_at_once, writing)
    return writing.done


def _batches(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    while batch := list(itertools.islice(rows, _AT_ONCE)):
        yield batch


def _take(rows: Sequence[_Row], writing: FeedbackWriting) -> None:
    """Compare and keep; where there is no draft, the logged answer is it."""
    named = writing.store.calls_named(row.target for row in rows if row.draft is None)
    outputs = writing.store.outputs(named.values())
    for row in rows:
        draft = row.draft if row.draft is not None else outputs.get(named.get(row.target, ""))
        if draft is None and row.final is not None:
            writing.skip(_NO_DRAFT, row.origin)
            continue
        try:
            event = _event(row, draft)
        except TooLongError as reason:
            writing.skip(str(reason), row.origin)
            continue
        if writing.take(event, row.origin):
            writing.done.edits[edit_kind(event.said)] += 1


def _event(row: _Row, draft: str | None) -> Event:
    distance = None if row.final is None or draft is None else edit_distance(draft, row.final)
    said = LoggedFeedback(
        EDIT, None if distance is None else distance.characters, row.final, target=row.target, at=row.at
    )
    return Event(
        identity_of_edit(row.target, row.draft, row.final),
        said,
        Given.IMPLICIT,
        token_distance=None if distance is None else distance.tokens,
        draft=row.draft,
    )


class _Reading:
    """Reads rows; what is none is set aside at `writing`."""

    def __init__(self, columns: Columns, writing: FeedbackWriting, encoding: str | None) -> None:
        self._columns = columns
        self._writing = writing
        self._encoding = encoding
        self._now = time.time()

    def rows(self, sources: Sequence[Source], *, with_draft: bool) -> Iterator[_Row]:
        """Each row with the final text of a call."""
        columns = self._columns
        wanted = {"--final": _path("--final", columns.final)}
        if with_draft:
            wanted["--draft"] = _path("--draft", columns.draft or "")
        at = _path("--at", columns.at) if columns.at else None
        for target, value, origin in self._identified(sources, wanted):
            draft = _text(wanted["--draft"].find(value)) if with_draft else None
            moment = epoch_s(at.find(value)) if at else None
            yield _Row(target, draft, _text(wanted["--final"].find(value)), moment or self._now, origin)

    def joined(self, drafts: Sequence[Source], finals: Sequence[Source]) -> Iterator[_Row]:
        """Rows of two files by their id: the finals, then the drafts of which nothing became."""
        path = _path("--draft", self._columns.draft or self._columns.final)
        waiting = {
            target: (_text(path.find(value)), origin)
            for target, value, origin in self._identified(drafts, {"--draft": path})
        }
        for row in self.rows(finals, with_draft=False):
            draft, _ = waiting.pop(row.target, (None, None))
            yield _Row(row.target, draft, row.final, row.at, row.origin)
        for target, (draft, origin) in waiting.items():
            yield _Row(target, draft, None, self._now, origin)

    def _identified(
        self, sources: Sequence[Source], wanted: Mapping[str, Path]
    ) -> Iterator[tuple[str, Mapping[str, object], Origin]]:
        """Each row and whose it is; the first rows are looked at before any is given out, for a column without any."""
        rows = self._found(sources, _path("--id", self._columns.id))
        first = list(itertools.islice(rows, _AT_ONCE))
        for option, path in wanted.items():
            if first and not any(_has(path, value) for _, value, _ in first):
                known = ", ".join(sorted({str(name) for _, value, _ in first[:100] for name in value})[:20])
                raise UsageError(f"{option}: no row has a {path.text}.", hint=f"There are {known}.")
        yield from first
        yield from rows

    def _found(self, sources: Sequence[Source], path: Path) -> Iterator[tuple[str, Mapping[str, object], Origin]]:
        for source in sources:
            for found in source.documents(self._encoding):
                origin = Origin(source.name, found.line)
                if isinstance(found, Unreadable):
                    self._writing.skip(found.reason, origin, unreadable=True)
                    continue
                target = _text(path.find(found.value))
                if target is None:
                    self._writing.skip(_NO_ID, origin)
                else:
                    yield target.strip(), found.value, origin


def _path(option: str, text: str) -> Path:
    try:
        return parse_path(text)
    except ValueError as mistake:
        raise UsageError(f'{option}: the path "{text}" {mistake}.') from None


def _has(path: Path, value: Mapping[str, object]) -> bool:
    """Whether something stands there, and be it nothing."""
    return path.text in value or path.find(value) is not None or (bool(path.keys) and str(path.keys[-1]) in value)


def _text(value: object) -> str | None:
    """A text that is not blank; what is no text as JSON."""
    if value is None:
        return None
    text = json_text(value)
    return text if text.strip() else None
