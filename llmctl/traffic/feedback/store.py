"""Reads feedback from the store: of calls, the latest, and which of it is of no known call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmctl.errors import UsageError
from llmctl.runs.rows import Row
from llmctl.runs.store_reader import StoreReader
from llmctl.traffic.feedback.events import Given
from llmctl.traffic.logged_call import LoggedFeedback
from llmctl.traffic.seen import Seen

__all__ = ["FeedbackFilter", "FeedbackStore", "Said"]

_CHUNK = 1_000
_CALLS_AT_ONCE = 50_000
"""The view looks at all feedback each time."""
_FEW = 100
_SAID = 'kind, value, text, name, source, target, epoch("at")'
_COLUMNS = f'{_SAID}, call_id, origin, "by", token_distance, prompt, prompt_version, model'


@dataclass(frozen=True, slots=True)
class Said:
    """Feedback, and the call that it is of."""

    said: LoggedFeedback
    given: Given
    call_id: str | None
    """None: no call that is known here, or more than one."""
    by: str | None
    token_distance: float | None
    prompt: str | None
    prompt_version: str | None
    model: str | None


@dataclass(frozen=True, slots=True)
class FeedbackFilter:
    """Which feedback."""

    call_id: str | None = None
    kinds: tuple[str, ...] = ()
    given: Given | None = None
    since: float | None = None
    """UTC epoch seconds; feedback without a time is left out then."""
    unknown: bool = False
    """Only what is of no known call."""


_ALL = FeedbackFilter()


class FeedbackStore:
    """The feedback of a store. A missing store has none."""

    def __init__(self, store: Path, reader: StoreReader | None = None) -> None:
        self.reader = reader or StoreReader(store)

    def of_calls(self, ids: Iterable[str]) -> Mapping[str, list[LoggedFeedback]]:
        """What was said of these calls, explicit and implicit, in the order of time; calls without any are left out.

        An `edit` is implicit: its `value` is the distance by characters (None: abandoned), its `text` what became of
        the answer.

        Raises:
            StoreError: the store cannot be read.
        """
        wanted = list(ids)
        found: defaultdict[str, list[LoggedFeedback]] = defaultdict(list)
        for start in range(0, len(wanted), _CALLS_AT_ONCE):
            some = wanted[start : start + _CALLS_AT_ONCE]
            rows = self._of_few(some) if len(some) <= _FEW else self._of_many(some)
            for call_id, *values in rows:
                found[call_id].append(LoggedFeedback(*values))
        return dict(found)

    def _of_many(self, ids: list[str]) -> list[Row]:
        return self.reader.rows(
            f"SELECT call_id, {_SAID} FROM feedback WHERE call_id IN (SELECT unnest(?)) "
            'ORDER BY "at" NULLS FIRST, journal, position',
            [ids],
        )

    def _of_few(self, ids: list[str]) -> list[Row]:
        """The same by the names that these calls have, without a look at all calls that feedback is of."""
        names = self.reader.rows(
            "SELECT DISTINCT unnest([id, source_id, trace_id]) FROM traffic_rows WHERE id IN (SELECT unnest(?))", [ids]
        )
        meant = self.calls_named([*ids, *(name for (name,) in names if name is not None)])
        wanted = set(ids)
        targets = {name: call_id for name, call_id in meant.items() if call_id in wanted}
        return self.reader.rows(_OF_FEW, {"ids": ids, "names": list(targets), "meant": list(targets.values())})

    def calls(self) -> list[str]:
        """The ids of all calls of which something was said.

        Raises:
            StoreError: the store cannot be read.
        """
        rows = self.reader.rows("SELECT DISTINCT call_id FROM feedback WHERE call_id IS NOT NULL ORDER BY 1", [])
        return [row[0] for row in rows]

    def latest(self, chosen: FeedbackFilter = _ALL, limit: int = 20) -> list[Said]:
        """The newest first; what has no time comes last.

        Raises:
            StoreError: the store cannot be read.
        """
        where, values = _condition(chosen)
        rows = self.reader.rows(
            f'SELECT {_COLUMNS} FROM feedback WHERE {where} ORDER BY "at" DESC NULLS LAST, journal, position DESC '
            f"LIMIT {int(limit)}",
            values,
        )
        return [_said(row) for row in rows]

    def count(self, chosen: FeedbackFilter = _ALL) -> int:
        """How much there is.

        Raises:
            StoreError: the store cannot be read.
        """
        where, values = _condition(chosen)
        rows = self.reader.rows(f"SELECT count(*) FROM feedback WHERE {where}", values)
        return int(rows[0][0]) if rows else 0

    def known(self) -> Seen:
        """The ids of all feedback that has one, as numbers.

        Raises:
            StoreError: the store cannot be read.
        """
        rows = self.reader.rows(
            "SELECT CAST('0x' || id AS UBIGINT) FROM traffic_feedback_rows WHERE id IS NOT NULL "
            "UNION ALL SELECT CAST('0x' || id AS UBIGINT) FROM feedback_rows",
            [],
        )
        return Seen(row[0] for row in rows)

    def calls_named(self, names: Iterable[str]) -> dict[str, str]:
        """The calls that ids of other tools mean, as far as each means one: their ids here, by name.

        Raises:
            StoreError: the store cannot be read.
        """
        wanted = list(dict.fromkeys(names))
        found: dict[str, str] = {}
        for start in range(0, len(wanted), _CHUNK):
            found |= dict(self.reader.rows(_MEANT, [wanted[start : start + _CHUNK]]))
        return found

    def outputs(self, ids: Iterable[str]) -> dict[str, str]:
        """The logged answers of calls, by id; those without one are left out.

        Raises:
            StoreError: the store cannot be read.
        """
        rows = self.reader.rows(
            "FROM (SELECT id, output FROM traffic_rows UNION ALL SELECT call_id, output FROM call_rows) "
            "WHERE id IN (SELECT unnest($1)) AND output IS NOT NULL",
            [list(ids)],
        )
        return dict(rows)

    def call_named(self, text: str) -> str:
        """The id of the one call that somebody means.

        A name is an id or 6 and more of its characters, a log's own id, a trace's of one call, or `RUN.12`: a call of
        a run, of whose id 6 characters are enough.

        Raises:
            UsageError: there is none, or more than one.
        """
        for query in _NAMED:
            ids = [row[0] for row in self.reader.rows(query, [text])]
            if len(ids) > 1:
                more = ", ..." if len(ids) > _SHOWN else ""
                raise UsageError(
                    f'"{text}" means more than one call: {", ".join(ids[:_SHOWN])}{more}.',
                    hint="Give the id of one of them.",
                )
            if ids:
                return str(ids[0])
        raise UsageError(
            f'There is no call "{text}".',
            hint="`llmctl traffic list` shows logged calls; a call of a run has the name RUN.NUMBER.",
        )


_SHOWN = 5
_OF_FEW = """
    WITH meant AS (SELECT unnest($names) AS target, unnest($meant) AS call_id), said AS (
        SELECT call_id, kind, "value", text, name, source, target, "at", run_id, position
        FROM traffic_feedback_rows WHERE call_id IN (SELECT unnest($ids))
        UNION ALL
        SELECT m.call_id, kind, "value", text, name, source, target, "at", run_id, position
        FROM (FROM traffic_feedback_rows WHERE call_id IS NULL) JOIN meant m USING (target)
        UNION ALL
        SELECT m.call_id, kind, "value", text, name, source, target, "at", run_id, position
        FROM feedback_rows JOIN meant m USING (target)
    )
    SELECT * EXCLUDE (run_id, position) FROM said ORDER BY "at" NULLS FIRST, run_id, position"""
_MEANT = """
    WITH named AS (SELECT unnest($1) AS target), found AS (
        SELECT target, id AS call_id, 1 AS rank FROM named JOIN traffic_rows ON id = target
        UNION ALL SELECT target, call_id, 1 FROM named JOIN call_rows ON call_id = target
        UNION ALL SELECT target, id, 2 FROM named JOIN traffic_rows ON source_id = target
        UNION ALL SELECT target, id, 3 FROM named JOIN traffic_rows ON trace_id = target
    )
    SELECT target, any_value(call_id) FROM (FROM found QUALIFY rank = min(rank) OVER (PARTITION BY target))
    GROUP BY target HAVING count(DISTINCT call_id) = 1"""
"""The same as the view `feedback` means; a test compares them."""
_NAMED = (
    "SELECT DISTINCT id FROM traffic_rows WHERE length($1) >= 6 AND starts_with(id, lower($1)) ORDER BY 1 LIMIT 6",
    "SELECT DISTINCT id FROM traffic_rows WHERE source_id = $1 ORDER BY 1 LIMIT 6",
    "SELECT DISTINCT id FROM traffic_rows WHERE trace_id = $1 ORDER BY 1 LIMIT 6",
    "SELECT DISTINCT call_id FROM call_rows WHERE call_id = lower($1)",
    """SELECT DISTINCT call_id FROM call_rows WHERE contains($1, '.') AND length(split_part($1, '.', 1)) >= 6
        AND starts_with(call_id, lower(split_part($1, '.', 1))) AND split_part(call_id, '.', 2) = split_part($1, '.', 2)
        ORDER BY 1 LIMIT 6""",
)
"""What a name of a call may mean, in this order."""


def _condition(chosen: FeedbackFilter) -> tuple[str, dict[str, Any]]:
    return " AND ".join(_conditions(chosen)) or "true", {
        name: value
        for name, value in (
            ("call", chosen.call_id),
            ("kinds", list(chosen.kinds) or None),
            ("origin", chosen.given.value if chosen.given else None),
            ("since", chosen.since),
        )
        if value is not None
    }


def _conditions(chosen: FeedbackFilter) -> Iterator[str]:
    if chosen.call_id is not None:
        yield "call_id = $call"
    if chosen.kinds:
        yield "kind IN (SELECT unnest($kinds))"
    if chosen.given is not None:
        yield "origin = $origin"
    if chosen.since is not None:
        yield 'epoch("at") >= $since'
    if chosen.unknown:
        yield "call_id IS NULL"


def _said(row: Row) -> Said:
    said, (call_id, origin, by, *rest) = row[:7], row[7:]
    return Said(LoggedFeedback(*said), Given(origin), call_id, by, *rest)
