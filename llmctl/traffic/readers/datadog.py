"""Datadog's LLM Observability: spans of its export API, of its intake, and one a line; those of kind llm are calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.loose import inner_documents, read_answer, read_asked
from llmctl.traffic.readers.messages import tools_from
from llmctl.traffic.readers.notes import read_metadata, read_note
from llmctl.traffic.readers.openai_shapes import provider_of
from llmctl.traffic.readers.tracing import ends_as, judged, not_a_call, provider_from, read_settings
from llmctl.traffic.readers.values import count, epoch_s, first, mapping, number, objects, text, texts

__all__ = ["Datadog"]

_MARKS = frozenset({"start_ns", "ml_app", "span_kind", "duration", "meta", "metrics", "model_name"})
_PARAMS = frozenset(
    {
        *("temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "max_output_tokens", "seed", "stop"),
        *("n", "frequency_penalty", "presence_penalty", "reasoning_effort", "tool_choice", "tools", "response_format"),
    }
)
_NO_PARENT = "undefined"
_NANO = 1e9
_NOT_LOGGED = "no messages were logged"


class Datadog:
    """Spans; evaluations of a call are its feedback."""

    name = "datadog"
    title = "Datadog LLM Observability spans"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By what only its spans have together, alone or within an answer of its API."""
        span = next(iter(_spans(Document(value, "", 0))), None)
        if span is None or not {"span_id", "trace_id"} <= span.value.keys():
            return 0
        own = "start_ns" in span.value and len(_MARKS & span.value.keys()) >= 3
        return 97 if own and _kind(span.value) is not None else 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """A record for each span of kind llm; the other kinds are set aside by their kind."""
        for document in documents:
            empty = True
            for span in _spans(document):
                empty = False
                kind = _kind(span.value)
                if kind == "llm":
                    yield Entry(span.line, span.raw, _call(span.value))
                else:
                    yield SetAside(span.line, not_a_call(kind))
            if empty:
                yield SetAside(document.line, "no spans of Datadog's")


def _spans(document: Document) -> Iterator[Document]:
    """The spans of a page (`data`: items with attributes), of what is sent (`spans`), or the one that this is."""
    value = document.value
    data = value.get("data")
    if isinstance(data, list):
        found = [mapping(one.get("attributes")) for one in objects(data) if one.get("type") == "span"]
        yield from inner_documents(document, found)
    elif isinstance(data, Mapping) and isinstance(data.get("attributes"), Mapping):
        about = {**data["attributes"]}
        for one in objects(about.pop("spans", None)):
            yield from inner_documents(document, [{**about, **one, "tags": [*_list(about), *_list(one)]}])
    elif isinstance(held := value.get("spans"), list):
        yield from inner_documents(document, held)
    elif value.get("type") == "span" and isinstance(value.get("attributes"), Mapping):
        yield from inner_documents(document, [value["attributes"]])
    else:
        yield document


def _list(value: Mapping[str, Any]) -> list[Any]:
    tags = value.get("tags")
    return tags if isinstance(tags, list) else []


def _kind(value: Mapping[str, Any]) -> str | None:
    meta = mapping(value.get("meta"))
    span = mapping(meta.get("span"))
    return text(value.get("span_kind")) or text(first(meta, ("kind", "span.kind"))) or text(span.get("kind"))


