"""OpenAI's Responses API: a request and a response into a record, in the shape of chat completions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall, Message
from llmctl.traffic.readers.chunks import joined_events
from llmctl.traffic.readers.content import text_in
from llmctl.traffic.readers.endings import read_ending
from llmctl.traffic.readers.failures import read_break, read_failure
from llmctl.traffic.readers.messages import messages_from, tool_calls_from, tool_choice_from, tools_from
from llmctl.traffic.readers.notes import read_metadata, read_note
from llmctl.traffic.readers.openai_shapes import params_from, provider_of, read_usage, response_format_from
from llmctl.traffic.readers.values import decoded, epoch_s, json_text, mapping, text

__all__ = [
    "STATEFUL",
    "is_responses_request",
    "is_responses_response",
    "messages_from_items",
    "output_messages",
    "read_responses_request",
    "read_responses_response",
]

STATEFUL = "its conversation is kept at the provider (previous_response_id)"
_CONVERSATION = "its conversation is kept at the provider (conversation)"
_PROMPT_OBJECT = "its prompt is kept at the provider"
_REFERENCE = "it refers to items that are kept at the provider"
_NO_PARAMS = frozenset(
    {
        *("instructions", "previous_response_id", "conversation", "text", "reasoning", "include", "background"),
        *("context_management", "truncation", "max_output_tokens", "id", "object", "created_at", "completed_at"),
        *("status", "error", "incomplete_details", "output", "output_text", "usage", "billing"),
        *("prompt_cache_retention", "prompt_cache_key"),
    }
)
_FEWEST_KEYS = frozenset({"model", "input", "temperature"})
_REQUEST_KEYS = _FEWEST_KEYS | {
    *("instructions", "previous_response_id", "conversation", "prompt", "tools", "tool_choice", "text", "reasoning"),
    *("max_output_tokens", "max_tool_calls", "include", "store", "truncation", "background", "context_management"),
    *("metadata", "parallel_tool_calls", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "user"),
    *("service_tier", "stream", "stream_options", "top_p", "top_logprobs", "extra_body", "extra_headers", "timeout"),
}
_SILENT = frozenset({"reasoning", "compaction"})
"""Kinds of items that no other model takes, and needs."""


def is_responses_request(value: object) -> bool:
    """Whether it has the shape of a Responses request: input (or a prompt kept at the provider), no messages."""
    if not isinstance(value, dict) or "messages" in value:
        return False
    given = value.get("input")
    if isinstance(given, str):
        if "model" not in value or not value.keys() <= _REQUEST_KEYS:
            return False
        return value.keys() <= _FEWEST_KEYS or not value.keys() <= _FEWEST_KEYS | {"user"}  # embeddings have a user too
    if isinstance(given, list) and given:
        return isinstance(given[0], dict) and not {"role", "type"}.isdisjoint(given[0])
    return "previous_response_id" in value and "output" not in value


def is_responses_response(value: object) -> bool:
    """Whether it has the shape of a Response."""
    if not isinstance(value, dict):
        return False
    return value.get("object") == "response" or (isinstance(value.get("output"), list) and "status" in value)


def read_responses_request(body: Mapping[str, Any], call: LoggedCall) -> None:
    """Take a Responses request into the record; what the provider keeps makes it `not_replayable`, and is named."""
    model = text(body.get("model"))
    call.model = model
    call.provider = call.provider or provider_of(model)
    found = messages_from_items(body.get("input"), call)
    instructions = text_in(body.get("instructions")) if isinstance(body.get("instructions"), str) else None
    system: tuple[Message, ...] = ({"role": "system", "content": instructions},) if instructions else ()
    call.messages = (*system, *found) if found else None
    _read_tools(body, call)
    _read_text(body.get("text"), call)
    call.params = _params(body)
    call.user = call.user or text(body.get("user")) or text(body.get("safety_identifier"))
    read_metadata(mapping(body.get("metadata")), call)
    _read_state(body, call)


def _read_state(body: Mapping[str, Any], call: LoggedCall) -> None:
    if isinstance(body.get("prompt"), dict):
        read_note("prompt", body["prompt"], call)
        call.not_replayable = call.not_replayable or _PROMPT_OBJECT
    if body.get("conversation"):
        call.not_replayable = _CONVERSATION
        held = body["conversation"]
        call.session_id = call.session_id or text(held.get("id") if isinstance(held, dict) else held)
    if body.get("previous_response_id"):
        call.not_replayable = STATEFUL
        call.parent_id = text(body["previous_response_id"])


def _read_tools(body: Mapping[str, Any], call: LoggedCall) -> None:
    call.tools = tools_from(body.get("tools"))
    call.tool_choice = tool_choice_from(body.get("tool_choice"))
    own = next((str(tool.get("type")) for tool in call.tools if "function" not in tool), None)
    if own:
        call.not_replayable = call.not_replayable or f"it uses a tool of the provider ({own})"


def _read_text(value: object, call: LoggedCall) -> None:
    given = mapping(value)
    call.response_format = response_format_from(given.get("format"))
    schema = (call.response_format or {}).get("json_schema")
    if isinstance(schema, dict):
        call.response_format = {"type": "json_schema", "json_schema": dict(schema)}


def _params(body: Mapping[str, Any]) -> dict[str, object]:
    params = {name: value for name, value in params_from(body).items() if name not in _NO_PARAMS}
    if body.get("max_output_tokens") is not None:
        params["max_completion_tokens"] = body["max_output_tokens"]
    verbosity = mapping(body.get("text")).get("verbosity")
    if verbosity:
        params["verbosity"] = verbosity
    effort = mapping(body.get("reasoning")).get("effort")
    if effort:
        params["reasoning_effort"] = effort
    return params


# --- items ------------------------------------------------------------------------------------------------------------


def messages_from_items(value: object, call: LoggedCall | None = None) -> tuple[Message, ...]:
    """Input items as messages; function calls that follow each other are one message of the assistant.

    An item that chat completions have no counterpart of makes the call `not_replayable`.
    """
    value = decoded(value)
    if isinstance(value, str):
        return ({"role": "user", "content": value},) if value else ()
    if isinstance(value, dict):
        value = [value]
    found: list[dict[str, Any]] = []
    for one in value if isinstance(value, list | tuple) else ():
        item = decoded(one)
        if isinstance(item, str):
            found.append({"role": "user", "content": item})
        elif isinstance(item, dict):
            found.extend(_item(item, found, call))
    return tuple(found)


def _item(item: Mapping[str, Any], found: list[dict[str, Any]], call: LoggedCall | None) -> Iterator[dict[str, Any]]:
    kind = text(item.get("type")) or "message"
    if kind == "message":
        yield from (dict(one) for one in messages_from([item]) or ())
    elif kind in ("function_call", "custom_tool_call"):
        calls = tool_calls_from([{**item, "id": item.get("call_id") or item.get("id")}], len(found))
        if found and found[-1]["role"] == "assistant":
            found[-1]["tool_calls"] = (*found[-1].get("tool_calls", ()), *calls)
        else:
            yield {"role": "assistant", "content": None, "tool_calls": calls}
    elif kind in ("function_call_output", "custom_tool_call_output"):
        said = item.get("output")
        content = said if isinstance(said, str) else text_in(said) or json_text(said)
        yield {"role": "tool", "tool_call_id": text(item.get("call_id")) or "call_0", "content": content}
    elif kind not in _SILENT and call is not None and call.not_replayable is None:
        call.not_replayable = (
            _REFERENCE if kind == "item_reference" else f"it holds an item of the provider's own ({kind})"
        )


# --- responses --------------------------------------------------------------------------------------------------------


def read_responses_response(body: object, call: LoggedCall) -> None:
    """Take a Response into the record: a whole one, or the list of a stream's events."""
    body = decoded(body)
    if isinstance(body, list):
        body = joined_events(body)
    if not isinstance(body, dict):
        call.outcome, call.error = Outcome.MALFORMED, "The answer has no output."
        return
    _read_head(body, call)
    if body.get("error"):
        if isinstance(body.get("output"), list) and body["output"]:
            _read_output(body, call)
        read_break(body["error"], call)
    elif not isinstance(body.get("output"), list):
        call.outcome, call.error = Outcome.MALFORMED, "The answer has no output."
    elif body.get("status") in ("failed", "cancelled"):
        read_failure(f"The response ended as {body['status']}.", call)
    elif body.get("status") not in ("queued", "in_progress"):
        _read_output(body, call)


