"""A logged line that holds a request and a response: found under the names that people give them, and taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.answers import (
    Api,
    api_of_request,
    api_of_response,
    is_said,
    read_any_request,
    read_any_response,
    whole_response,
)
from llmctl.traffic.readers.endings import read_ending
from llmctl.traffic.readers.failures import error_text, read_failure, status_of
from llmctl.traffic.readers.measures import read_measure
from llmctl.traffic.readers.notes import read_metadata, read_note
from llmctl.traffic.readers.openai_shapes import read_chat_request, read_chat_response, read_usage
from llmctl.traffic.readers.values import count, decoded, mapping, text

__all__ = ["Envelope", "opened", "read_envelope"]

REQUESTS = (
    *(
        "request",
        "request_body",
        "requestBody",
        "request_payload",
        "request_json",
        "req",
        "request_data",
        "body",
        "payload",
    ),
    *("kwargs", "input", "inputs", "params", "prompt", "query", "arguments", "call"),
)
RESPONSES = (
    *("response", "response_body", "responseBody", "response_payload", "response_json", "res", "resp", "response_data"),
    *(
        "completion",
        "output",
        "outputs",
        "result",
        "reply",
        "answer",
        "chunks",
        "stream",
        "stream_chunks",
        "response_chunks",
    ),
    "return_value",
)
VAGUE = frozenset(
    {
        *("input", "inputs", "params", "output", "outputs", "result", "reply", "answer", "body", "payload"),
        *("prompt", "query", "arguments", "call", "completion", "return_value"),
    }
)
"""Names that other formats use too."""
_ASKED = re.compile(r"req(?:uest)?(?:[_-]?(?:body|json|data|payload))?$", re.IGNORECASE)
_ANSWERED = re.compile(r"(?:resp(?:onse)?|completion)(?:[_-]?(?:body|json|data|payload))?$", re.IGNORECASE)
_REDACTED = re.compile(
    r"\W*(?:redacted|removed|scrubbed|masked|content[ _]hidden|redacted[ _-]by[ _-]\w+|\*{3,})\W*", re.IGNORECASE
)
_LONGEST_MARK = 40
REDACTED = "its messages were redacted when they were logged"
_DEPLOYMENT = re.compile(r"/openai/deployments/([^/?]+)/")
_TIMINGS = frozenset({"timing", "timings", "performance"})
_BODIES = ("body", "json", "data", "content", "payload", "postData", "text")
_ERRORS = ("error", "exception", "error_message", "err", "error_body", "failure")
_STATUSES = ("status_code", "statusCode", "http_status", "status", "response_status", "http_code")
_IDENTITIES = ("id", "request_id", "requestId", "call_id", "log_id", "uuid")
_METADATA = frozenset({"metadata", "meta", "properties", "extra", "custom", "context"})
_MODELS = frozenset({"model", "model_name", "engine", "deployment"})
_REQUEST_KEYS = frozenset(
    {
        *(
            "model",
            "messages",
            "prompt",
            "input",
            "instructions",
            "previous_response_id",
            "conversation",
            "system",
            "tools",
        ),
        *(
            "tool_choice",
            "functions",
            "function_call",
            "response_format",
            "text",
            "reasoning",
            "temperature",
            "top_p",
            "top_k",
        ),
        *("max_tokens", "max_completion_tokens", "max_output_tokens", "n", "stop", "stop_sequences", "seed", "stream"),
        *("stream_options", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "user"),
        *(
            "parallel_tool_calls",
            "reasoning_effort",
            "verbosity",
            "thinking",
            "metadata",
            "store",
            "service_tier",
            "output_config",
        ),
        *(
            "anthropic_version",
            "container",
            "mcp_servers",
            "modalities",
            "audio",
            "prediction",
            "web_search_options",
            "extra_body",
        ),
    }
)
_MADE = frozenset({"choices", "object", "created", "usage", "system_fingerprint"})


@dataclass(slots=True)
class Envelope:
    """What a line holds."""

    request: Mapping[str, Any] | None
    response: object
    """None: none was logged, or null."""
    used: frozenset[str]
    """The names of the line that are request and response; what is left are notes."""
    vague: bool = False
    """Whether only names that other formats use too lead to them."""
    status: int | None = None
    endpoint: str | None = None
    answered: Api | None = None
    """What the response is by its shape; None: nothing that is known."""
    api: Api | None = None
    """Of the response, where it says so, else of the request."""


def opened(value: Mapping[str, Any]) -> Envelope | None:
    """The request and the response in a line; None: there is no request in it."""
    request = value.get("request")
    if type(request) is dict and "messages" in request and "response" in value:  # nearly all are like this
        envelope = Envelope(request, value["response"], _PLAIN)
    else:
        found = _found(value)
        if found is None:
            return None
        envelope = found
    response = envelope.response
    if type(response) is not dict or "choices" not in response:
        _unwrap(envelope)
    envelope.answered = api_of_response(envelope.response)
    envelope.api = envelope.answered or (api_of_request(envelope.request) if envelope.request is not None else None)
    return envelope


_PLAIN = frozenset({"request", "response"})


def _found(value: Mapping[str, Any]) -> Envelope | None:
    for name in REQUESTS:
        given = value.get(name)
        if given is None or isinstance(given, int | float):
            continue
        body, endpoint = _request_body(given)
        if body is not None:
            answer = _answer_name(value, name)
            used = frozenset({name, answer}) if answer else frozenset({name})
            vague = name in VAGUE and (answer is None or answer in VAGUE)
            return Envelope(body, value.get(answer) if answer else None, used, vague, endpoint=endpoint)
    return _flat(value) or _named_otherwise(value)


def _named_otherwise(value: Mapping[str, Any]) -> Envelope | None:
    """Under names that only end as they do elsewhere: `llm_request` and `llm_response`, `Request` and `Response`."""
    asked = next((name for name in value if _ASKED.search(name) and _request_body(value[name])[0] is not None), None)
    if asked is None:
        return None
    answered = next((name for name in value if _ANSWERED.search(name) and value[name] is not None), None)
    body, endpoint = _request_body(value[asked])
    used = frozenset({asked, answered}) if answered else frozenset({asked})
    return Envelope(body, value.get(answered) if answered else None, used, endpoint=endpoint)


def _flat(value: Mapping[str, Any]) -> Envelope | None:
    """A request whose keys stand in the line itself, beside its response."""
    if api_of_request(value) is None:
        return None
    answer = _answer_name(value, "")
    if answer is None and "choices" in value:
        used = frozenset((_REQUEST_KEYS | _MADE) & value.keys())
        return Envelope({name: value[name] for name in _REQUEST_KEYS & value.keys()}, value, used)
    request = {name: item for name, item in value.items() if name in _REQUEST_KEYS and name != answer}
    used = frozenset(request) | ({answer} if answer else frozenset())
    return Envelope(request, value.get(answer) if answer else None, used)


def _answer_name(value: Mapping[str, Any], request: str) -> str | None:
    """Under which name the response stands; one that is null only where there is no other."""
    names = [name for name in RESPONSES if name != request and name in value]
    if "stream" in names and isinstance(value["stream"], bool | None):
        names.remove("stream")
    return next((name for name in names if value[name] is not None), names[0] if names else None)


def _request_body(given: object) -> tuple[Mapping[str, Any] | None, str | None]:
    """The request's body, also within an HTTP request, and the address it went to."""
    body = decoded(given)
    if not isinstance(body, dict):
        return None, None
    if api_of_request(body) is not None:
        return body, None
    endpoint = text(body.get("url")) or text(body.get("path"))
    for name in _BODIES:
        inner = decoded(body.get(name))
        if isinstance(inner, dict) and name == "postData":
            inner = decoded(inner.get("text"))  # as browsers save it
        if isinstance(inner, dict) and api_of_request(inner) is not None:
            return inner, endpoint
    if isinstance(body.get("prompt"), str) and "model" in body:  # legacy completions
        return {**body, "messages": [{"role": "user", "content": body["prompt"]}]}, None
    return None, None