def _call(value: Mapping[str, Any]) -> LoggedCall:
    meta = {**mapping(value.get("meta")), **value}
    parent = text(value.get("parent_id"))
    duration = number(value.get("duration"))
    call = LoggedCall(
        Datadog.name,
        source_id=text(value.get("span_id")),
        trace_id=text(value.get("trace_id")),
        parent_id=parent if parent != _NO_PARENT else None,
        session_id=text(value.get("session_id")),
        started_at=epoch_s(value.get("start_ns")),
        latency_ms=duration / 1e6 if duration is not None and duration >= 0 else None,
        provider=provider_from(meta.get("model_provider")),
        model=text(meta.get("model_name")),
    )
    _read_content(meta, call)
    settings = {**mapping(mapping(meta.get("input")).get("parameters")), **mapping(meta.get("metadata"))}
    read_settings({name: item for name, item in settings.items() if name in _PARAMS}, call)
    read_metadata({name: item for name, item in settings.items() if name not in _PARAMS and name != "_dd"}, call)
    _read_prompt(mapping(mapping(meta.get("input")).get("prompt")), call)
    _read_metrics(mapping(value.get("metrics")), call)
    _read_tags(texts(value.get("tags")), call)
    call.provider = call.provider or provider_of(call.model)
    error = mapping(meta.get("error")) or {
        name: meta[f"error.{name}"] for name in ("message", "type") if meta.get(f"error.{name}")
    }
    failed = text(value.get("status")) == "error"
    if failed:
        ends_as(call, call.finish_reason, {"type": error.get("type"), "message": error.get("message")}, failed=True)
    call.feedback = tuple(_feedback(mapping(value.get("evaluation"))))
    return call


def _read_content(meta: Mapping[str, Any], call: LoggedCall) -> None:
    """Messages stand beside the same as a text; of a message the tool calls have ids and names of their own."""
    given, said = mapping(meta.get("input")), mapping(meta.get("output"))
    asked = [_message(one) for one in objects(given.get("messages"))]
    if not read_asked(asked or given.get("value"), call):
        call.not_replayable = _NOT_LOGGED
    answers = [_message(one) for one in objects(said.get("messages"))]
    answer: object = answers[0] if answers else said.get("value")
    if answer not in (None, "", {"role": "", "content": ""}):
        read_answer(answer, call)
    defined = objects(meta.get("tool_definitions"))
    call.tools = tools_from([{**one, "parameters": one.get("schema")} for one in defined]) or call.tools


def _message(one: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: item for name, item in one.items() if name not in ("tool_calls", "tool_results", "tool_id")}
    calls = [
        {"id": call.get("tool_id"), "name": call.get("name"), "arguments": call.get("arguments")}
        for call in objects(one.get("tool_calls"))
    ]
    if calls:
        found = {**found, "role": "assistant", "content": found.get("content") or None, "tool_calls": calls}
    results = objects(one.get("tool_results"))
    if results:
        found = {"role": "tool", "tool_call_id": results[0].get("tool_id"), "content": results[0].get("result")}
    elif text(one.get("tool_id")):
        found["tool_call_id"] = one["tool_id"]
    return found


def _read_prompt(prompt: Mapping[str, Any], call: LoggedCall) -> None:
    """A managed prompt: its id, version and variables."""
    if prompt:
        read_note("prompt", {**prompt, "name": first(prompt, ("id", "name"))}, call)


def _read_metrics(metrics: Mapping[str, Any], call: LoggedCall) -> None:
    call.input_tokens, call.output_tokens = count(metrics.get("input_tokens")), count(metrics.get("output_tokens"))
    call.cached_tokens = count(metrics.get("cache_read_input_tokens"))
    call.reasoning_tokens = count(metrics.get("reasoning_output_tokens"))
    first_s = number(metrics.get("time_to_first_token"))
    call.ttft_ms = first_s * 1e3 if first_s is not None else None
    cost = number(metrics.get("estimated_total_cost"))
    call.cost_usd = cost / _NANO if cost is not None else None  # billionths of a dollar


def _read_tags(tags: tuple[str, ...], call: LoggedCall) -> None:
    """`env:prod`: Datadog's own say where it ran, all of them are kept."""
    call.tags = tuple(tag for tag in tags if not tag.endswith(":"))
    named = dict(tag.split(":", 1) for tag in call.tags if ":" in tag)
    call.environment = call.environment or named.get("env")
    call.user = call.user or named.get("user_id") or named.get("user_handle")
    call.session_id = call.session_id or named.get("session_id")


def _feedback(evaluations: Mapping[str, Any]) -> Iterator[LoggedFeedback]:
    for name, one in evaluations.items():
        found = mapping(one)
        said = judged(name, found.get("value"), first(found, ("reasoning", "explanation")), "llm")
        if said is not None:
            yield said
