"""Spans and the log records that hold their messages, joined by trace and span; the rest is set aside."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback
from llmctl.traffic.readers.attributes import Attributes
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.endings import finish_reason_from
from llmctl.traffic.readers.genai import (
    genai_kind,
    is_openllmetry,
    legacy_message,
    read_genai,
    read_message_answer,
    read_origin,
)
from llmctl.traffic.readers.openinference_span import openinference_kind, read_openinference
from llmctl.traffic.readers.phoenix_annotations import annotation_pages, read_annotation
from llmctl.traffic.readers.span_sources import spans_in
from llmctl.traffic.readers.spans import Span, SpanEvent, SpanId
from llmctl.traffic.readers.tracing import ends_as, judged, not_a_call, provider_from
from llmctl.traffic.readers.values import decoded, first, mapping, objects, text

__all__ = ["read_spans"]

_MOST_WAITING = 50_000
_MOST_REMEMBERED = 200_000
_NO_SPAN = "no spans and no log records"
_KNOWN = "its span holds the messages already"
_DETAILS = "gen_ai.client.inference.operation.details"
_EVALUATION = "gen_ai.evaluation.result"
_MESSAGES = frozenset(
    {"gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.tool.message"}
)
_CHOICE = "gen_ai.choice"
_CONTENT = {"gen_ai.content.prompt": "gen_ai.prompt", "gen_ai.content.completion": "gen_ai.completion"}
_FIRST_TOKEN = frozenset(
    {
        "First Token Stream Event",
        "llm.content.completion.chunk",
        "gen_ai.content.completion.chunk",
        "ai.stream.firstChunk",
    }
)
_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_NOT_CAPTURED = {
    "old": f"no content was captured; the application has to set {_VARIABLE}=true",
    "new": f"no content was captured; the application has to set {_VARIABLE} to SPAN_AND_EVENT",
    "openllmetry": "no content was captured; the application has to set TRACELOOP_TRACE_CONTENT=true",
    "openinference": "no content was captured; the application has to unset OPENINFERENCE_HIDE_INPUTS",
}


@dataclass(slots=True)
class _Waiting:
    """What is known of one call so far."""

    span: Span | None = None
    events: list[SpanEvent] = field(default_factory=list)


def read_spans(documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
    """A record for each span that is a call of a model, and for each set of log records whose span never came."""
    joined = _Joined()
    for document in documents:
        empty = True
        for annotation in annotation_pages(document.value):
            empty = False
            said = list(read_annotation(annotation))
            yield from (Entry(document.line, document.raw, one) for one in said)
            if not said:
                yield SetAside(document.line, "an annotation that says nothing")
        for found in spans_in(document):
            empty = False
            yield from joined.span(found) if isinstance(found, Span) else joined.event(found)
        if empty:
            yield SetAside(document.line, _NO_SPAN)
    yield from joined.rest()


class _Joined:
    """Keeps what waits for its other half, the oldest no longer than there is room."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[SpanId, _Waiting] = OrderedDict()
        self._done: OrderedDict[SpanId, None] = OrderedDict()

    def span(self, span: Span) -> Iterator[Entry | SetAside]:
        kind = openinference_kind(span.attributes, span.kind) or genai_kind(span.attributes)
        if kind != "call":
            yield SetAside(span.line, not_a_call(kind))
            return
        if span.place is None:
            yield _entry(_Waiting(span))
            return
        known = self._waiting.get(span.place)
        held = _Waiting(span, known.events if known else [])
        entry = _entry(held)
        assert isinstance(entry.record, LoggedCall)
        if entry.record.messages is not None or _of(span) == "openinference":
            self._waiting.pop(span.place, None)
            self._remember(span.place)
            yield entry
        else:
            self._waiting[span.place] = held
            yield from self._bounded()

    def event(self, event: SpanEvent) -> Iterator[Entry | SetAside]:
        name = _name_of(event)
        place = (event.trace_id, event.span_id) if event.span_id else None
        if name == _EVALUATION:
            yield _evaluation(event)
        elif name not in _MESSAGES and name not in (_CHOICE, _DETAILS) and name not in _CONTENT:
            yield SetAside(event.line, not_a_call("log record"))
        elif place is None and name == _DETAILS:
            yield _entry(_Waiting(None, [event]))
        elif place is None:
            yield SetAside(event.line, "it names no span")
        elif place in self._done:
            yield SetAside(event.line, _KNOWN)
        else:
            self._waiting.setdefault(place, _Waiting()).events.append(event)
            yield from self._bounded()

    def rest(self) -> Iterator[Entry]:
        """All that waits still."""
        while self._waiting:
            yield _entry(self._waiting.popitem(last=False)[1])

    def _bounded(self) -> Iterator[Entry]:
        while len(self._waiting) > _MOST_WAITING:
            place, oldest = self._waiting.popitem(last=False)
            self._remember(place)
            yield _entry(oldest)

    def _remember(self, place: SpanId) -> None:
        self._done[place] = None
        if len(self._done) > _MOST_REMEMBERED:
            self._done.popitem(last=False)


