"""LiteLLM's StandardLoggingPayload: what its callbacks and its S3, GCS and other loggers write of a call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.answers import read_any_request, read_any_response
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.failures import read_failure
from llmctl.traffic.readers.loose import between_ms
from llmctl.traffic.readers.notes import read_metadata, read_note
from llmctl.traffic.readers.openai_shapes import read_usage
from llmctl.traffic.readers.responses_shapes import read_responses_request
from llmctl.traffic.readers.values import count, decoded, epoch_s, json_text, mapping, number, text, texts

__all__ = ["LiteLLMLog", "not_a_call", "read_body", "read_litellm_metadata", "redact", "set_tokens"]

REDACTED = "redacted-by-litellm"
REDACTED_REASON = "its messages were redacted by LiteLLM"
_NO_CALLS = re.compile(
    r"embedding|image|transcription|speech|rerank|moderation|vector_store|file|batch|fine_tun|mcp|ocr|video|container|"
    r"^a?(?:list|get|delete|retrieve|cancel|search|create)_|realtime",
)
_SURE = {"model_map_information", "model_parameters", "hidden_params", "litellm_call_id", "response_cost", "call_type"}
_WRAPPERS = ("standard_logging_object", "standard_logging_payload")
_SILENT = frozenset({"usage_object", "spend_logs_metadata", "requester_metadata", "prompt_management_metadata"})
_KEPT = ("litellm_call_id", "call_type", "model_group", "model_id", "cache_hit")


class LiteLLMLog:
    """The payload, one a line, in a list, or one a file."""

    name = "litellm"
    title = "LiteLLM (StandardLoggingPayload of its callbacks and loggers)"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By the names that only LiteLLM gives."""
        found = _SURE & _payload(value).keys()
        if {"model_map_information", "litellm_call_id"} <= found:
            return 99
        return 97 if len(found) >= 4 else 92 if {"model_parameters", "response_cost"} <= found else 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """One record for each payload."""
        for document in documents:
            value = _payload(document.value)
            if not _SURE & value.keys() and "startTime" not in value:
                yield SetAside(document.line, "no LiteLLM log")
            elif (kind := not_a_call(value)) is not None:
                yield SetAside(document.line, kind)
            else:
                yield Entry(document.line, document.raw, _call(value))


def _payload(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The payload, also within what a callback was called with, or in Datadog's message."""
    for name in _WRAPPERS:
        if isinstance(value.get(name), Mapping):
            inner: Mapping[str, Any] = value[name]
            return inner
    if value.get("ddsource") == "litellm":
        return mapping(value.get("message"))
    return value


def not_a_call(value: Mapping[str, Any]) -> str | None:
    """Why a row is none of a model's answers: embeddings, images, files ...; None: it is one."""
    kind = text(value.get("call_type")) or ""
    return f"not a model call ({kind})" if _NO_CALLS.search(kind) else None


def _call(value: Mapping[str, Any]) -> LoggedCall:
    call = LoggedCall(LiteLLMLog.name)
    call.provider = text(value.get("custom_llm_provider"))
    parameters = mapping(value.get("model_parameters"))
    read_body({**parameters, "model": value.get("model")}, value.get("messages"), value, call)
    call.provider = text(value.get("custom_llm_provider")) or call.provider
    _read_times(value, call)
    _read_answer(value, call)
    call.source_id = text(value.get("id")) or text(value.get("litellm_call_id")) or call.source_id
    call.trace_id = text(value.get("trace_id"))
    call.session_id = text(value.get("session_id"))
    call.endpoint = text(value.get("api_base"))
    call.cost_usd = _cost(value)
    call.tags = texts(value.get("request_tags"))
    metadata = mapping(value.get("metadata"))
    call.user = text(value.get("end_user")) or text(metadata.get("user_api_key_end_user_id")) or call.user
    read_litellm_metadata(metadata, call)
    call.metadata = {**call.metadata, **{name: value[name] for name in _KEPT if value.get(name) not in (None, "")}}
    redact(call)
    return call


def read_body(parameters: Mapping[str, Any], messages: object, value: Mapping[str, Any], call: LoggedCall) -> None:
    """Take parameters and messages into the record; LiteLLM keeps the input of the Responses API as messages too."""
    messages = decoded(messages)
    if isinstance(messages, Mapping) and not messages:
        messages = None
    kind = text(value.get("call_type")) or ""
    if "responses" in kind:
        read_responses_request({"input": messages, **parameters}, call)
    else:
        read_any_request({**parameters, "messages": messages}, call)


def _read_times(value: Mapping[str, Any], call: LoggedCall) -> None:
    call.started_at = epoch_s(value.get("startTime"))
    ended, begun = epoch_s(value.get("endTime")), epoch_s(value.get("completionStartTime"))
    call.latency_ms = between_ms(call.started_at, ended)
    seconds = number(value.get("response_time"))
    # `response_time` of a stream is the time to its first token.
    if call.latency_ms is None and seconds is not None and value.get("stream") is not True:
        call.latency_ms = round(seconds * 1000, 3)
    if begun is not None and ended is not None and begun < ended:
        call.ttft_ms = between_ms(call.started_at, begun)


def _read_answer(value: Mapping[str, Any], call: LoggedCall) -> None:
    response = decoded(value.get("response"))
    failed = value.get("status") == "failure" or (not response and bool(value.get("error_str")))
    started = call.started_at
    if failed:
        information = {**mapping(value.get("error_information"))}
        information["error_message"] = value.get("error_str") or information.get("error_message")
        read_failure({name: item for name, item in information.items() if item and name != "traceback"}, call)
    elif response:
        read_any_response(value["response"], call)
    call.started_at = started
    set_tokens(value, call, failed=failed)


def set_tokens(value: Mapping[str, Any], call: LoggedCall, *, failed: bool) -> None:
    """The row's own counts, where the response has none; LiteLLM writes 0 for what it does not know of a failure."""
    if call.input_tokens is None and call.output_tokens is None:
        used = mapping(mapping(value.get("metadata")).get("usage_object"))
        if used:
            read_usage(used, call)
    asked, made = count(value.get("prompt_tokens")), count(value.get("completion_tokens"))
    if not (asked or made) and (failed or not count(value.get("total_tokens"))):
        return
    call.input_tokens = asked if call.input_tokens is None else call.input_tokens
    call.output_tokens = made if call.output_tokens is None else call.output_tokens


def _cost(value: Mapping[str, Any]) -> float | None:
    """0 is a price only where LiteLLM could know one."""
    cost = number(value.get("response_cost"))
    unknown = value.get("status") == "failure" or bool(value.get("response_cost_failure_debug_info"))
    return None if cost == 0 and unknown else cost


def read_litellm_metadata(metadata: Mapping[str, Any], call: LoggedCall) -> None:
    """Take what the application said of the call, and what the proxy knows, into the record."""
    for name in ("spend_logs_metadata", "requester_metadata"):
        read_metadata(mapping(metadata.get(name)), call)
    managed = mapping(metadata.get("prompt_management_metadata"))
    for note, name in (("prompt", "prompt_id"), ("variables", "prompt_variables")):
        if managed.get(name):
            read_note(note, managed[name], call)
    rest = {name: item for name, item in metadata.items() if item not in (None, "", [], {}) and name not in _SILENT}
    read_metadata(rest, call)


def redact(call: LoggedCall) -> None:
    """What LiteLLM put in the place of texts is none of them."""
    if call.output == REDACTED:
        call.output = None
    if REDACTED in json_text(call.messages or ()):
        call.messages = None
        call.not_replayable = REDACTED_REASON
