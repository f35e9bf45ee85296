"""Traces as Jaeger, Zipkin and Grafana Tempo give them out: their spans as those of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmctl.traffic.readers.attributes import Attributes
from llmctl.traffic.readers.base import Document
from llmctl.traffic.readers.spans import Span, SpanEvent, hex_id, moment_s
from llmctl.traffic.readers.values import mapping, number, objects, text

__all__ = ["foreign_spans", "tempo_export"]

_TRUE = (True, "true", "True", 1)
_PLACES_OF_FAILURE = ("otel.status_description", "error.message", "exception.message")


def foreign_spans(value: Mapping[str, Any], document: Document) -> Iterator[Span]:
    """The spans of a trace of Jaeger's API or page, or the span of Zipkin's that this is; nothing: it is neither."""
    if isinstance(value.get("spans"), list) and isinstance(value.get("processes"), Mapping):
        for one in objects(value["spans"]):
            yield _jaeger(one, mapping(value["processes"]), document)
    elif "traceID" in value and "spanID" in value:  # a span a line, as Jaeger's store keeps it
        yield _jaeger(value, {}, document)
    elif "traceId" in value and "id" in value and isinstance(value.get("tags"), Mapping):
        yield _zipkin(value, document)


def tempo_export(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """An export of OTLP that Tempo calls otherwise (`batches`, `trace`); anything else as it is."""
    inner = value.get("trace")
    if isinstance(inner, Mapping) and ("resourceSpans" in inner or "batches" in inner):
        value = inner
    batches = value.get("batches")
    if isinstance(batches, list) and any("resource" in one or "scopeSpans" in one for one in objects(batches)):
        return {"resourceSpans": batches}
    return value


def _jaeger(one: Mapping[str, Any], processes: Mapping[str, Any], document: Document) -> Span:
    found = _tags(one.get("tags"))
    process = mapping(processes.get(str(one.get("processID"))) or one.get("process"))
    resource = {"service.name": process.get("serviceName"), **_tags(process.get("tags"))}
    parents = [item.get("spanID") for item in objects(one.get("references")) if item.get("refType") == "CHILD_OF"]
    return Span(
        span_id=hex_id(one.get("spanID")),
        trace_id=hex_id(one.get("traceID")),
        parent_id=hex_id(parents[0] if parents else one.get("parentSpanID")),
        name=text(one.get("operationName")) or "",
        started_at=moment_s(one.get("startTime")),
        latency_ms=_from_us(one.get("duration")),
        attributes=Attributes(found),
        resource=Attributes(resource),
        events=[_log(item) for item in objects(one.get("logs"))],
        failed=_failed(found),
        failure=_failure(found),
        line=document.line,
        raw=document.raw,
    )


def _zipkin(one: Mapping[str, Any], document: Document) -> Span:
    """Values of Zipkin's tags are texts; of a failed span the tag `error` says why."""
    found = dict(mapping(one.get("tags")))
    service = mapping(one.get("localEndpoint")).get("serviceName")
    return Span(
        span_id=hex_id(one.get("id")),
        trace_id=hex_id(one.get("traceId")),
        parent_id=hex_id(one.get("parentId")),
        name=text(one.get("name")) or "",
        started_at=moment_s(one.get("timestamp")),
        latency_ms=_from_us(one.get("duration")),
        attributes=Attributes(found),
        resource=Attributes({"service.name": service}),
        failed=_failed(found) or "error" in found,
        failure=_failure(found) or text(found.get("error")),
        line=document.line,
        raw=document.raw,
    )


def _tags(pairs: object) -> dict[str, Any]:
    """`[{"key", "type", "value"}]`; whole numbers may be texts."""
    found: dict[str, Any] = {}
    for one in objects(pairs):
        if isinstance(one.get("key"), str):
            value = one.get("value")
            is_number = one.get("type") in ("int64", "float64") and isinstance(value, str)
            found[one["key"]] = number(value) if is_number else value
    return found


def _log(one: Mapping[str, Any]) -> SpanEvent:
    fields = _tags(one.get("fields"))
    return SpanEvent(text(fields.get("event")) or "", moment_s(one.get("timestamp")), Attributes(fields))


def _failed(found: Mapping[str, Any]) -> bool:
    return found.get("error") in _TRUE or str(found.get("otel.status_code")).upper() in ("ERROR", "2")


def _failure(found: Mapping[str, Any]) -> str | None:
    return next((said for name in _PLACES_OF_FAILURE if (said := text(found.get(name)))), None)


def _from_us(value: object) -> float | None:
    found = number(value)
    return found / 1e3 if found is not None and found >= 0 else None
