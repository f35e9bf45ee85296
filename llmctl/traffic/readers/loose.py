"""Inputs and outputs as tracing tools keep them: a request or only its messages, a response, a message or its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.answers import (
    api_of_request,
    api_of_response,
    read_any_request,
    read_any_response,
    read_message,
    whole_response,
)
from llmctl.traffic.readers.base import Document
from llmctl.traffic.readers.endings import read_ending
from llmctl.traffic.readers.langchain import is_langchain_answer, is_langchain_message, plain, read_langchain_answer
from llmctl.traffic.readers.messages import messages_from, tool_calls_from
from llmctl.traffic.readers.values import json_text

__all__ = ["between_ms", "inner_documents", "read_answer", "read_asked", "unquoted"]

_SAYS = frozenset({"content", "tool_calls", "function_call", "refusal"})
_BESIDE = frozenset(
    [
        "role",
        "type",
        "id",
        "name",
        "annotations",
        "audio",
        "reasoning",
        "reasoning_content",
        "thinking",
        "finish_reason",
        "stop_reason",
        "index",
        "additional_kwargs",
        "response_metadata",
        "usage_metadata",
        "invalid_tool_calls",
        "tool_call_chunks",
        "example",
        "tool_call_id",
    ]
)
_FIRST_LIST = ("messages", "input", "contents", "prompts", "prompt")


def between_ms(start: float | None, end: float | None) -> float | None:
    """From one time to another, to the microsecond; None: one is unknown, or they are the wrong way round."""
    if start is None or end is None or end < start:
        return None
    return round((end - start) * 1000, 3)


def inner_documents(document: Document, found: Sequence[object]) -> Iterator[Document]:
    """The objects of a list that one document holds, each as a document at the same line."""
    for one in found:
        if isinstance(one, Mapping):
            yield Document(one, json_text(one), document.line)


def unquoted(value: object) -> object:
    """The value of a text that is JSON of any kind, a quoted text too; everything else as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "[", '"'):
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return value


def read_asked(value: object, call: LoggedCall) -> bool:
    """Take what was asked into the record: a request of any API, or its messages; whether there were any.

    An object without messages (`{"email": "..."}`) is what a prompt was rendered with: it becomes the variables.
    """
    value = plain(unquoted(value))
    if isinstance(value, Mapping):
        if api_of_request(value) is not None or isinstance(value.get("messages", value.get("prompt")), list | str):
            read_any_request(value, call)
        elif "role" in value:
            call.messages = messages_from(value)
        else:
            call.messages = next((found for name in _FIRST_LIST if (found := _listed(value.get(name)))), None)
            if call.messages is None and value and call.variables is None:
                call.variables = value
    elif isinstance(value, str | list):
        call.messages = messages_from(value)
    return call.messages is not None


def _listed(value: object) -> tuple[Mapping[str, object], ...] | None:
    return messages_from(value) if isinstance(value, list) and value else None


def read_answer(value: object, call: LoggedCall) -> None:
    """Take what was answered into the record; None says nothing of it, and an object of the model's own is its text.

    The model's own JSON (`{"answer": 4}`) is never opened: only what has a response's or a message's shape is.
    """
    shown = unquoted(value)
    if shown is None:
        return
    body = whole_response(shown)
    if api_of_response(body) is not None:
        read_any_response(body, call)
    elif is_langchain_answer(body):
        read_langchain_answer(body, call)
    elif isinstance(body, str):
        read_ending(call, body)
    elif (message := _message(body)) is not None:
        read_message(message, call)
    elif _are_calls(body):
        read_ending(call, None, tool_calls_from(body), "tool_calls")
    else:
        read_ending(call, value if isinstance(value, str) else json_text(body))


def _message(body: object) -> Mapping[str, Any] | None:
    """The message that this is, that it ends with, or that alone stands in it."""
    if isinstance(body, list):
        last = body[-1] if body else None
        is_one = isinstance(last, Mapping) and ("role" in last or is_langchain_message(last))
        return _message(last) if is_one else None
    if not isinstance(body, Mapping):
        return None
    if is_langchain_message(body):
        found = plain(body)
        return found if isinstance(found, Mapping) else None
    inner = body.get("message", body.get("messages"))
    if len(body) == 1 and isinstance(inner, Mapping | list):
        return _message(inner)
    is_message = not _SAYS.isdisjoint(body) and ("role" in body or body.keys() <= _SAYS | _BESIDE)
    return body if is_message else None


def _are_calls(body: object) -> bool:
    """Whether it is a list of tool calls and nothing else."""
    if not isinstance(body, list) or not body:
        return False
    return all(isinstance(one, Mapping) and isinstance(one.get("function"), Mapping) for one in body)
