"""Which reader a document is for: by what it holds, never by the name of its file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from llmctl.traffic.readers.base import Document, Reader, Readers

__all__ = ["PEEKED", "Unknown", "best_reader", "reader_of"]

PEEKED = 20
"""So many documents of a file are looked at before it is read."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """No reader, and why."""

    reason: str = "no known log format (--format or --map names one)"


def reader_of(documents: Iterable[Document], known: Readers) -> Reader | None:
    """The reader that is surest of these documents together; None: none recognises one."""
    sure = dict.fromkeys(range(len(known)), 0)
    for document in documents:
        for number, reader in enumerate(known):
            sure[number] += _sure(reader, document.value)
    best = max(sure, key=lambda number: sure[number], default=None)
    return known[best] if best is not None and sure[best] > 0 else None


def best_reader(value: Mapping[str, object], known: Readers, *, besides: Reader | None) -> Reader | None:
    """Another reader that is surer of a document than the one that refused it."""
    best, sure = None, _sure(besides, value) if besides is not None else 0
    for reader in known:
        if reader is not besides and (found := _sure(reader, value)) > sure:
            best, sure = reader, found
    return best


def _sure(reader: Reader, value: Mapping[str, object]) -> int:
    try:
        return reader.recognises(value)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError):
        return 0  # a shape that the reader's author did not think of is not its own
