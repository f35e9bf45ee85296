"""Files to records: every file is read by the reader that knows it, and nothing goes missing on the way.

All files of one format go through one reading, so that what belongs together may stand in several files. A document
that its reader refuses is offered to the others, and read by the one that knows it.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from llmctl.traffic.detect import PEEKED, Unknown, best_reader, reader_of
from llmctl.traffic.documents.found import Found, Unreadable
from llmctl.traffic.lines import Origin
from llmctl.traffic.readers.base import Document, Entry, Reader, Readers, SetAside
from llmctl.traffic.readers.registry import readers
from llmctl.traffic.sources import Source

__all__ = ["Item", "Reading"]

_SPILL_DOCUMENTS = 5_000
_SPILL_CHARACTERS = 32 * 2**20
_UNKNOWN = Unknown()

Item = Entry | SetAside
"""Its `line` is the running one: `Reading.place` says which line of which file that is."""


@dataclass(slots=True)
class _File:
    """A file, and what was read of it to see what it is."""

    source: Source
    reader: Reader | None
    begun: Iterator[Found] | None = None
    """Where it can be read only once: all of it."""


@dataclass(slots=True)
class _Spill:
    """Documents that another reader is to read."""

    documents: list[Document] = field(default_factory=list)
    characters: int = 0

    @property
    def full(self) -> bool:
        return len(self.documents) >= _SPILL_DOCUMENTS or self.characters >= _SPILL_CHARACTERS


class Reading:
    """One pass over files. Use `items` once."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        reader: Reader | None = None,
        encoding: str | None = None,
        known: Readers | None = None,
    ) -> None:
        """`reader`: of all documents, whatever they hold; None: the one that recognises them."""
        self._sources = sources
        self._only = reader
        self._encoding = encoding
        self._known = readers() if known is None else known
        self._starts: list[int] = []
        self._names: list[str] = []
        self._next_start = 0
        self._last: Document | None = None
        self._unreadable: list[Unreadable] = []
        self._spills: dict[int, _Spill] = {}
        self.documents = 0
        """How many were read, damaged ones not among them."""

    def items(self) -> Iterator[Item]:
        """Every record, and whatever is set aside; `Unreadable` is what could not be read at all."""
        for reader, files in self._groups():
            yield from self._read(reader, self._stream(files))
        for number in list(self._spills):
            yield from self._read_spill(number)

    def place(self, line: int) -> Origin:
        """The file and its line."""
        number = bisect_right(self._starts, line) - 1
        if number < 0:
            return Origin("", line)
        return Origin(self._names[number], line - self._starts[number])

    def _groups(self) -> Iterator[tuple[Reader | None, list[_File]]]:
        """The files by their reader, in the order in which these are first met."""
        groups: dict[str, tuple[Reader | None, list[_File]]] = {}
        for source in self._sources:
            file = self._looked_at(source)
            groups.setdefault(file.reader.name if file.reader else "", (file.reader, []))[1].append(file)
        yield from groups.values()

    def _looked_at(self, source: Source) -> _File:
        if self._only is not None:
            return _File(source, self._only)
        found = source.documents(self._encoding)
        peeked: list[Found] = []
        documents: list[Document] = []
        for one in found:
            peeked.append(one)
            if isinstance(one, Document):
                documents.append(one)
                if len(documents) >= PEEKED:
                    break
        reader = reader_of(documents, self._known)
        if source.path is None:
            return _File(source, reader, itertools.chain(peeked, found))
        return _File(source, reader)

    def _stream(self, files: Iterable[_File]) -> Iterator[Document]:
        """The documents of files one after the other, with running lines."""
        for file in files:
            start = self._next_start
            self._starts.append(start)
            self._names.append(file.source.name)
            last = 1
            for found in file.begun or file.source.documents(self._encoding):
                last = found.line
                found.line += start
                if isinstance(found, Document):
                    self.documents += 1
                    self._last = found
                    yield found
                else:
                    self._unreadable.append(found)
                self._next_start = start + last + 1
            self._next_start = start + last + 1

    def _read(self, reader: Reader | None, documents: Iterator[Document], *, offered: bool = True) -> Iterator[Item]:
        """What a reader makes of documents; where it fails on one, it goes on with the next."""
        going_on = True
        while going_on:
            going_on = False
            try:
                for item in _of(reader, documents):
                    yield from self._told()
                    if type(item) is Entry or not offered:
                        yield item
                    else:
                        yield from self._refused(reader, item)
            except (StopIteration, GeneratorExit):
                raise
            except Exception as error:  # a reader's own mistake costs one document, and is said
                last = self._last
                name = reader.name if reader else ""
                yield Unreadable(last.line if last else 0, f"the reader {name} failed on it ({type(error).__name__})")
                going_on = True
        yield from self._told()

    def _told(self) -> Iterator[Unreadable]:
        if self._unreadable:
            told, self._unreadable = self._unreadable, []
            yield from told

    def _refused(self, reader: Reader | None, item: Item) -> Iterator[Item]:
        """Offer what was set aside to the other readers."""
        document = self._last
        if self._only is not None or isinstance(item, Entry) or document is None or document.line != item.line:
            yield item
            return
        other = best_reader(document.value, self._known, besides=reader)
        if other is None:
            if reader is not None and best_reader(document.value, [reader], besides=None) is None:
                item = Unreadable(item.line, _UNKNOWN.reason)
            yield item
            return
        number = self._known.index(other)
        spill = self._spills.setdefault(number, _Spill())
        spill.documents.append(document)
        spill.characters += len(document.raw)
        if spill.full:
            yield from self._read_spill(number)

    def _read_spill(self, number: int) -> Iterator[Item]:
        documents = self._spills.pop(number).documents
        before = self._last
        yield from self._read(self._known[number], self._again(documents), offered=False)
        self._last = before

    def _again(self, documents: list[Document]) -> Iterator[Document]:
        for document in documents:
            self._last = document
            yield document


def _of(reader: Reader | None, documents: Iterator[Document]) -> Iterator[Item]:
    if reader is not None:
        return reader.read(documents)
    return (Unreadable(document.line, _UNKNOWN.reason) for document in documents)
