"""Logged calls as prompts and cases of a run: the request stands in the case, the prompt only says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from llmctl.canonical import digest, written
from llmctl.project.models import Prompt
from llmctl.providers.recorded_request import REQUEST
from llmctl.providers.routes import RESERVED
from llmctl.traffic.logged_call import LoggedCall

__all__ = ["LOGGED", "logged_prompt", "request_of"]

LOGGED = "logged"
"""The name of the prompt that sends what was logged."""
_NOT_SENT = RESERVED | {"n", "stream", "stream_options", "messages", "tools", "tool_choice", "response_format"}
"""Of logged parameters: how the answer was carried, and what is kept apart from them. One answer is asked for."""
_LABEL_CHARACTERS = 60


def logged_prompt(params: Mapping[str, object] | None = None) -> Prompt:
    """The prompt that sends logged requests, with these parameters over theirs."""
    over = dict(params or {})
    words = ",".join(f"{name}={written(value)}" for name, value in sorted(over.items()))
    name = LOGGED if not over else f"{LOGGED}+{words}"
    if len(name) > _LABEL_CHARACTERS:
        name = f"{name[: _LABEL_CHARACTERS - 9]}~{digest(over)[:8]}"
    return Prompt(
        name=name, path=Path(), messages=(), params=over, recorded=True, digest=digest("logged request", over)
    )


def request_of(call: LoggedCall) -> dict[str, object]:
    """What a logged call asked, as the variable of its case."""
    params = {name: value for name, value in call.params.items() if name not in _NOT_SENT}
    asked: dict[str, object] = {"messages": list(call.messages or ())}
    if call.tools:
        asked["tools"] = list(call.tools)
    if call.tool_choice is not None:
        asked["tool_choice"] = call.tool_choice
    if call.response_format is not None:
        asked["response_format"] = call.response_format
    if params:
        asked["params"] = params
    return asked


def variables_of(call: LoggedCall) -> dict[str, object]:
    """The variables of its case where it is sent, or scored, as it was: those of the log, and the request."""
    return {**(call.variables or {}), REQUEST: request_of(call)}
