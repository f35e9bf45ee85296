"""Logs of Braintrust: calls are the spans of type `llm`; scores, corrections and comments of any span are feedback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.notes import read_metadata
from llmctl.traffic.readers.openai_shapes import provider_of
from llmctl.traffic.readers.spans import elapsed_ms
from llmctl.traffic.readers.tracing import (
    ends_as,
    judged,
    not_a_call,
    provider_from,
    read_asked,
    read_said,
    read_settings,
    unwrapped,
)
from llmctl.traffic.readers.values import count, decoded, epoch_s, first, json_text, mapping, number, text, texts

__all__ = ["Braintrust"]

_NOTES = frozenset(
    [
        "prompt",
        "prompt_name",
        "prompt_version",
        "user",
        "user_id",
        "session_id",
        "environment",
        "tags",
        "provider",
        "model_provider",
    ]
)
_PARAMS = frozenset(
    [
        "temperature",
        "top_p",
        "top_k",
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "seed",
        "stop",
        "n",
        "frequency_penalty",
        "presence_penalty",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "reasoning_effort",
        "verbosity",
        "parallel_tool_calls",
        "tools",
        "tool_choice",
        "response_format",
        "model",
        "service_tier",
    ]
)


class Braintrust:
    """Rows of the API, of BTQL, and of exports as JSON or CSV."""

    name = "braintrust"
    title = "Braintrust logs"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By its transaction id beside the attributes of a span."""
        rows = (one.value for one in unwrapped(Document(value, "", 0), "events", "data", "rows"))
        value = next(rows, value)
        if "span_attributes" not in value:
            return 0
        if "_xact_id" in value or "root_span_id" in value:
            return 97
        return 80 if {"input", "output", "metrics"} & value.keys() else 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """A record for each span of type `llm`."""
        for outer in documents:
            for document in unwrapped(outer, "events", "data", "rows"):
                yield from _read(document)


def _read(document: Document) -> Iterator[Entry | SetAside]:
    value = document.value
    kind = text(mapping(value.get("span_attributes")).get("type"))
    if kind == "llm":
        yield Entry(document.line, document.raw, _call(value))
        return
    target = text(first(value, ("root_span_id", "span_id", "id")))
    said = _feedback(value, target)
    if said and kind not in ("score", "eval"):
        yield from (Entry(document.line, document.raw, one) for one in said)
    else:
        yield SetAside(document.line, not_a_call(kind))


def _call(value: Mapping[str, Any]) -> LoggedCall:
    metrics, metadata = mapping(value.get("metrics")), mapping(value.get("metadata"))
    start = first(metrics, ("start",)) or value.get("created")
    parents = decoded(value.get("span_parents"))
    call = LoggedCall(
        "braintrust",
        source_id=text(first(value, ("span_id", "id"))),
        trace_id=text(value.get("root_span_id")),
        parent_id=text(parents[0]) if isinstance(parents, list) and parents else None,
        started_at=epoch_s(start),
        latency_ms=elapsed_ms(metrics.get("start"), metrics.get("end")),
    )
    call.provider = provider_from(first(metadata, ("provider", "model_provider")))
    read_asked(value.get("input"), call)
    read_settings({name: item for name, item in metadata.items() if name in _PARAMS}, call)
    call.provider = call.provider or provider_of(call.model)
    read_said(value.get("output"), call)
    _read_metrics(metrics, call)
    call.tags = texts(value.get("tags"))
    notes = {name: item for name, item in metadata.items() if name not in _PARAMS}
    read_metadata(notes, call)
    call.metadata = {name: item for name, item in call.metadata.items() if name not in _NOTES}
    call.feedback = tuple(_feedback(value, None))
    error = decoded(value.get("error"))
    ends_as(call, None, error, bool(error))
    return call


def _read_metrics(metrics: Mapping[str, Any], call: LoggedCall) -> None:
    places = {
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "cached_tokens": "prompt_cached_tokens",
        "reasoning_tokens": "completion_reasoning_tokens",
    }
    for name, place in places.items():
        if (found := count(metrics.get(place))) is not None:
            setattr(call, name, found)
    first_s = number(metrics.get("time_to_first_token"))
    call.ttft_ms = first_s * 1e3 if first_s is not None else None
    call.cost_usd = number(first(metrics, ("estimated_cost", "cost")))


def _feedback(value: Mapping[str, Any], target: str | None) -> list[LoggedFeedback]:
    scores = mapping(value.get("scores"))
    found = [said for name, score in scores.items() if (said := judged(name, score, target=target)) is not None]
    expected = decoded(value.get("expected"))
    if expected not in (None, "", {}, []):
        found.append(LoggedFeedback("correction", text=json_text(expected), target=target))
    comments = decoded(value.get("comments"))
    for one in comments if isinstance(comments, list) else ():
        inner = mapping(mapping(one).get("comment", one))
        if words := text(inner.get("text")):
            found.append(LoggedFeedback("comment", text=words, source="human", target=target))
    return found