def _unwrap(envelope: Envelope) -> None:
    """A response within an HTTP response, a stream's chunks, JSON in a text."""
    response = whole_response(envelope.response)
    if isinstance(response, dict) and api_of_response(response) is None:
        for name in _BODIES:
            inner = whole_response(response.get(name))
            if name == "content" and isinstance(inner, dict) and "text" in inner:
                inner = whole_response(inner["text"])
            if isinstance(inner, dict) and (api_of_response(inner) or inner.get("error")):
                envelope.status = status_of(response)
                response = inner
                break
    if isinstance(envelope.response, str) and is_said(envelope.response, response):
        return
    envelope.response = response


# --- into a record ----------------------------------------------------------------------------------------------------


def read_envelope(value: Mapping[str, Any], envelope: Envelope, call: LoggedCall) -> None:
    """Take a line with a request and a response into the record: what stands beside them first, then both."""
    call.status, call.endpoint = envelope.status, envelope.endpoint
    error = _read_notes(value, envelope.used, call)
    request, response = envelope.request, envelope.response
    if request is not None and envelope.answered is Api.CHAT and "messages" in request and "system" not in request:
        read_chat_request(request, call)
    elif request is not None:
        read_any_request(request, call)
    if call.endpoint is not None and (deployment := _DEPLOYMENT.search(call.endpoint)):
        call.provider, call.model = "azure", call.model or deployment[1]
    if envelope.answered is Api.CHAT:
        read_chat_response(response, call)
    elif error and (envelope.answered is None or not response):
        read_failure(error, call)
    elif call.status is not None and call.status >= 400 and envelope.answered in (None, Api.ANTHROPIC):
        read_failure(response, call)
    elif response is not None and response != {}:
        read_any_response(response, call)
    elif request is not None:
        _split_answer(call, request)
    _read_redaction(call)