def _name_of(event: SpanEvent) -> str:
    """Events of old versions are named in an attribute, or within the body."""
    return event.name or text(event.attributes.get("event.name")) or text(mapping(event.body).get("event.name")) or ""


# --- records ----------------------------------------------------------------------------------------------------------


def _of(span: Span) -> str:
    if openinference_kind(span.attributes, span.kind) == "call":
        return "openinference"
    return "openllmetry" if is_openllmetry(span.attributes) else "otel_genai"


def _entry(held: _Waiting) -> Entry:
    span, events = held.span, held.events
    if span is None:
        span = _span_of(events)
    kind = _of(span)
    call = LoggedCall(kind, span.span_id, span.trace_id, span.parent_id, None, span.started_at, span.latency_ms)
    (read_openinference if kind == "openinference" else read_genai)(span.attributes, call)
    read_origin(span.attributes, span.resource, call)
    _read_events([*span.events, *_logged_within(span), *events], call)
    call.source_id, call.trace_id = span.span_id or text(call.metadata.get("response_id")), span.trace_id
    _read_first_token(span, call)
    finish, call.finish_reason = call.finish_reason, None if call.outcome is None else call.finish_reason
    ends_as(call, finish, *_failure(span))
    if call.messages is None and call.not_replayable is None:
        old = "old" if span.attributes.get("gen_ai.system") is not None else "new"
        call.not_replayable = _NOT_CAPTURED.get(kind, _NOT_CAPTURED[old])
    raws = dict.fromkeys(raw for raw in (span.raw, *(one.raw for one in events)) if raw)
    return Entry(span.line, span.raw if len(raws) < 2 else "\n".join(raws), call)


def _span_of(events: list[SpanEvent]) -> Span:
    """What a call's log records say of a span that was not exported."""
    head = next((one for one in events if _name_of(one) == _DETAILS), events[0])
    times = [one.at for one in events if one.at is not None]
    return Span(
        span_id=head.span_id,
        trace_id=head.trace_id,
        started_at=min(times, default=None),
        attributes=head.attributes,
        resource=head.resource,
        failed=head.attributes.get("error.type") is not None,
        line=events[0].line,
        raw=events[0].raw,
    )


def _failure(span: Span) -> tuple[object, bool]:
    error = next((one.attributes for one in span.events if one.name == "exception"), None)
    kind = span.attributes.get("error.type")
    if not span.failed and kind is None:
        return None, False
    said = text(error.get("exception.message")) if error else None
    named = text(error.get("exception.type")) if error else None
    words = said or span.failure or text(span.attributes.get("error.message", "exception.message"))
    words = words or text(kind) or "The span has the status ERROR."
    return {"type": named or kind, "code": kind, "message": words}, True


def _read_first_token(span: Span, call: LoggedCall) -> None:
    times = [one.at for one in span.events if one.name in _FIRST_TOKEN and one.at is not None]
    if call.ttft_ms is None and times and span.started_at is not None and min(times) >= span.started_at:
        call.ttft_ms = round((min(times) - span.started_at) * 1e3, 3)


