"""A request or a response of any API that is known here, told apart by its shape."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.anthropic_shapes import (
    is_anthropic_request,
    is_anthropic_response,
    read_anthropic_request,
    read_anthropic_response,
)
from llmctl.traffic.readers.chunks import joined_chunks, joined_events, sse_events
from llmctl.traffic.readers.content import text_in
from llmctl.traffic.readers.endings import finish_reason_from, read_ending
from llmctl.traffic.readers.failures import read_failure
from llmctl.traffic.readers.messages import tool_calls_from
from llmctl.traffic.readers.openai_shapes import (
    is_chat_request,
    is_chat_response,
    read_chat_request,
    read_chat_response,
)
from llmctl.traffic.readers.responses_shapes import (
    is_responses_request,
    is_responses_response,
    read_responses_request,
    read_responses_response,
)
from llmctl.traffic.readers.values import decoded, json_text, text

__all__ = [
    "Api",
    "api_of_request",
    "api_of_response",
    "is_said",
    "read_any_request",
    "read_any_response",
    "whole_response",
]

_INNER = ("message", "output", "text", "completion", "answer", "response", "result", "generated_text")
_ANSWERERS = frozenset({"assistant", "ai", "model"})
_ITEMS = frozenset({"message", "function_call", "custom_tool_call", "reasoning", "web_search_call", "file_search_call"})
_DEEPEST = 4


class Api(Enum):
    """A kind of request or response."""

    CHAT = "chat"
    RESPONSES = "responses"
    ANTHROPIC = "anthropic"
    EMBEDDINGS = "embeddings"


def api_of_request(body: object) -> Api | None:
    """Which API the request is for; None: no request that is known."""
    if is_anthropic_request(body):
        return Api.ANTHROPIC
    if is_chat_request(body):
        return Api.CHAT
    return Api.RESPONSES if is_responses_request(body) else None


def api_of_response(body: object) -> Api | None:
    """Which API the response is from; None: none that says so."""
    if not isinstance(body, dict):
        return None
    if is_chat_response(body):
        return Api.CHAT
    if is_responses_response(body):
        return Api.RESPONSES
    if is_anthropic_response(body):
        return Api.ANTHROPIC
    data = body.get("data")
    if isinstance(data, list) and data and isinstance(data[0], dict) and "embedding" in data[0]:
        return Api.EMBEDDINGS
    return None


def whole_response(value: object) -> object:
    """A stream's chunks or events (a list, or its text) as the response they amount to; anything else as it is."""
    if isinstance(value, str):
        if value.lstrip()[:6] in ("data: ", "data:{", "event:"):
            return whole_response(sse_events(value))
        value = decoded(value)
    if not isinstance(value, list) or not value:
        return value
    if all(isinstance(one, str) for one in value) and any(one.startswith("data:") for one in value):
        return whole_response("\n".join(value))  # a stream's text, line by line
    if joined := joined_events(value):
        return joined
    if any(is_chat_response(decoded(one)) for one in value):
        return joined_chunks(value)
    if all(_is_item(one) for one in value):  # what a Response holds, without the rest of it
        return {"object": "response", "output": value}
    return value


def _is_item(one: object) -> bool:
    if not isinstance(one, dict) or one.get("type") not in _ITEMS:
        return False
    return one["type"] != "message" or isinstance(one.get("content"), list)


def read_any_request(body: Mapping[str, Any], call: LoggedCall) -> None:
    """Take a request of whichever API into the record."""
    match api_of_request(body):
        case Api.ANTHROPIC:
            read_anthropic_request(body, call)
        case Api.RESPONSES:
            read_responses_request(body, call)
        case _:
            read_chat_request(body, call)


def read_any_response(value: object, call: LoggedCall, depth: int = 0) -> None:
    """Take a response of whichever API into the record, also a stream's chunks, a single message, or only its text."""
    body = whole_response(value)
    match api_of_response(body):
        case Api.CHAT:
            read_chat_response(body, call)
        case Api.RESPONSES:
            read_responses_response(body, call)
        case Api.ANTHROPIC:
            read_anthropic_response(body, call)
        case _ if isinstance(value, str) and is_said(value, body):
            read_ending(call, value)  # the model was asked for JSON, and this is what it said
        case _:
            _read_loose(body, call, depth)


def is_said(shown: str, body: object) -> bool:
    """Whether JSON in a text (`body`) is the answer itself, rather than a response, a message or an error in one."""
    if isinstance(body, str) or api_of_response(body) is not None or shown.lstrip().startswith(("data:", "event:")):
        return False
    last = body[-1] if isinstance(body, list) and body else body
    if not isinstance(last, dict):
        return True
    error = last.get("error")
    if isinstance(error, dict) and not {"message", "code", "type"}.isdisjoint(error):
        return False
    return text(last.get("role")) not in _ANSWERERS or {"content", "tool_calls", "parts"}.isdisjoint(last)


def _read_loose(body: object, call: LoggedCall, depth: int) -> None:
    if isinstance(body, str):
        read_ending(call, body)
    elif isinstance(body, list) and len(body) == 1 and depth < _DEEPEST:
        read_any_response(body[0], call, depth + 1)
    elif isinstance(body, list) and body and isinstance(body[-1], dict) and "role" in body[-1]:
        read_message(body[-1], call)
    elif not isinstance(body, dict):
        call.outcome, call.error = Outcome.MALFORMED, "What was logged as the answer is none."
    elif body.get("error"):
        read_failure(body, call)
    elif "content" in body or "tool_calls" in body:
        read_message(body, call)
    else:
        inner = next((body[name] for name in _INNER if body.get(name) is not None), None)
        if inner is None and body:
            read_ending(call, json_text(body))
        elif inner is None or depth >= _DEEPEST:
            call.outcome, call.error = Outcome.MALFORMED, "What was logged as the answer is none."
        else:
            read_any_response(inner, call, depth + 1)


def read_message(message: Mapping[str, Any], call: LoggedCall) -> None:
    """Take a single message of the assistant as the answer."""
    calls = tool_calls_from(message.get("tool_calls") or message.get("function_call"))
    if not calls and isinstance(message.get("content"), list):
        blocks = [one for one in message["content"] if isinstance(one, dict) and one.get("type") == "tool_use"]
        calls = tool_calls_from(blocks)
    finish = finish_reason_from(message.get("finish_reason") or message.get("stop_reason"))
    read_ending(call, text_in(message.get("content")), calls, finish, text(message.get("refusal")))
