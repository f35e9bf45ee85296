"""Spans of Opik: calls are those of type `llm`, or without a type those that name a model."""

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
    same_or_served,
    unwrapped,
)
from llmctl.traffic.readers.values import count, decoded, epoch_s, first, json_text, mapping, number, text, texts

__all__ = ["Opik"]

_MARKS = frozenset(
    ["feedback_scores", "total_estimated_cost", "error_info", "ttft", "duration", "usage", "project_name", "project_id"]
)
_PARAMS = frozenset(
    [
        "model",
        "temperature",
        "top_p",
        "top_k",
        "max_tokens",
        "max_completion_tokens",
        "seed",
        "stop",
        "n",
        "frequency_penalty",
        "presence_penalty",
        "tools",
        "tool_choice",
        "response_format",
        "reasoning_effort",
        "parallel_tool_calls",
    ]
)
_WRAPPERS = ("content", "spans", "data")


class Opik:
    """Spans of the API, of its SDK, and of exports."""

    name = "opik"
    title = "Opik spans"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By the names that only its spans and traces have together."""
        value = next((one.value for one in unwrapped(Document(value, "", 0), *_WRAPPERS)), value)
        if "attributes" in value or "span_attributes" in value or "info" in value:
            return 0
        marks = len(_MARKS & value.keys())
        if value.get("type") in ("llm", "general", "tool", "guardrail") and "trace_id" in value and marks:
            return 95 if marks > 1 or "parent_span_id" in value else 70
        return 90 if marks > 2 and "start_time" in value and {"input", "output"} & value.keys() else 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """A record for each span of type `llm`; feedback of a trace stands apart from its calls."""
        for outer in documents:
            for document in unwrapped(outer, *_WRAPPERS):
                yield from _read(document)


def _read(document: Document) -> Iterator[Entry | SetAside]:
    value = document.value
    kind = text(value.get("type"))
    if kind == "llm" or (kind is None and text(value.get("model"))):
        yield Entry(document.line, document.raw, _call(value))
        return
    found = _feedback(value, text(first(value, ("trace_id", "id"))))
    yield from (Entry(document.line, document.raw, one) for one in found)
    if not found:
        yield SetAside(document.line, not_a_call(kind or "trace"))


def _call(value: Mapping[str, Any]) -> LoggedCall:
    start, end = value.get("start_time"), value.get("end_time")
    latency_ms = number(value.get("duration"))
    call = LoggedCall(
        "opik",
        source_id=text(value.get("id")),
        trace_id=text(value.get("trace_id")),
        parent_id=text(value.get("parent_span_id")),
        session_id=text(value.get("thread_id")),
        started_at=epoch_s(start),
        latency_ms=latency_ms if latency_ms is not None else elapsed_ms(start, end),
        ttft_ms=number(value.get("ttft")),
        provider=provider_from(value.get("provider")),
        environment=text(value.get("environment")),
        tags=texts(value.get("tags")),
    )
    metadata = mapping(value.get("metadata"))
    read_asked(value.get("input"), call)
    read_settings({name: item for name, item in metadata.items() if name in _PARAMS}, call)
    read_said(decoded(value.get("output")), call)
    same_or_served(call, value.get("model"))
    call.provider = call.provider or provider_of(call.model)
    _read_amounts(value, call)
    _read_prompt(metadata, call)
    read_metadata({name: item for name, item in metadata.items() if name not in _PARAMS}, call)
    call.feedback = tuple(_feedback(value, None))
    error = mapping(value.get("error_info"))
    said = {"type": error.get("exception_type"), "message": error.get("message") or error.get("exception_type")}
    ends_as(call, None, said if error else None, bool(error))
    return call


def _read_amounts(value: Mapping[str, Any], call: LoggedCall) -> None:
    usage = mapping(value.get("usage"))
    details = "original_usage."
    places = {
        "input_tokens": ("prompt_tokens", "input_tokens"),
        "output_tokens": ("completion_tokens", "output_tokens"),
        "cached_tokens": (f"{details}prompt_tokens_details.cached_tokens", f"{details}cache_read_input_tokens"),
        "reasoning_tokens": (f"{details}completion_tokens_details.reasoning_tokens",),
    }
    for name, names in places.items():
        if (found := count(first(usage, names))) is not None:
            setattr(call, name, found)
    cost = number(value.get("total_estimated_cost"))
    call.cost_usd = cost if cost is not None else call.cost_usd


def _read_prompt(metadata: Mapping[str, Any], call: LoggedCall) -> None:
    prompts = decoded(metadata.get("opik_prompts"))
    if isinstance(prompts, list) and len(prompts) == 1:
        prompt = mapping(prompts[0])
        call.prompt_name = text(prompt.get("name"))
        call.prompt_version = text(mapping(prompt.get("version")).get("commit")) or text(prompt.get("commit"))


def _feedback(value: Mapping[str, Any], target: str | None) -> list[LoggedFeedback]:
    scores = decoded(value.get("feedback_scores"))
    found: list[LoggedFeedback] = []
    for one in map(mapping, scores if isinstance(scores, list) else ()):
        said = judged(one.get("name"), one.get("value"), one.get("reason"), one.get("source"), target)
        if said is not None:
            found.append(said)
    comments = decoded(value.get("comments"))
    for one in map(mapping, comments if isinstance(comments, list) else ()):
        if one.get("text"):
            found.append(LoggedFeedback("comment", text=json_text(one["text"]), source="human", target=target))
    return found
