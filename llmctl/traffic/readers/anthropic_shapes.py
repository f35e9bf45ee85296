"""Anthropic's messages: a request and a response into a record, in the shape of chat completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall, Message
from llmctl.traffic.readers.chunks import joined_events
from llmctl.traffic.readers.content import content_of, text_in
from llmctl.traffic.readers.endings import finish_reason_from, read_ending
from llmctl.traffic.readers.failures import read_break
from llmctl.traffic.readers.messages import messages_from, tool_calls_from, tool_choice_from, tools_from
from llmctl.traffic.readers.notes import read_metadata
from llmctl.traffic.readers.openai_shapes import params_from, response_format_from
from llmctl.traffic.readers.values import count, decoded, mapping, objects, text

__all__ = [
    "is_anthropic_request",
    "is_anthropic_response",
    "read_anthropic_request",
    "read_anthropic_response",
    "read_anthropic_usage",
]

_NO_PARAMS = frozenset(
    {
        *("system", "stop_sequences", "output_config", "output_format", "cache_control", "container"),
        *("mcp_servers", "context_management", "betas", "service_tier", "inference_geo", "anthropic_version"),
        *("anthropic_beta"),
    }
)
_OWN_BLOCKS = frozenset({"tool_use", "tool_result", "thinking", "redacted_thinking", "image", "document"})
_FILE = "it refers to a file that is kept at the provider"
_CONTAINER = "its state is kept at the provider (container)"


def is_anthropic_request(value: object) -> bool:
    """Whether it has the shape of a messages request, by what OpenAI's chat requests have not."""
    if not isinstance(value, dict) or not isinstance(value.get("messages"), list):
        return False
    if isinstance(value.get("system"), str | list) or "stop_sequences" in value or "anthropic_version" in value:
        return True
    if any("input_schema" in tool for tool in objects(value.get("tools"))):
        return True
    if isinstance(value.get("model"), str) and "max_tokens" in value and "claude" in value["model"]:
        return all(mapping(one).get("role") in ("user", "assistant") for one in value["messages"])
    return any(_has_own_blocks(one) for one in value["messages"])


def _has_own_blocks(message: object) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    return any(text(one.get("type")) in _OWN_BLOCKS for one in objects(content))


def is_anthropic_response(value: object) -> bool:
    """Whether it has the shape of a message, or of the API's errors."""
    if not isinstance(value, dict):
        return False
    if value.get("type") == "message":
        return "content" in value or "stop_reason" in value
    return value.get("type") == "error" and isinstance(value.get("error"), dict)


def read_anthropic_request(body: Mapping[str, Any], call: LoggedCall) -> None:
    """Take a messages request into the record: the system prompt as the first message, tools and names as OpenAI's."""
    call.model = text(body.get("model"))
    call.provider = call.provider or "anthropic"
    system = _flat(content_of(decoded(body.get("system"))))
    first: tuple[Message, ...] = ({"role": "system", "content": system},) if system else ()
    found = tuple(_flattened(one) for one in messages_from(body.get("messages")) or ())
    call.messages = (*first, *found) if found else None
    call.tools = tools_from(body.get("tools"))
    call.tool_choice = tool_choice_from(body.get("tool_choice"))
    call.params = _params(body, call)
    metadata = mapping(body.get("metadata"))
    call.user = call.user or text(metadata.get("user_id"))
    read_metadata(metadata, call)
    _read_state(body, call)


def _params(body: Mapping[str, Any], call: LoggedCall) -> dict[str, object]:
    params = {name: value for name, value in params_from(body).items() if name not in _NO_PARAMS}
    if body.get("stop_sequences"):
        params["stop"] = body["stop_sequences"]
    if mapping(body.get("tool_choice")).get("disable_parallel_tool_use"):
        params["parallel_tool_calls"] = False
    config = mapping(body.get("output_config"))
    call.response_format = response_format_from(config.get("format", body.get("output_format")))
    if config.get("effort"):
        params["reasoning_effort"] = config["effort"]
    return params


def _read_state(body: Mapping[str, Any], call: LoggedCall) -> None:
    own = next((str(tool.get("type")) for tool in call.tools if "function" not in tool), None)
    if body.get("container"):
        call.not_replayable = _CONTAINER
    elif own:
        call.not_replayable = f"it uses a tool of the provider ({own})"
    elif body.get("mcp_servers"):
        call.not_replayable = "it uses tools of the provider (mcp_servers)"
    elif any(_refers_to_file(one.get("content")) for one in call.messages or ()):
        call.not_replayable = _FILE


def _refers_to_file(content: object) -> bool:
    if not isinstance(content, list):
        return False
    return any("file_id" in part["file"] for part in content if isinstance(part.get("file"), dict))


def _flattened(message: Message) -> Message:
    content = message.get("content")
    return {**message, "content": _flat(content)} if isinstance(content, list) else message


def _flat(content: Any) -> Any:
    """A single text for a list that holds one: Anthropic's clients write either, and they mean the same."""
    if isinstance(content, list) and len(content) == 1 and content[0].get("type") == "text":
        return content[0]["text"]
    return content


# --- responses --------------------------------------------------------------------------------------------------------


def read_anthropic_response(body: object, call: LoggedCall) -> None:
    """Take a message into the record: a whole one, an error, or the list of a stream's events."""
    body = decoded(body)
    if isinstance(body, list):
        body = joined_events(body)
    if not isinstance(body, dict):
        call.outcome, call.error = Outcome.MALFORMED, "The answer has no content."
        return
    call.source_id = text(body.get("id")) or text(body.get("request_id")) or call.source_id
    call.served_model = text(body.get("model"))
    read_anthropic_usage(body.get("usage"), call)
    if body.get("error"):
        if body.get("content"):  # in the middle of a stream
            _read_content(body, call)
        read_break(body, call)
    elif not isinstance(body.get("content"), list | str):
        call.outcome, call.error = Outcome.MALFORMED, "The answer has no content."
    else:
        _read_content(body, call)


def _read_content(body: Mapping[str, Any], call: LoggedCall) -> None:
    content = body["content"]
    blocks: Sequence[Any] = content if isinstance(content, list) else [content]
    used = [one for one in blocks if isinstance(one, dict) and one.get("type") == "tool_use"]
    finish = finish_reason_from(body.get("stop_reason"))
    read_ending(call, text_in(content), tool_calls_from(used), finish)


def read_anthropic_usage(usage: object, call: LoggedCall) -> None:
    """Tokens; Anthropic's `input_tokens` leave out those that were read from or written to the cache, ours do not."""
    found = mapping(usage)
    asked = count(found.get("input_tokens"))
    read, written = count(found.get("cache_read_input_tokens")), count(found.get("cache_creation_input_tokens"))
    if asked is not None:
        call.input_tokens = asked + (read or 0) + (written or 0)
    call.output_tokens = count(found.get("output_tokens"))
    call.cached_tokens = read
    details = mapping(found.get("output_tokens_details"))
    call.reasoning_tokens = count(details.get("thinking_tokens", details.get("reasoning_tokens")))
