"""OTLP as JSON: spans and log records of an export, with hex ids, or base64 as protobuf's JSON has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmctl.traffic.readers.attributes import Attributes
from llmctl.traffic.readers.base import Document
from llmctl.traffic.readers.spans import Span, SpanEvent, elapsed_ms, hex_id, moment_s
from llmctl.traffic.readers.values import decoded, first, text

__all__ = [
    "any_value",
    "attributes_of",
    "is_otlp",
    "is_otlp_span",
    "otlp_log_record",
    "otlp_log_records",
    "otlp_span",
    "otlp_spans",
]

_DEEPEST = 60
"""Values within values; what lies deeper is no message."""
_EXPORTS = ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs")
_FAILED = ("2", "STATUS_CODE_ERROR", "ERROR")


def is_otlp(value: Mapping[str, Any]) -> bool:
    """Whether it is an export of traces or logs."""
    return any(isinstance(value.get(name), list) for name in _EXPORTS)


def is_otlp_span(value: Mapping[str, Any]) -> bool:
    """Whether it is one span, as an export holds them."""
    return (
        first(value, ("spanId", "span_id")) is not None and "startTimeUnixNano" in value
    ) or "start_time_unix_nano" in value


# --- values -----------------------------------------------------------------------------------------------------------


def any_value(value: Any, depth: int = _DEEPEST) -> Any:
    """The value of an AnyValue: `{"stringValue": "x"}`, `{"intValue": "58"}`, lists and maps of them; `{}` is None.

    What is no AnyValue stays as it is.
    """
    if not isinstance(value, Mapping):
        return value
    if not value or depth == 0:
        return None
    if len(value) != 1:
        return value
    ((kind, inner),) = value.items()
    match kind:
        case "stringValue" | "string_value" | "boolValue" | "bool_value" | "bytesValue" | "bytes_value":
            return inner
        case "intValue" | "int_value":
            return _whole(inner)
        case "doubleValue" | "double_value":
            return _real(inner)
        case "arrayValue" | "array_value":
            return [any_value(one, depth - 1) for one in _values(inner)]
        case "kvlistValue" | "kvlist_value":
            return attributes_of(_values(inner), depth - 1)
        case _:
            return value


def attributes_of(pairs: Any, depth: int = _DEEPEST) -> dict[str, Any]:
    """Attributes as names and values, from `[{"key": ..., "value": AnyValue}]` or from an object."""
    pairs = decoded(pairs)
    if isinstance(pairs, Mapping):
        return {str(name): any_value(value, depth) for name, value in pairs.items()}
    if not isinstance(pairs, list):
        return {}
    found = (one for one in pairs if isinstance(one, Mapping) and isinstance(one.get("key"), str))
    return {one["key"]: any_value(one.get("value"), depth) for one in found}


def _values(inner: Any) -> list[Any]:
    values = inner.get("values") if isinstance(inner, Mapping) else inner
    return values if isinstance(values, list) else []


def _whole(value: Any) -> Any:
    if isinstance(value, str) and len(value) < 21:
        try:
            return int(value)
        except ValueError:
            return None
    return value


def _real(value: Any) -> Any:
    """A double; protobuf writes NaN and the infinities as texts, which say nothing here."""
    return value if isinstance(value, int | float) else None


# --- spans ------------------------------------------------------------------------------------------------------------


def otlp_spans(value: Mapping[str, Any], document: Document) -> Iterator[Span]:
    """The spans of an export."""
    for group in _objects(first(value, ("resourceSpans", "resource_spans"))):
        resource = Attributes(_resource(group))
        scopes = first(
            group, ("scopeSpans", "scope_spans", "instrumentationLibrarySpans", "instrumentation_library_spans")
        )
        for scope in _objects(scopes):
            for one in _objects(scope.get("spans")):
                yield otlp_span(one, document, resource)


def otlp_span(one: Mapping[str, Any], document: Document, resource: Attributes) -> Span:
    """One span of an export."""
    start = first(one, ("startTimeUnixNano", "start_time_unix_nano"))
    end = first(one, ("endTimeUnixNano", "end_time_unix_nano"))
    status = one.get("status")
    status = status if isinstance(status, Mapping) else {}
    return Span(
        span_id=hex_id(first(one, ("spanId", "span_id"))),
        trace_id=hex_id(first(one, ("traceId", "trace_id"))),
        parent_id=hex_id(first(one, ("parentSpanId", "parent_span_id"))),
        name=text(one.get("name")) or "",
        started_at=moment_s(start),
        latency_ms=elapsed_ms(start, end),
        attributes=Attributes(attributes_of(one.get("attributes"))),
        resource=resource,
        events=[_event(event, document) for event in _objects(one.get("events"))],
        failed=str(status.get("code")) in _FAILED,
        failure=text(status.get("message")),
        line=document.line,
        raw=document.raw,
    )


def _event(event: Mapping[str, Any], document: Document) -> SpanEvent:
    return SpanEvent(
        name=text(event.get("name")) or "",
        at=moment_s(first(event, ("timeUnixNano", "time_unix_nano"))),
        attributes=Attributes(attributes_of(event.get("attributes"))),
        line=document.line,
        raw=document.raw,
    )


# --- log records ------------------------------------------------------------------------------------------------------


def otlp_log_records(value: Mapping[str, Any], document: Document) -> Iterator[SpanEvent]:
    """The log records of an export."""
    for group in _objects(first(value, ("resourceLogs", "resource_logs"))):
        resource = Attributes(_resource(group))
        scopes = first(group, ("scopeLogs", "scope_logs", "instrumentationLibraryLogs", "instrumentation_library_logs"))
        for scope in _objects(scopes):
            for one in _objects(first(scope, ("logRecords", "log_records"))):
                yield otlp_log_record(one, document, resource)


def otlp_log_record(one: Mapping[str, Any], document: Document, resource: Attributes) -> SpanEvent:
    """One log record of an export; its name stands in `eventName`, until 1.4 of the protocol in an attribute."""
    attributes = Attributes(attributes_of(one.get("attributes")))
    times = ("timeUnixNano", "time_unix_nano", "observedTimeUnixNano", "observed_time_unix_nano")
    at = next((found for name in times if (found := moment_s(one.get(name))) is not None), None)
    return SpanEvent(
        name=text(first(one, ("eventName", "event_name"))) or text(attributes.get("event.name")) or "",
        at=at,
        attributes=attributes,
        body=decoded(any_value(one.get("body"))),
        trace_id=hex_id(first(one, ("traceId", "trace_id"))),
        span_id=hex_id(first(one, ("spanId", "span_id"))),
        resource=resource,
        line=document.line,
        raw=document.raw,
    )


def _resource(group: Mapping[str, Any]) -> dict[str, Any]:
    resource = group.get("resource")
    return attributes_of(resource.get("attributes")) if isinstance(resource, Mapping) else {}


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (one for one in value if isinstance(one, Mapping)) if isinstance(value, list) else iter(())
