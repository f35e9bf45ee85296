"""A logged request, to be sent again: it stands in a case's variable `request`, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmctl.project.templates import TemplateError
from llmctl.providers.records import ChatRequest
from llmctl.providers.sendable import sendable

__all__ = ["REQUEST", "recorded_request", "recorded_tools"]

REQUEST = "request"
"""The variable that holds it: `messages`, `tools`, `tool_choice`, `response_format`, `params`."""
_ONE_LIMIT = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens"})
"""Names of the same: a request holds one of them."""


def recorded_request(frame: ChatRequest, variables: Mapping[str, object], drop: Sequence[str] = ()) -> ChatRequest:
    """The logged request of a case, to the frame's model, the frame's parameters over its own.

    Raises:
        TemplateError: the case holds no request.
    """
    logged = variables.get(REQUEST)
    if not isinstance(logged, Mapping) or not isinstance(logged.get("messages"), list | tuple):
        raise TemplateError("the case holds no logged request")
    choice = logged.get("tool_choice")
    format_of = logged.get("response_format")
    return replace(
        frame,
        messages=tuple(sendable(message) for message in logged["messages"]),
        params=_params(sendable(logged.get("params") or {}), frame.params, drop),
        tools=recorded_tools(variables),
        tool_choice=None if choice is None else sendable(choice),
        response_format=None if format_of is None else sendable(format_of),
    )


def recorded_tools(variables: Mapping[str, object]) -> tuple[Mapping[str, object], ...]:
    """The tools that a case's logged request offers."""
    logged = variables.get(REQUEST)
    tools = logged.get("tools") if isinstance(logged, Mapping) else None
    return tuple(sendable(tool) for tool in tools) if isinstance(tools, list | tuple) else ()


def _params(logged: Mapping[str, Any], over: Mapping[str, object], drop: Sequence[str]) -> dict[str, object]:
    limited = bool(_ONE_LIMIT & over.keys())
    kept = {name: value for name, value in logged.items() if name not in drop and not (limited and name in _ONE_LIMIT)}
    return {**kept, **over}