def _logged_within(span: Span) -> list[SpanEvent]:
    """Logfire and Pydantic AI keep the events of a call as a list in an attribute."""
    events = decoded(span.attributes.get("events", "all_messages_events"))
    found = [one for one in events if isinstance(one, Mapping)] if isinstance(events, list) else []
    return [
        SpanEvent(text(one.get("event.name")) or "", body={k: v for k, v in one.items() if k != "event.name"})
        for one in found
    ]


def _read_events(events: list[SpanEvent], call: LoggedCall) -> None:  # noqa: C901
    messages: list[Any] = []
    captured = False
    for event in sorted(events, key=lambda one: one.at or 0.0):
        name = _name_of(event)
        body = _body(event)
        if name in _MESSAGES:
            captured = captured or _says(body)
            messages += legacy_message(name, body)
        elif name == _CHOICE:
            answer = {**body, **mapping(body.get("message"))}
            if call.outcome is None and (captured or not messages or _says(answer)):
                read_message_answer(answer, call, call.finish_reason)
            elif call.outcome is None:
                call.finish_reason = finish_reason_from(answer.get("finish_reason")) or call.finish_reason
        elif name == _DETAILS and (call.messages is None or call.outcome is None):
            _read_details(event, call)
        elif name in _CONTENT:
            read_genai_content_of(event, name, call)
        elif name == _EVALUATION:
            entry = _evaluation(event)
            if isinstance(entry, Entry) and isinstance(entry.record, LoggedFeedback):
                call.feedback = (*call.feedback, entry.record)
    if call.messages is None and messages and captured:
        call.messages = tuple(messages)
    if call.provider is None:
        call.provider = provider_from(next((one.attributes.get("gen_ai.system") for one in events), None))


def _says(body: Mapping[str, Any]) -> bool:
    """Whether a message was captured with its content: without it these events hold roles, and names of functions."""
    if body.get("content") not in (None, ""):
        return True
    calls = body.get("tool_calls")
    functions = (mapping(one.get("function", one)) for one in objects(calls))
    return any(one.get("arguments") is not None for one in functions)


def _body(event: SpanEvent) -> dict[str, Any]:
    if body := mapping(event.body):
        return body
    if body := mapping(event.attributes.get("gen_ai.event.content")):
        return body
    return {name: decoded(value) for name, value in event.attributes.values.items() if not name.startswith("gen_ai.")}


def _read_details(event: SpanEvent, call: LoggedCall) -> None:
    """An event that holds all that a span could; some write it into the body."""
    scratch = LoggedCall(call.format)
    read_genai(Attributes({**mapping(event.body), **event.attributes.values}), scratch)
    for name in (
        "messages",
        "outcome",
        "output",
        "error",
        "finish_reason",
        "model",
        "served_model",
        "input_tokens",
        "output_tokens",
    ):
        if getattr(call, name) is None:
            setattr(call, name, getattr(scratch, name))
    for name in ("tools", "tool_calls", "params", "response_format"):
        if not getattr(call, name):
            setattr(call, name, getattr(scratch, name))


def read_genai_content_of(event: SpanEvent, name: str, call: LoggedCall) -> None:
    """Take the content of an event of convention 1.27 (`gen_ai.content.prompt`) into the record."""
    from llmctl.traffic.readers.tracing import read_asked, read_said

    given = event.attributes.get(_CONTENT[name]) or first(mapping(event.body), (_CONTENT[name], "content"))
    if name == "gen_ai.content.prompt" and call.messages is None:
        read_asked(given, call)
    elif name != "gen_ai.content.prompt" and call.outcome is None and given is not None:
        read_said(given, call)


def _evaluation(event: SpanEvent) -> Entry | SetAside:
    found = event.attributes
    name, score, label = (found.get(f"gen_ai.evaluation.{part}") for part in ("name", "score.value", "score.label"))
    target = event.span_id or text(found.get("gen_ai.response.id")) or event.trace_id
    said = judged(
        name, score if score is not None else label, found.get("gen_ai.evaluation.explanation"), None, target, event.at
    )
    return Entry(event.line, event.raw, said) if said else SetAside(event.line, "an evaluation without a score")
