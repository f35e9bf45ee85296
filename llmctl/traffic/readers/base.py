"""What a reader is, and what it makes of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback

__all__ = ["Document", "Entry", "Reader", "SetAside"]


@dataclass(slots=True)
class Document:
    """One JSON value of a log: a line of a JSONL file, an element of a JSON array, a row of a table."""

    value: Mapping[str, object]
    raw: str
    """As it stands in the file; of a table's row: as JSON."""
    line: int
    """From 1; of a table: the row."""


@dataclass(slots=True)
class SetAside:
    """What cannot be a record, and why: counted by `reason`, never dropped in silence."""

    line: int
    reason: str
    """A short one that groups with its like: `no messages were logged`, `not a model call (retriever)`."""


@dataclass(slots=True)
class Entry:
    """One record, and where it stands."""

    line: int
    raw: str
    record: LoggedCall | LoggedFeedback


class Reader(Protocol):
    """Reads one log format. Stateless: a file is read by one call of `read`."""

    name: str
    """Of the format, as `--format` takes it: `openai_chat`."""
    title: str
    """For people: `OpenAI chat completions (request and response)`."""

    def recognises(self, value: Mapping[str, object]) -> int:
        """How sure it is that this is its own, by keys and shapes: 0 not at all, 100 for certain.

        Looked at for the first documents of a file, and for any later one that another reader refuses.
        """
        ...

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """A record for every logged call; whatever is none is set aside with its reason.

        Nothing is raised for bad content. Formats whose calls are spread over several documents (events joined by span,
        batch outputs joined with inputs) may keep what waits for its other half, with a bound, and say what never came.
        """
        ...


Readers = Sequence[Reader]
