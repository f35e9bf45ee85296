"""Langfuse's traces, from which generations of its older exports have their user, session and tags."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.base import Entry
from llmctl.traffic.readers.langfuse_observations import read_trace_names

__all__ = ["Traces", "is_trace"]

_MOST_TRACES = 200_000
_MOST_CHARACTERS = 64 * 2**20
_TELLS = frozenset({"public", "bookmarked", "release", "session_id", "user_id", "html_path"})
_SAID = ("user_id", "session_id", "environment", "tags")
_OF_TODAY = frozenset({"user_id", "session_id", "trace_name", "tags"})


def is_trace(row: Mapping[str, Any]) -> bool:
    """Whether it is a trace, which has no kind and one time. `row`: with names in snake case."""
    if "trace_id" in row or "type" in row or "id" not in row or "timestamp" not in row:
        return False
    return len(_TELLS & row.keys()) >= 2 or isinstance(row.get("observations"), list)


class Traces:
    """The traces met so far, and the generations that wait for theirs: both bounded, the oldest go first."""

    def __init__(self) -> None:
        self._traces: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._waiting: OrderedDict[str, list[Entry]] = OrderedDict()
        self._characters = 0

    def add(self, row: Mapping[str, Any]) -> Iterator[Entry]:
        """A trace; the generations that waited for it come out."""
        name = str(row["id"])
        said = {key: row[key] for key in _SAID if row.get(key)}
        self._traces[name] = said
        if len(self._traces) > _MOST_TRACES:
            self._traces.popitem(last=False)
        for entry in self._released(name):
            if isinstance(entry.record, LoggedCall):
                read_trace_names(said, entry.record)
            yield entry

    def of(self, entry: Entry, call: LoggedCall, row: Mapping[str, Any]) -> Iterator[Entry]:
        """A generation: it comes out at once where it says all itself or its trace is known, else it waits."""
        known = self._traces.get(call.trace_id or "")
        if known is not None:
            read_trace_names(known, call)
        elif call.trace_id is not None and not _OF_TODAY & row.keys():
            self._waiting.setdefault(call.trace_id, []).append(entry)
            self._characters += len(entry.raw)
            while self._characters > _MOST_CHARACTERS and self._waiting:
                yield from self._released(next(iter(self._waiting)))
            return
        yield entry

    def rest(self) -> Iterator[Entry]:
        """The generations whose trace never came."""
        while self._waiting:
            yield from self._released(next(iter(self._waiting)))

    def _released(self, name: str) -> Iterator[Entry]:
        for entry in self._waiting.pop(name, ()):
            self._characters -= len(entry.raw)
            yield entry
