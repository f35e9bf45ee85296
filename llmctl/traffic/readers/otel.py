"""Readers of traces: OpenTelemetry's GenAI conventions, OpenLLMetry, and OpenInference with Phoenix.

A file may hold spans of several of them; whichever reader has it reads them all, and each record says what it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.phoenix_annotations import annotation_pages
from llmctl.traffic.readers.span_joining import read_spans

__all__ = ["OpenInference", "OpenLLMetry", "OtelGenAI"]

_LOOKED_AT = 200
_CERTAIN, _LIKELY, _POSSIBLE = 96, 92, 40
_ORDER = ("openinference", "openllmetry", "otel_genai")


class _Traces:
    name = ""

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By what its spans or log records carry."""
        found = _dialects(value)
        if self.name not in found:
            return 0
        if found == {self.name}:
            return _POSSIBLE if found == {"otel_genai"} and not _is_genai(value) else _CERTAIN
        return _LIKELY - next(rank for rank, name in enumerate(_ORDER) if name == self.name)

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """A record for every call of a model; log records are joined with their spans."""
        return read_spans(documents)


class OtelGenAI(_Traces):
    """Spans and events by OpenTelemetry's conventions, before 1.37 and since."""

    name = "otel_genai"
    title = "OpenTelemetry GenAI spans and events (OTLP JSON, or a span a line)"


class OpenLLMetry(_Traces):
    """Spans of Traceloop's instrumentations, flat or with messages."""

    name = "openllmetry"
    title = "OpenLLMetry spans"


class OpenInference(_Traces):
    """Spans of Arize's instrumentations, and of Phoenix."""

    name = "openinference"
    title = "OpenInference and Phoenix spans, and Phoenix's annotations"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By what its spans carry, or as an annotation."""
        return _CERTAIN if annotation_pages(value) else super().recognises(value)


def _found(value: Mapping[str, Any]) -> Iterator[tuple[Any, bool]]:
    """Attributes of the first spans or log records, and whether it is a span."""
    from llmctl.traffic.readers.span_sources import spans_in
    from llmctl.traffic.readers.spans import Span

    for number, one in enumerate(spans_in(Document(value, "", 0))):
        if number >= _LOOKED_AT:
            return
        yield one, isinstance(one, Span)


def _dialects(value: Mapping[str, Any]) -> set[str]:
    from llmctl.traffic.readers.genai import genai_kind, is_openllmetry
    from llmctl.traffic.readers.openinference_span import openinference_kind

    if not _may_be(value):
        return set()
    found, any_span = set(), False
    for one, is_one in _found(value):
        any_span = True
        if is_one and openinference_kind(one.attributes, one.kind):
            found.add("openinference")
        elif genai_kind(one.attributes):
            found.add("openllmetry" if is_openllmetry(one.attributes) else "otel_genai")
        elif not is_one and one.name.startswith("gen_ai."):
            found.add("otel_genai")
    return found or ({"otel_genai"} if any_span else set())


def _is_genai(value: Mapping[str, Any]) -> bool:
    from llmctl.traffic.readers.genai import genai_kind

    return any(
        genai_kind(one.attributes) or (not is_one and one.name.startswith("gen_ai.")) for one, is_one in _found(value)
    )


_OTHERS = frozenset(
    {"run_type", "dotted_order", "_xact_id", "litellm_call_id", "request", "request_body", "custom_id", "info"}
)
_HINTS = frozenset(
    [
        "resourceSpans",
        "resource_spans",
        "resourceLogs",
        "resource_logs",
        "spanId",
        "span_id",
        "SpanId",
        "spanID",
        "batches",
        "trace",
        "tags",
        "context.span_id",
        "context",
        "data",
        "spans",
        "body",
    ]
)


def _may_be(value: Mapping[str, Any]) -> bool:
    """A quick look: other formats' documents are many, and cost nothing here."""
    if _HINTS.isdisjoint(value) or not _OTHERS.isdisjoint(value):
        return False
    return "type" not in value or "attributes" in value
