"""Phoenix's annotations of spans and traces as feedback: of its REST API, and rows of its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from llmctl.traffic.logged_call import LoggedFeedback
from llmctl.traffic.readers.spans import hex_id
from llmctl.traffic.readers.tracing import judged, source_from
from llmctl.traffic.readers.values import epoch_s, first, mapping, text

__all__ = ["annotation_pages", "is_annotation", "read_annotation"]

_NAMES = ("annotation_name", "name")
_TARGETS = ("span_id", "context.span_id", "trace_id", "session_id")


def is_annotation(value: Mapping[str, Any]) -> bool:
    """Whether it is one: who judged, what, and of which span."""
    says = isinstance(value.get("result"), Mapping) or not {"score", "label", "result.score"}.isdisjoint(value)
    return "annotator_kind" in value and says and first(value, _TARGETS) is not None


def annotation_pages(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The annotations in a page of the API, or the one that this is; none: it is neither."""
    held = value.get("data")
    found = held if isinstance(held, list) else [value]
    return [one for one in found if isinstance(one, Mapping) and is_annotation(one)]


def read_annotation(value: Mapping[str, Any]) -> Iterator[LoggedFeedback]:
    """Its score, with the explanation; its label, where there is one too."""
    result = mapping(value.get("result")) or {
        name: first(value, (name, f"result.{name}")) for name in ("score", "label", "explanation")
    }
    name = first(value, _NAMES)
    target = hex_id(first(value, _TARGETS))
    at = epoch_s(first(value, ("created_at", "updated_at")))
    said_of = partial(LoggedFeedback, name=text(name), source=source_from(value.get("annotator_kind")), target=target)
    score, label, why = (result.get(one) for one in ("score", "label", "explanation"))
    if (said := judged(name, score, why, value.get("annotator_kind"), target, at)) is not None:
        yield said
    if (named := text(label)) is not None:
        yield said_of("label", text=named, at=at)