def _read_head(body: Mapping[str, Any], call: LoggedCall) -> None:
    call.source_id = text(body.get("id")) or call.source_id
    call.served_model = text(body.get("model"))
    read_usage(body.get("usage"), call)
    started, ended = epoch_s(body.get("created_at")), epoch_s(body.get("completed_at"))
    call.started_at = started if call.started_at is None else call.started_at
    # Whole seconds: of a call of less than some of them this says nothing.
    if call.latency_ms is None and started is not None and ended is not None and ended - started >= 10:
        call.latency_ms = (ended - started) * 1000


def output_messages(body: Mapping[str, Any]) -> tuple[Message, ...]:
    """What the model said, as messages: for the next turn of a conversation that the provider keeps."""
    return messages_from_items(body.get("output"))


def _read_output(body: Mapping[str, Any], call: LoggedCall) -> None:
    said: list[str] = []
    refusals: list[str] = []
    calls: list[Mapping[str, Any]] = []
    for item in body["output"]:
        if not isinstance(item, dict):
            continue
        if item.get("type") == "message":
            for part in item["content"] if isinstance(item.get("content"), list) else ():
                kept = refusals if mapping(part).get("type") == "refusal" else said
                kept.append(text(mapping(part).get("refusal")) or text_in([part]) or "")
        elif item.get("type") in ("function_call", "custom_tool_call"):
            calls.append({**item, "id": item.get("call_id") or item.get("id")})
    finish = _finish(body, calls)
    read_ending(call, "".join(said) if said else None, tool_calls_from(calls), finish, "".join(refusals) or None)


def _finish(body: Mapping[str, Any], calls: Sequence[object]) -> str | None:
    if body.get("status") == "incomplete":
        reason = mapping(body.get("incomplete_details")).get("reason")
        return "length" if reason in (None, "max_output_tokens") else str(reason)
    if body.get("status") != "completed":
        return None
    return "tool_calls" if calls else "stop"
