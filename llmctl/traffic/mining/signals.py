"""What a logged call itself says: what people thought of it, how it ended, and whether the answer fits its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from llmctl.evaluators.structure.json_text import read_json
from llmctl.outcome import Outcome
from llmctl.runs.store_reader import StoreReader
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.mining.reasons import Finding, Reason
from llmctl.traffic.replay.findings.schemas import LoggedSchemas

__all__ = ["LARGE_EDIT", "Opinion", "findings_of", "opinions"]

LARGE_EDIT = 0.3
"""From this distance by characters on an edit is a large one."""
_JSON_FORMATS = frozenset({"json_object", "json_schema"})
_ENDINGS = {
    Outcome.REFUSED: Reason.REFUSED,
    Outcome.FILTERED: Reason.REFUSED,
    Outcome.TRUNCATED: Reason.TRUNCATED,
    Outcome.EMPTY: Reason.EMPTY,
    Outcome.CONTEXT_EXCEEDED: Reason.ERROR,
    Outcome.MALFORMED: Reason.ERROR,
    Outcome.TIMEOUT: Reason.ERROR,
    Outcome.BAD_REQUEST: Reason.ERROR,
    Outcome.PROVIDER_ERROR: Reason.ERROR,
}


@dataclass(frozen=True, slots=True)
class Opinion:
    """What people thought of one answer, where they did not like it."""

    down: bool
    corrected: bool
    edited: float | None
    """The largest distance, 0 to 1."""
    abandoned: bool

    def findings(self) -> Iterator[Finding]:
        """As reasons."""
        if self.corrected:
            yield Finding(Reason.CORRECTED)
        if self.down:
            yield Finding(Reason.THUMBS_DOWN)
        if self.edited is not None and self.edited >= LARGE_EDIT:
            yield Finding(Reason.LARGE_EDIT, f"{self.edited * 100:.0f} % of it", min(self.edited, 1.0))
        if self.abandoned:
            yield Finding(Reason.ABANDONED)


def opinions(reader: StoreReader) -> Mapping[str, Opinion]:
    """The answers that people did not like, by the ids of their calls: about 300 bytes each.

    Raises:
        StoreError: the store cannot be read.
    """
    rows = reader.rows(
        "SELECT call_id, coalesce(bool_or(kind = 'rating' AND \"value\" < 0.5), false) AS down, "
        "coalesce(bool_or(kind = 'correction'), false) AS corrected, "
        "max(\"value\") FILTER (kind = 'edit') AS edited, "
        "coalesce(bool_or(kind = 'edit' AND \"value\" IS NULL), false) AS abandoned "
        "FROM feedback WHERE call_id IS NOT NULL AND kind IN ('rating', 'correction', 'edit') GROUP BY call_id "
        "HAVING down OR corrected OR abandoned OR edited >= ?",
        [LARGE_EDIT],
    )
    return {row[0]: Opinion(*row[1:]) for row in rows}


def findings_of(call: LoggedCall, opinion: Opinion | None, schemas: LoggedSchemas) -> tuple[Finding, ...]:
    """The reasons that lie in one call."""
    return tuple(_findings(call, opinion, schemas))


def _findings(call: LoggedCall, opinion: Opinion | None, schemas: LoggedSchemas) -> Iterator[Finding]:
    if opinion is not None:
        yield from opinion.findings()
    if call.outcome in _ENDINGS:
        said = call.outcome.value if _ENDINGS[call.outcome] in (Reason.ERROR, Reason.REFUSED) else ""
        yield Finding(_ENDINGS[call.outcome], said)
    if call.outcome is Outcome.ANSWERED and (broken := _broken(call, schemas)):
        yield Finding(Reason.SCHEMA, broken)


def _broken(call: LoggedCall, schemas: LoggedSchemas) -> str | None:
    """What is wrong with an answer that was to be JSON; None: nothing, or it was not to be."""
    wanted = call.response_format
    if not wanted or wanted.get("type") not in _JSON_FORMATS or not call.output or call.tool_calls:
        return None
    read = read_json(call.output)
    if read.problem:
        return read.problem
    schema = schemas.of(wanted)
    return schema.violation(read.value) if schema else None
