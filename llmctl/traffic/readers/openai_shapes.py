"""OpenAI's chat completions, as many providers and tools write them: a request and a response into a record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.chunks import joined_chunks
from llmctl.traffic.readers.content import text_in
from llmctl.traffic.readers.endings import finish_reason_from, read_ending
from llmctl.traffic.readers.failures import read_break, read_failure
from llmctl.traffic.readers.messages import messages_from, tool_calls_from, tool_choice_from, tools_from
from llmctl.traffic.readers.notes import read_metadata
from llmctl.traffic.readers.values import count, decoded, epoch_s, mapping, number, text

__all__ = [
    "is_chat_request",
    "is_chat_response",
    "params_from",
    "provider_of",
    "read_chat_request",
    "read_chat_response",
    "read_usage",
    "response_format_from",
]

_NO_PARAMS = frozenset(
    {
        *("messages", "model", "prompt", "input", "tools", "tool_choice", "functions", "function_call"),
        *("response_format", "metadata", "user", "stream", "stream_options", "store", "safety_identifier"),
        *("api_key", "api_base", "base_url", "api_version", "api_type", "organization", "headers"),
        *("extra_headers", "timeout", "request_timeout", "max_retries", "num_retries", "custom_llm_provider"),
    }
)
"""What has fields of its own in the record, and what is only between client and server."""
_OPENAI_MODELS = re.compile(r"(?:ft:)?(?:gpt-|chatgpt|o\d(?:-|$)|text-davinci|davinci-|babbage-|codex)")
_PROVIDERS = frozenset(
    {
        *("openai", "azure", "anthropic", "bedrock", "vertex_ai", "gemini", "mistral", "groq", "cohere"),
        *("deepseek", "openrouter", "together_ai", "fireworks_ai", "xai", "ollama", "perplexity"),
    }
)


def is_chat_request(value: object) -> bool:
    """Whether it has the shape of a chat request: messages, each with a role."""
    if not isinstance(value, dict):
        return False
    messages = value.get("messages")
    if not isinstance(messages, list) or not messages:
        return False
    return isinstance(messages[0], dict) and "role" in messages[0]


def is_chat_response(value: object) -> bool:
    """Whether it has the shape of a chat completion, whole or one chunk of a stream: choices, each with a message."""
    if not isinstance(value, dict):
        return False
    choices = value.get("choices")
    if not isinstance(choices, list):
        return str(value.get("object", "")).startswith("chat.completion")
    if not choices:
        return True
    return isinstance(choices[0], dict) and not {"message", "delta", "text"}.isdisjoint(choices[0])


def read_chat_request(body: Mapping[str, Any], call: LoggedCall) -> None:
    """Take a chat request into the record: messages, tools, parameters, model, user, metadata."""
    call.messages = messages_from(body.get("messages"))
    if call.messages is None and isinstance(body.get("prompt"), str | list):
        call.messages = messages_from(body["prompt"])  # legacy completions
    model = body.get("model")
    if model:
        call.model = text(model)
        call.provider = call.provider or provider_of(call.model)
    for name, value in body.items():
        if name in _SPECIAL and value:
            _SPECIAL[name](value, call)
    call.params = params_from(body)


def params_from(body: Mapping[str, Any]) -> dict[str, object]:
    """The parameters in a request, or in an object that holds them beside other things."""
    return {name: value for name, value in body.items() if value is not None and name not in _NO_PARAMS}


def response_format_from(value: object) -> Mapping[str, object] | None:
    """A response format; `{type: text}` and a format that is no object (a Python class's name) are none."""
    value = decoded(value)
    if not isinstance(value, dict) or value.get("type") in (None, "text"):
        return None
    if value["type"] == "json_schema" and "json_schema" not in value:
        inner = {key: item for key, item in value.items() if key != "type" and item is not None}
        return {"type": "json_schema", "json_schema": {"name": "output", **inner}}
    return value


def provider_of(model: str | None) -> str | None:
    """The provider as litellm names it, where the model's name says it: `azure/x`, `gpt-...`, `claude-...`."""
    if not model:
        return None
    head, slash, _ = model.partition("/")
    if slash:
        return head if head in _PROVIDERS else None
    if _OPENAI_MODELS.match(model):
        return "openai"
    return "anthropic" if model.startswith("claude-") else None


def _tools(value: object, call: LoggedCall) -> None:
    call.tools = tools_from(value)


def _tool_choice(value: object, call: LoggedCall) -> None:
    call.tool_choice = tool_choice_from(value)


def _response_format(value: object, call: LoggedCall) -> None:
    call.response_format = response_format_from(value)


def _user(value: object, call: LoggedCall) -> None:
    call.user = call.user or text(value)


def _metadata(value: object, call: LoggedCall) -> None:
    read_metadata(mapping(value), call)


_SPECIAL = {
    "tools": _tools,
    "functions": _tools,
    "tool_choice": _tool_choice,
    "function_call": _tool_choice,
    "response_format": _response_format,
    "user": _user,
    "safety_identifier": _user,
    "metadata": _metadata,
}


# --- responses --------------------------------------------------------------------------------------------------------


def read_chat_response(body: object, call: LoggedCall) -> None:
    """Take a chat completion into the record: a whole one, or the list of a stream's chunks.

    The first choice counts. A response that holds an error is read as one; without choices it is `malformed`.
    """
    body = decoded(body)
    if isinstance(body, list):
        body = joined_chunks(body)
    if not isinstance(body, dict):
        call.outcome, call.error = Outcome.MALFORMED, "The answer has no choices."
        return
    _read_head(body, call)
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if body.get("error") and not choice:
        read_failure(body["error"], call)
    elif not isinstance(choice, dict):
        call.outcome, call.error = Outcome.MALFORMED, "The answer has no choices."
    elif choice.get("error"):
        read_failure(choice["error"], call)
    else:
        _read_choice(choice, call)
        if body.get("error"):  # in the middle of a stream: what had come is kept
            read_break(body["error"], call)


def _read_head(body: Mapping[str, Any], call: LoggedCall) -> None:
    identity, model, usage = body.get("id"), body.get("model"), body.get("usage")
    if identity:
        call.source_id = text(identity)
    if model:
        call.served_model = text(model)
    if usage:
        read_usage(usage, call)
    if call.started_at is None:
        call.started_at = epoch_s(body.get("created"))


def _read_choice(choice: Mapping[str, Any], call: LoggedCall) -> None:
    message = choice.get("message", choice.get("delta"))
    finish = finish_reason_from(choice.get("finish_reason"))
    if not isinstance(message, dict):
        read_ending(call, text_in(choice.get("text")), (), finish)
        return
    content, calls, legacy = message.get("content"), message.get("tool_calls"), message.get("function_call")
    said = content if type(content) is str else text_in(content)
    if said is None and (audio := message.get("audio")):
        said = text(mapping(audio).get("transcript"))
    if calls:
        found: Sequence[Mapping[str, object]] = tool_calls_from(calls)
    else:
        found = tool_calls_from(legacy) if legacy else ()
    refusal = message.get("refusal")
    read_ending(call, said, tuple(found), finish, refusal if isinstance(refusal, str) and refusal else None)


def read_usage(usage: object, call: LoggedCall) -> None:
    """Tokens under the names of any OpenAI API (`prompt_tokens`, `input_tokens`), and the cost that OpenRouter adds."""
    if not isinstance(usage, dict):
        usage = mapping(usage)
    if "prompt_tokens" in usage:
        asked, made = usage["prompt_tokens"], usage.get("completion_tokens")
        details, made_of = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    else:
        asked, made = usage.get("input_tokens"), usage.get("output_tokens")
        details, made_of = usage.get("input_tokens_details"), usage.get("output_tokens_details")
    call.input_tokens, call.output_tokens = count(asked), count(made)
    if isinstance(details, dict):
        call.cached_tokens = count(details.get("cached_tokens"))
    elif "prompt_cache_hit_tokens" in usage:  # DeepSeek
        call.cached_tokens = count(usage["prompt_cache_hit_tokens"])
    if isinstance(made_of, dict):
        call.reasoning_tokens = count(made_of.get("reasoning_tokens"))
    if "cost" in usage and call.cost_usd is None:
        call.cost_usd = number(usage["cost"])
