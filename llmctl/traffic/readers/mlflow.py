"""Traces of MLflow: base64 ids, attributes as JSON in texts; assessments are feedback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.messages import tools_from
from llmctl.traffic.readers.openai_shapes import provider_of
from llmctl.traffic.readers.spans import elapsed_ms, hex_id, moment_s
from llmctl.traffic.readers.tracing import (
    ends_as,
    judged,
    not_a_call,
    provider_from,
    read_asked,
    read_said,
    same_or_served,
    source_from,
    unwrapped,
)
from llmctl.traffic.readers.values import count, decoded, first, json_text, mapping, number, text

__all__ = ["MLflow"]

_CALLS = frozenset({"LLM", "CHAT_MODEL"})
_STARTS = ("start_time_unix_nano", "start_time_ns", "start_time")
_ENDS = ("end_time_unix_nano", "end_time_ns", "end_time")


class MLflow:
    """Traces as JSON, as the tracking server and `search_traces` give them; single spans too."""

    name = "mlflow"
    title = "MLflow traces"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By a trace's info and spans, or by attributes that begin with `mlflow.`."""
        trace = next(unwrapped(Document(value, "", 0), "traces")).value
        spans = _spans(trace)
        if spans is None:
            return 98 if any(str(name).startswith("mlflow.") for name in mapping(trace.get("attributes"))) else 0
        if any(str(name).startswith("mlflow.") for one in spans for name in mapping(one.get("attributes"))):
            return 98
        return 85 if "info" in trace and "data" in trace else 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """A record for each span of the types LLM and CHAT_MODEL."""
        for outer in documents:
            for document in unwrapped(outer, "traces"):
                yield from _read(document)


def _spans(trace: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    data = mapping(trace.get("data"))
    spans = decoded(data.get("spans", trace.get("spans")))
    return [one for one in spans if isinstance(one, Mapping)] if isinstance(spans, list) else None


def _read(document: Document) -> Iterator[Entry | SetAside]:
    trace = document.value
    info = mapping(trace.get("info")) or {
        name: decoded(item) for name, item in trace.items() if name not in ("spans", "data")
    }
    spans = _spans(trace)
    if spans is None:
        spans = [trace] if mapping(trace.get("attributes")) else []
        info = {}
    calls = {}
    for span in spans:
        kind = text(_plain(mapping(span.get("attributes")).get("mlflow.spanType"))) or "UNKNOWN"
        if kind.upper() in _CALLS:
            call = _call(span, info)
            calls[call.source_id] = call
            yield Entry(document.line, document.raw, call)
        else:
            yield SetAside(document.line, not_a_call(kind))
    if not spans:
        yield SetAside(document.line, "a trace without spans")
    assessments = decoded(info.get("assessments"))
    for one in map(mapping, assessments if isinstance(assessments, list) else ()):
        said = _assessment(one, info)
        if said is not None:
            yield Entry(document.line, document.raw, said)


def _plain(value: Any) -> Any:
    """The value of an attribute: a text in JSON has quotes of its own."""
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        import orjson

        try:
            return orjson.loads(value)
        except ValueError:
            return value
    return decoded(value)


def _call(span: Mapping[str, Any], info: Mapping[str, Any]) -> LoggedCall:
    found = {name: _plain(value) for name, value in mapping(span.get("attributes")).items()}
    context = mapping(span.get("context"))
    tags, notes = mapping(info.get("tags")), mapping(first(info, ("trace_metadata", "request_metadata")))
    start, end = first(span, _STARTS), first(span, _ENDS)
    call = LoggedCall(
        "mlflow",
        source_id=hex_id(first(span, ("span_id",)) or context.get("span_id")),
        trace_id=text(first(info, ("trace_id", "request_id")))
        or hex_id(first(span, ("trace_id",)) or context.get("trace_id")),
        parent_id=hex_id(first(span, ("parent_span_id", "parent_id"))),
        session_id=text(notes.get("mlflow.trace.session")),
        started_at=moment_s(start),
        latency_ms=elapsed_ms(start, end),
        provider=provider_from(first(found, ("mlflow.llm.provider", "mlflow.chat.provider"))),
        user=text(notes.get("mlflow.trace.user")),
    )
    read_asked(first(found, ("mlflow.spanInputs", "mlflow.chat.messages")), call)
    read_said(found.get("mlflow.spanOutputs"), call)
    same_or_served(call, first(found, ("mlflow.llm.model", "model", "model_name")))
    call.provider = call.provider or provider_of(call.model)
    call.tools = call.tools or tools_from(found.get("mlflow.chat.tools"))
    _read_amounts(found, call)
    _read_prompt(tags, call)
    if commit := text(notes.get("mlflow.source.git.commit")):
        call.metadata = {**call.metadata, "git_commit": commit}
    ends_as(call, None, *_failure(span))
    return call


def _failure(span: Mapping[str, Any]) -> tuple[object, bool]:
    status = mapping(span.get("status"))
    code = str(first(status, ("code",)) or span.get("status_code") or "")
    if "ERROR" not in code and code != "2":
        return None, False
    events = decoded(span.get("events"))
    found = [mapping(mapping(one).get("attributes")) for one in (events if isinstance(events, list) else [])]
    error = next((one for one in found if "exception.message" in one), {})
    words = (
        first(error, ("exception.message",)) or first(status, ("message", "description")) or span.get("status_message")
    )
    return {"type": error.get("exception.type"), "message": words}, True


def _read_amounts(found: Mapping[str, Any], call: LoggedCall) -> None:
    usage = mapping(found.get("mlflow.chat.tokenUsage"))
    places = {
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "cached_tokens": "cache_read_input_tokens",
    }
    for name, place in places.items():
        if getattr(call, name) is None:
            setattr(call, name, count(usage.get(place)))
    cost = mapping(found.get("mlflow.llm.cost")).get("total_cost")
    call.cost_usd = number(cost) if call.cost_usd is None else call.cost_usd


def _read_prompt(tags: Mapping[str, Any], call: LoggedCall) -> None:
    prompts = decoded(tags.get("mlflow.linkedPrompts"))
    if isinstance(prompts, list) and len(prompts) == 1:
        prompt = mapping(prompts[0])
        call.prompt_name, call.prompt_version = text(prompt.get("name")), text(prompt.get("version"))


def _assessment(one: Mapping[str, Any], info: Mapping[str, Any]) -> LoggedFeedback | None:
    target = (
        hex_id(one.get("span_id")) or text(first(one, ("trace_id",))) or text(first(info, ("trace_id", "request_id")))
    )
    name, source = text(first(one, ("assessment_name", "name"))), mapping(one.get("source")).get("source_type")
    expectation = mapping(one.get("expectation"))
    at = moment_s(one.get("create_time"))
    if expectation:
        value = first(expectation, ("value",)) or mapping(expectation.get("serialized_value")).get("value")
        by = source_from(source)
        return LoggedFeedback("correction", text=json_text(value), name=name, source=by, target=target, at=at)
    return judged(name, mapping(one.get("feedback")).get("value"), one.get("rationale"), source, target, at)
