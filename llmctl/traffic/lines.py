"""Logged calls as lines of a traffic journal, and as records again. Keys and other secrets never pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

import orjson

from llmctl.outcome import Outcome
from llmctl.providers.redaction import Redactor
from llmctl.runs.codec import repaired
from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback

__all__ = ["CALL", "END", "FEEDBACK", "HEAD", "LineEncoder", "Origin", "call_of", "feedback_of"]

HEAD, CALL, FEEDBACK, END = "traffic", "logged_call", "logged_feedback", "traffic_end"
"""The types of lines."""

_CALL_FIELDS = tuple(field.name for field in fields(LoggedCall))
_CALL_VALUES = attrgetter(*_CALL_FIELDS)
_FEEDBACK_FIELDS = tuple(field.name for field in fields(LoggedFeedback))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record stood."""

    file: str = ""
    """As it was named; empty: it was recorded, not read from a file."""
    line: int = 0


class LineEncoder:
    """Makes the lines of one journal. Counts the lines from which keys were taken."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self.redacted = 0
        """Lines in which there were keys."""

    def call(self, call: LoggedCall, call_id: str, origin: Origin, raw: str | None, raw_at: int | None) -> bytes:
        """The body of a call's line; `raw_at`: the line beginning at this byte holds its raw text."""
        values = {
            name: value for name, value in zip(_CALL_FIELDS, _CALL_VALUES(call), strict=True) if value is not None
        }
        return self._body(CALL, call_id, origin, values, raw, raw_at)

    def feedback(self, said: LoggedFeedback, said_id: str, origin: Origin, raw: str | None) -> bytes:
        """The body of a line of feedback that stands apart from its call."""
        values = {name: value for name in _FEEDBACK_FIELDS if (value := getattr(said, name)) is not None}
        return self._body(FEEDBACK, said_id, origin, values, raw, None)

    def event(self, kind: str, values: Mapping[str, object]) -> bytes:
        """The body of a journal's first or last line."""
        return self._safe(_dumped({"type": kind, **values}))[1:]

    def _body(
        self, kind: str, said_id: str, origin: Origin, values: dict[str, object], raw: str | None, raw_at: int | None
    ) -> bytes:
        line: dict[str, object] = {"type": kind, "id": said_id, "file": origin.file, "line": origin.line}
        if raw_at is not None:
            line["raw_at"] = raw_at
        line.update(values)
        if raw is not None:
            line["raw"] = raw
        return self._safe(_dumped(line))[1:]

    def _safe(self, body: bytes) -> bytes:
        if not self._redactor.line_may_hold(body):
            return body
        text = body.decode()
        safe = self._redactor.text(text)
        if safe == text:
            return body
        self.redacted += 1
        try:
            orjson.loads(safe)
        except orjson.JSONDecodeError:
            safe = orjson.dumps(_each_text(orjson.loads(body), self._redactor)).decode()
        return safe.encode()


def _each_text(value: Any, redactor: Redactor) -> Any:
    """The same where replacing in the whole line would break it: text by text."""
    match value:
        case str():
            return redactor.text(value)
        case dict():
            return {redactor.text(key): _each_text(item, redactor) for key, item in value.items()}
        case list():
            return [_each_text(item, redactor) for item in value]
        case _:
            return value


def _dumped(line: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(line, default=_plain)
    except TypeError:  # a lone surrogate, a number beyond 64 bits, a key that is no text
        return orjson.dumps(repaired(line), default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def call_of(line: Mapping[str, Any]) -> LoggedCall:
    """The call of a line that was read."""
    values = {name: line[name] for name in _CALL_FIELDS if line.get(name) is not None}
    for name in ("messages", "tools", "tool_calls", "tags"):
        if name in values:
            values[name] = tuple(values[name])
    if "outcome" in values:
        values["outcome"] = Outcome(values["outcome"])
    values["feedback"] = tuple(map(feedback_of, values.get("feedback", ())))
    return LoggedCall(**values)


def feedback_of(line: Mapping[str, Any]) -> LoggedFeedback:
    """The feedback of a line that was read, or within a call."""
    return LoggedFeedback(**{name: line[name] for name in _FEEDBACK_FIELDS if line.get(name) is not None})
