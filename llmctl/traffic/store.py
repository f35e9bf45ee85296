"""Reads logged calls back from the store: by filter, one at a time, or one by its id."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import orjson

from llmctl.errors import StoreError, UsageError
from llmctl.runs.codec import CodecError, parse
from llmctl.runs.store_reader import StoreReader
from llmctl.store.layout import TRAFFIC, Layout
from llmctl.store.query import Query, running
from llmctl.store.sandbox import Limits
from llmctl.store.shapes import Shape
from llmctl.traffic.filters import TrafficFilter, condition
from llmctl.traffic.identity import SHORTEST_PREFIX
from llmctl.traffic.lines import call_of, feedback_of
from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback

__all__ = ["Key", "StoredCall", "TrafficStore"]

_CHUNK = 1_000
_JSON = ("messages", "tools", "tool_choice", "response_format", "params", "tool_calls", "variables", "metadata")
_COLUMNS = tuple(field.name for field in fields(LoggedCall) if field.name != "feedback")
_SAID = tuple(field.name for field in fields(LoggedFeedback))
_ALL = TrafficFilter()


@dataclass(frozen=True, slots=True)
class Key:
    """Where a call's line stands."""

    import_id: str
    position: int
    """The byte of the journal at which the line begins."""


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A logged call in the store."""

    id: str
    key: Key
    file: str
    """The file that it stood in; empty: it was recorded."""
    line: int
    raw_at: int | None
    """Where the line begins that holds its raw text, where it is not its own."""
    call: LoggedCall

    @property
    def import_id(self) -> str:
        """Of the import or the recording."""
        return self.key.import_id


class TrafficStore:
    """The logged calls of a store. A missing store has none."""

    def __init__(self, store: Path, reader: StoreReader | None = None) -> None:
        self.layout = Layout(store)
        self.reader = reader or StoreReader(store)

    def calls(self, chosen: TrafficFilter = _ALL) -> Iterator[StoredCall]:
        """The calls in the order in which they were imported; never more than a thousand of them in memory.

        Raises:
            ProjectError: something is wrong with `where`, and what.
            StoreError: the store cannot be read.
        """
        return self.read(self.keys(chosen))

    def read(self, keys: Iterable[Key]) -> Iterator[StoredCall]:
        """The calls that stand there, import by import in the order of the keys; read in chunks as `calls` does.

        Raises:
            StoreError: the store cannot be read.
        """
        by_import: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        for key in keys:
            by_import[key.import_id].append(key.position)
        for import_id, positions in by_import.items():
            for start in range(0, len(positions), _CHUNK):
                yield from self._read(import_id, positions[start : start + _CHUNK])

    def latest(self, chosen: TrafficFilter = _ALL, limit: int = 20) -> list[StoredCall]:
        """The last calls by their time, the newest first; those without a time come last.

        Raises:
            ProjectError, StoreError: as of `calls`.
        """
        order = "ORDER BY started_at DESC NULLS LAST, import_id DESC, position DESC"
        keys = list(self.keys(chosen, f"{order} LIMIT {int(limit)}"))
        by_import: defaultdict[str, list[int]] = defaultdict(list)
        for key in keys:
            by_import[key.import_id].append(key.position)
        found = {one.key: one for name, at in by_import.items() for one in self._read(name, at)}
        return [found[key] for key in keys if key in found]

    def count(self, chosen: TrafficFilter = _ALL) -> int:
        """How many calls there are."""
        return sum(1 for _ in self.keys(chosen))

    def find(self, text: str) -> StoredCall:
        """The call with this id (6 characters or more of it), or else with this source id.

        Raises:
            UsageError: there is none, or more than one.
        """
        found = self._keys_where("starts_with(id, lower(?))", text) if len(text) >= SHORTEST_PREFIX else []
        found = found or self._keys_where("source_id = ?", text)
        if not found:
            raise UsageError(f'There is no logged call "{text}".', hint="`llmctl traffic list` shows them.")
        if len({one_id for one_id, _ in found}) > 1:
            some = ", ".join(sorted({one_id for one_id, _ in found})[:5])
            raise UsageError(f'"{text}" means more than one logged call: {some}.', hint="Give more of the id.")
        key = found[0][1]
        return next(self._read(key.import_id, [key.position]))

    def of_ids(self, ids: Sequence[str]) -> dict[str, StoredCall]:
        """The calls with these whole ids, as far as they are there; of one that was kept twice, the last."""
        rows = self.reader.rows(
            "SELECT run_id, position FROM traffic_rows WHERE id IN (SELECT unnest(?)) ORDER BY run_id, position",
            [list(ids)],
        )
        by_import: defaultdict[str, list[int]] = defaultdict(list)
        for run_id, position in rows:
            by_import[run_id.removeprefix(TRAFFIC)].append(position)
        return {one.id: one for name, at in by_import.items() for one in self._read(name, at)}

    def of_trace(self, text: str) -> list[StoredCall]:
        """The calls of a trace."""
        found = self._keys_where("trace_id = ?", text)
        return [one for _, key in found for one in self._read(key.import_id, [key.position])]

    def raw(self, stored: StoredCall) -> str:
        """What was logged, as it stands in the journal.

        Raises:
            StoreError: the journal is gone, or damaged there.
        """
        position = stored.key.position if stored.raw_at is None else stored.raw_at
        path = self.layout.traffic / f"{stored.import_id}.jsonl"
        try:
            with path.open("rb") as file:
                file.seek(position)
                return str(parse(file.readline().rstrip(b"\n")).fields.get("raw", ""))
        except OSError as error:
            raise StoreError(f"The journal {path} cannot be read: {error.strerror}.") from None
        except CodecError as error:
            raise StoreError(f"The journal {path} is damaged at byte {position}: {error}.") from None

    def keys(self, chosen: TrafficFilter = _ALL, order: str = "ORDER BY import_id, position") -> Iterator[Key]:
        """Where the calls stand."""
        query = f"SELECT import_id, position FROM traffic WHERE {condition(chosen)}"
        if chosen.where is None:
            among, given = (
                ("", []) if chosen.ids is None else (" AND call_id IN (SELECT unnest(?))", [list(chosen.ids)])
            )
            return (Key(*row) for row in self.reader.rows(f"{query}{among} {order}", given))
        head, tail = f"{query} AND (\n", f"\n) {order}"
        found = self._keys_in_sandbox(
            Query(f"{head}{chosen.where}{tail}", source=Path("--where"), head=head, tail=tail)
        )
        if chosen.ids is None:
            return found
        meant = set(self.keys(replace(chosen, where=None)))
        return (key for key in found if key in meant)

    def _keys_in_sandbox(self, query: Query) -> Iterator[Key]:
        def found(layout: Layout) -> list[Key]:
            with running(layout, query, Limits()) as rows:
                return [Key(str(row[0]), int(row[1] or 0)) for row in rows.rows(Shape.CELLS)]

        return iter(self.reader.look(found))

    def _keys_where(self, sql: str, text: str) -> list[tuple[str, Key]]:
        rows = self.reader.rows(
            f"SELECT id, run_id, position FROM traffic_rows WHERE {sql} ORDER BY run_id DESC, position DESC LIMIT 1000",
            [text],
        )
        return [(row[0], Key(row[1].removeprefix(TRAFFIC), row[2])) for row in rows]

    def _read(self, import_id: str, positions: Sequence[int]) -> Iterator[StoredCall]:
        """The calls at these positions of one import."""
        names = ", ".join(f'"{name}"' for name in _COLUMNS)
        of = [f"{TRAFFIC}{import_id}", min(positions), max(positions)]
        between = "WHERE run_id = ? AND position BETWEEN ? AND ?"
        rows = self.reader.rows(
            f"SELECT position, id, file, line, raw_at, {names} FROM traffic_rows {between} "
            "AND position IN (SELECT unnest(?)) ORDER BY position",
            [*of, list(positions)],
        )
        said = self._feedback(between, of)
        for position, call_id, file, line, raw_at, *values in rows:
            call = call_of({name: _loaded(name, value) for name, value in zip(_COLUMNS, values, strict=True)})
            call.feedback = tuple(said.get(position, ()))
            yield StoredCall(call_id, Key(import_id, position), file or "", line or 0, raw_at, call)

    def _feedback(self, between: str, of: list[Any]) -> dict[int, list[LoggedFeedback]]:
        names = ", ".join(f'"{name}"' for name in _SAID)
        rows = self.reader.rows(
            f"SELECT position, {names} FROM traffic_feedback_rows {between} AND call_id IS NOT NULL", of
        )
        found: defaultdict[int, list[LoggedFeedback]] = defaultdict(list)
        for position, *values in rows:
            found[position].append(feedback_of(dict(zip(_SAID, values, strict=True))))
        return found


def _loaded(name: str, value: Any) -> Any:
    return orjson.loads(value) if name in _JSON and value is not None else value
