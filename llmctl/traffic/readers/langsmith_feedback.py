"""LangSmith's feedback: a score, a value, a correction and a comment may stand in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from llmctl.traffic.logged_call import LoggedFeedback
from llmctl.traffic.readers.values import decoded, epoch_s, first, json_text, mapping, number, text

__all__ = ["is_feedback", "read_feedback"]

_SAYS = frozenset({"score", "value", "comment", "correction"})
_SOURCES = {"app": "human", "auto_eval": "model"}
_CORRECTED = ("output", "answer", "desired", "expected", "correction", "text")


def is_feedback(value: Mapping[str, Any]) -> bool:
    """Whether it is feedback: a key and something said of a run."""
    is_of_run = ("run_id" in value or "trace_id" in value) and "key" in value
    return is_of_run and ("feedback_source" in value or len(_SAYS & value.keys()) >= 2)


def read_feedback(value: Mapping[str, Any]) -> Iterator[LoggedFeedback]:
    """Everything that it says, each apart."""
    kind = text(mapping(value.get("feedback_source")).get("type"))
    said_of = partial(
        LoggedFeedback,
        name=text(value.get("key")),
        source=_SOURCES.get(kind, kind) if kind else None,
        target=text(value.get("run_id")) or text(value.get("trace_id")),
        at=epoch_s(first(value, ("created_at", "modified_at"))),
    )
    score, label = value.get("score"), value.get("value")
    if isinstance(score, bool):
        yield said_of("rating", float(score))
    elif (found := number(score)) is not None:
        yield said_of("score", found)
    if label not in (None, "", {}, []):
        yield said_of("label", text=label if isinstance(label, str) else json_text(label))
    corrected = _corrected(value.get("correction"))
    if corrected:
        yield said_of("correction", text=corrected)
    if comment := text(value.get("comment")):
        yield said_of("comment", text=comment)


def _corrected(value: object) -> str | None:
    """The text that should have come: LangSmith keeps it as an object, with one usual name in it."""
    value = decoded(value)
    if isinstance(value, Mapping):
        named = [value[name] for name in _CORRECTED if isinstance(value.get(name), str)]
        return named[0] if len(value) == 1 and named else json_text(value) if value else None
    return value if isinstance(value, str) and value else None
