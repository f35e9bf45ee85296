"""The spans and log records in a document: an OTLP export, a span a line (a console, Phoenix, Logfire), a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmctl.traffic.readers.attributes import NO_ATTRIBUTES, Attributes
from llmctl.traffic.readers.base import Document
from llmctl.traffic.readers.foreign_spans import foreign_spans, tempo_export
from llmctl.traffic.readers.otlp import (
    attributes_of,
    is_otlp,
    is_otlp_span,
    otlp_log_record,
    otlp_log_records,
    otlp_span,
    otlp_spans,
)
from llmctl.traffic.readers.spans import Span, SpanEvent, elapsed_ms, hex_id, moment_s
from llmctl.traffic.readers.tracing import unwrapped
from llmctl.traffic.readers.values import decoded, first, mapping, number, text

__all__ = ["is_span", "span_attributes", "spans_in"]

_LISTS = ("data", "spans")
_ATTRIBUTES = ("attributes", "span_attributes", "SpanAttributes")
_STARTS = (
    "start_time",
    "startTime",
    "start_timestamp",
    "start_time_unix_nano",
    "startTimeUnixNano",
    "timestamp",
    "Timestamp",
)
_ENDS = ("end_time", "endTime", "end_timestamp", "end_time_unix_nano", "endTimeUnixNano")
_SPAN_IDS = ("span_id", "spanId", "SpanId", "context.span_id")
_TRACE_IDS = ("trace_id", "traceId", "TraceId", "context.trace_id")


def is_span(value: Mapping[str, Any]) -> bool:
    """Whether it is one span, of whichever tool, with its attributes."""
    context = mapping(value.get("context"))
    if first(value, _SPAN_IDS) is None and first(context, ("span_id", "spanId")) is None:
        return is_otlp_span(value)
    return bool(span_attributes(value)) or first(value, _STARTS) is not None


def span_attributes(value: Mapping[str, Any]) -> Attributes:
    """The attributes of one span, of OTLP too; columns `attributes.llm.model_name` of a table count."""
    found = first(value, _ATTRIBUTES)
    if found is not None:
        return Attributes(attributes_of(found))
    columns = {name[11:]: item for name, item in value.items() if name.startswith("attributes.") and item is not None}
    return Attributes(columns) if columns else NO_ATTRIBUTES


def spans_in(document: Document) -> Iterator[Span | SpanEvent]:
    """All spans and log records; nothing where the document holds none."""
    for inner in unwrapped(document, *_LISTS if "processes" not in document.value else ()):
        value = tempo_export(inner.value)
        if is_otlp(value):
            yield from otlp_spans(value, inner)
            yield from otlp_log_records(value, inner)
        elif isinstance(value.get("attributes"), list) and is_otlp_span(value):
            yield otlp_span(value, inner, NO_ATTRIBUTES)
        elif _is_log_record(value):
            yield _log_record(value, inner)
        elif foreign := list(foreign_spans(value, inner)):
            yield from foreign
        elif is_span(value):
            yield _span(value, inner)


def _is_log_record(value: Mapping[str, Any]) -> bool:
    return "body" in value and not {
        "observed_timestamp",
        "observedTimeUnixNano",
        "severity_number",
        "eventName",
        "event_name",
    }.isdisjoint(value)


def _log_record(value: Mapping[str, Any], document: Document) -> SpanEvent:
    record = otlp_log_record(value, document, _resource(value))
    if record.at is None:
        record.at = moment_s(first(value, ("timestamp", "observed_timestamp")))
    return record


def _resource(value: Mapping[str, Any]) -> Attributes:
    resource = decoded(first(value, ("resource", "otel_resource_attributes", "ResourceAttributes")))
    if not isinstance(resource, Mapping):
        return NO_ATTRIBUTES
    return Attributes(attributes_of(resource.get("attributes", resource)))


def _span(value: Mapping[str, Any], document: Document) -> Span:
    context = mapping(value.get("context"))
    start, end = first(value, _STARTS), first(value, _ENDS)
    latency_ms = elapsed_ms(start, end)
    if latency_ms is None and "start_timestamp" in value and (seconds := number(value.get("duration"))) is not None:
        latency_ms = seconds * 1e3
    parents = ("parent_id", "parentId", "parent_span_id", "parentSpanId", "ParentSpanId")
    found = mapping(value.get("status"))
    code = first(value, ("status_code", "otel_status_code", "StatusCode")) or first(found, ("status_code", "code"))
    said = first(value, ("status_message", "otel_status_message", "StatusMessage", "exception_message"))
    events = decoded(first(value, ("events", "otel_events")))
    return Span(
        span_id=hex_id(first(value, _SPAN_IDS) or first(context, ("span_id", "spanId"))),
        trace_id=hex_id(first(value, _TRACE_IDS) or first(context, ("trace_id", "traceId"))),
        parent_id=hex_id(first(value, parents)),
        name=text(first(value, ("name", "span_name"))) or "",
        kind=text(value.get("span_kind")),
        started_at=moment_s(start),
        latency_ms=latency_ms,
        attributes=span_attributes(value),
        resource=_resource(value),
        events=[_event(one) for one in events if isinstance(one, Mapping)] if isinstance(events, list) else [],
        failed=str(code).upper().rpartition(".")[2] in ("ERROR", "2", "STATUS_CODE_ERROR"),
        failure=text(said) or text(first(found, ("description", "message"))),
        line=document.line,
        raw=document.raw,
    )


def _event(one: Mapping[str, Any]) -> SpanEvent:
    at = moment_s(first(one, ("timestamp", "time_unix_nano", "timeUnixNano", "event_timestamp")))
    name = text(first(one, ("name", "event_name"))) or ""
    return SpanEvent(name, at, Attributes(attributes_of(one.get("attributes"))))