def _read_redaction(call: LoggedCall) -> None:
    """Notes messages in whose place stands only that they were taken out."""
    last = call.messages[-1].get("content") if call.messages else None
    if isinstance(last, str) and len(last) < _LONGEST_MARK and _REDACTED.fullmatch(last):
        call.not_replayable = call.not_replayable or REDACTED


def _split_answer(call: LoggedCall, request: Mapping[str, Any]) -> None:
    """Where a conversation was logged with its answer as the last message, the answer is not part of what was asked."""
    messages = call.messages or ()
    if len(messages) < 2 or messages[-1].get("role") != "assistant" or "max_tokens" in request:
        return
    last = messages[-1]
    call.messages = messages[:-1]
    content = last.get("content")
    calls = last.get("tool_calls") or ()
    read_ending(
        call, content if isinstance(content, str) else None, tuple(calls) if isinstance(calls, list | tuple) else ()
    )


def _read_notes(value: Mapping[str, Any], used: frozenset[str], call: LoggedCall) -> object:
    """Everything beside request and response; the error, where there is one."""
    error: object = None
    ended: list[float] = []
    left: dict[str, Any] = {}
    for name, item in value.items():
        if name in used or item is None or item == "":
            continue
        if name in _ERRORS:
            error = error or _error(item, call)
        elif name in _TIMINGS and isinstance(item, dict):
            _read_timings(item, call, ended)
            left[name] = item
        elif not (read_measure(name, item, call, ended) or _read_named(name, item, call)):
            left[name] = item
    if left:
        _read_identity(left, call)
        call.metadata = {**call.metadata, **left}
    if ended and call.latency_ms is None and call.started_at is not None and ended[0] >= call.started_at:
        call.latency_ms = (ended[0] - call.started_at) * 1000
    return error


def _read_timings(timings: Mapping[str, Any], call: LoggedCall, ended: list[float]) -> None:
    for name, item in timings.items():
        if item is not None:
            read_measure(name, item, call, ended)


def _error(item: Any, call: LoggedCall) -> object:
    error = decoded(item)
    if isinstance(error, dict) and call.source_id is None:
        call.source_id = text(error.get("request_id"))
    return item if item is True or error_text(error) else None


def _read_named(name: str, item: Any, call: LoggedCall) -> bool:
    if name in _STATUSES:
        status = count(item)
        if status is None or not 100 <= status < 600:
            return False
        call.status = status
    elif name == "usage":
        read_usage(item, call)
    elif name in _MODELS:
        call.served_model = text(item)
    elif name in _METADATA and isinstance(decoded(item), dict):
        read_metadata(mapping(item), call)
    else:
        return read_note(name, item, call)
    return True


def _read_identity(left: Mapping[str, Any], call: LoggedCall) -> None:
    for name in _IDENTITIES:
        if name in left and (found := text(left[name])):
            call.source_id = found
            return
