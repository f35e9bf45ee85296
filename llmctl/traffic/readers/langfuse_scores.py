"""Langfuse's scores as feedback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from llmctl.traffic.logged_call import LoggedFeedback
from llmctl.traffic.readers.values import epoch_s, first, json_text, number, text

__all__ = ["is_score", "read_score"]

_TYPES = frozenset({"NUMERIC", "CATEGORICAL", "BOOLEAN", "CORRECTION", "TEXT"})
_SOURCES = {"ANNOTATION": "human", "EVAL": "model"}
_TARGETS = ("observation_id", "trace_id", "session_id")
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


def is_score(row: Mapping[str, Any]) -> bool:
    """Whether it is a score: a name and a value for a trace, an observation or a session. `row`: in snake case."""
    if "name" not in row or not any(name in row for name in _TARGETS) or not {"value", "string_value"} & row.keys():
        return False
    return text(row.get("data_type")) in _TYPES or {"source", "config_id", "author_user_id"} & row.keys() != set()


def read_score(row: Mapping[str, Any]) -> Iterator[LoggedFeedback]:
    """What a score says; its comment is a second one, where the score itself is no text."""
    source = text(row.get("source"))
    said_of = partial(
        LoggedFeedback,
        name=text(row.get("name")),
        source=_SOURCES.get(source, source.lower()) if source else None,
        target=text(first(row, _TARGETS)),
        at=epoch_s(first(row, ("timestamp", "created_at"))),
    )
    given = first(row, ("string_value", "value"))
    said = given if isinstance(given, str) else None if given is None else json_text(given)
    value = number(row.get("value"))
    match text(row.get("data_type")) or _type_of(row):
        case "CORRECTION":
            yield said_of("correction", text=said)
        case "TEXT":
            yield said_of("comment", text=said)
        case "CATEGORICAL":
            yield said_of("label", text=said)
        case "BOOLEAN" if source != "EVAL":
            yield said_of("rating", _truth(value, said))
        case "BOOLEAN":
            yield said_of("score", _truth(value, said))
        case _:
            yield said_of("score", value)
    if comment := text(row.get("comment")):
        yield said_of("comment", text=comment)


def _type_of(row: Mapping[str, Any]) -> str:
    """Older scores have no type."""
    return "NUMERIC" if number(row.get("value")) is not None else "CATEGORICAL"


def _truth(value: float | None, said: str | None) -> float | None:
    if value is not None:
        return float(value != 0)
    word = (said or "").lower()
    return 1.0 if word in _TRUE else 0.0 if word in _FALSE else None
