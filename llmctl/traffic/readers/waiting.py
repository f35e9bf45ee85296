"""Documents that wait for their other half, by a name that both carry; memory stays bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from llmctl.traffic.readers.base import Document

__all__ = ["Waiting"]

_MOST_CHARACTERS = 256 * 2**20


class Waiting:
    """Halves that have come alone, in the order in which they came.

    A name that several of them carry is nobody's: who belongs to whom could only be guessed.
    """

    def __init__(self, most_characters: int = _MOST_CHARACTERS) -> None:
        self._most = most_characters
        self._characters = 0
        self._held: OrderedDict[str, list[Document]] = OrderedDict()

    def add(self, name: str, document: Document) -> Iterator[Document]:
        """Keep a half; those that have to go for it come out, the longest waiting first."""
        self._held.setdefault(name, []).append(document)
        self._characters += len(document.raw)
        while self._characters > self._most and self._held:
            _, gone = self._held.popitem(last=False)
            yield from self._released(gone)

    def take(self, name: str) -> list[Document]:
        """The halves of this name, which wait no longer; more than one: ambiguous."""
        return list(self._released(self._held.pop(name, [])))

    def holds(self, name: str, raw: str) -> bool:
        """Whether exactly this half waits already."""
        return any(one.raw == raw for one in self._held.get(name, ()))

    def rest(self) -> Iterator[Document]:
        """All that wait still."""
        while self._held:
            _, gone = self._held.popitem(last=False)
            yield from self._released(gone)

    def _released(self, gone: list[Document]) -> Iterator[Document]:
        for one in gone:
            self._characters -= len(one.raw)
            yield one
