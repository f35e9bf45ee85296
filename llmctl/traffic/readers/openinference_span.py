"""A span with OpenInference's attributes (`llm.input_messages`, `input.value` ...) as a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedCall, Message
from llmctl.traffic.readers.attributes import Attributes
from llmctl.traffic.readers.content import text_in
from llmctl.traffic.readers.endings import finish_reason_from, read_ending
from llmctl.traffic.readers.messages import messages_from, tools_from
from llmctl.traffic.readers.tracing import provider_from, read_asked, read_said, read_settings, same_or_served
from llmctl.traffic.readers.values import count, decoded, mapping, number, text

__all__ = ["openinference_kind", "read_openinference"]

_REDACTED = "__REDACTED__"
_HIDDEN = (
    "its messages were hidden when they were logged (OPENINFERENCE_HIDE_INPUTS, OPENINFERENCE_HIDE_INPUT_MESSAGES)"
)


def openinference_kind(found: Attributes, kind: str | None = None) -> str | None:
    """`call` of a call of a model, the kind of any other span; None: it is not OpenInference's."""
    named = text(found.get("openinference.span.kind"))
    if named is None and not found.has(
        "llm.input_messages", "llm.model_name", "llm.token_count", "llm.output_messages"
    ):
        return kind if kind and kind.upper() in _OTHERS else None
    return "call" if (named or "LLM").upper() == "LLM" else named


_OTHERS = frozenset(
    [
        "CHAIN",
        "RETRIEVER",
        "RERANKER",
        "EMBEDDING",
        "TOOL",
        "AGENT",
        "GUARDRAIL",
        "EVALUATOR",
        "PROMPT",
        "DECISION",
        "UNKNOWN",
    ]
)


def read_openinference(found: Attributes, call: LoggedCall) -> None:
    """Take all that stands in attributes into the record, but for how it ended; whole bodies are the truest."""
    call.provider = provider_from(found.get("llm.provider")) or provider_from(found.get("llm.system"))
    given, said = found.get("input.value"), found.get("output.value")
    inputs, outputs = found.items("llm.input_messages"), found.items("llm.output_messages")
    if not inputs or _is_body(given, "messages", "input", "contents"):
        read_asked(given, call)
    if not call.messages:
        call.messages = tuple(_messages(inputs)) or None
    if _REDACTED in (given, str(call.messages[0].get("content")) if call.messages else None):
        call.messages, call.not_replayable = None, _HIDDEN
    read_settings(found.get("llm.invocation_parameters"), call)
    call.model = text(found.get("llm.request.model_name")) or call.model
    _read_answer(said, outputs, found, call)
    call.served_model = text(found.get("llm.response.model_name")) or call.served_model
    same_or_served(call, found.get("llm.model_name"))
    call.tools = call.tools or tools_from([_tool(one) for one in found.items("llm.tools")])
    _read_amounts(found, call)
    _read_prompt(found, call)


def _is_body(value: object, *names: str) -> bool:
    body = decoded(value)
    return isinstance(body, Mapping) and any(isinstance(body.get(name), list | str) for name in names)


def _read_answer(said: object, outputs: list[Any], found: Attributes, call: LoggedCall) -> None:
    finish = finish_reason_from(found.get("llm.finish_reason"))
    if said == _REDACTED:
        said = None
    if said is not None and (not outputs or _is_body(said, "choices", "content", "output", "candidates")):
        read_said(said, call)
        call.finish_reason = call.finish_reason or finish
        return
    turns = tuple(_messages(outputs))
    if turns:
        read_ending(call, text_in(turns[0].get("content")), _calls(turns[0]), finish)
    call.finish_reason = call.finish_reason or finish


def _calls(message: Message) -> tuple[Mapping[str, object], ...]:
    calls = message.get("tool_calls")
    return tuple(calls) if isinstance(calls, list | tuple) else ()


def _messages(items: list[Any]) -> tuple[Message, ...]:
    found = [_message(mapping(mapping(one).get("message", one))) for one in items]
    return messages_from(found) or ()


def _message(one: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": text(one.get("role")) or "user", "content": one.get("content")}
    parts = one.get("contents")
    if isinstance(parts, list) and parts and message["content"] is None:
        message["content"] = [_part(mapping(mapping(part).get("message_content", part))) for part in parts]
    calls = one.get("tool_calls")
    if isinstance(calls, list) and calls:
        message["tool_calls"] = [mapping(mapping(item).get("tool_call", item)) for item in calls]
    elif name := text(one.get("function_call_name")):
        message["function_call"] = {"name": name, "arguments": one.get("function_call_arguments_json") or "{}"}
    for name in ("tool_call_id", "name"):
        if text(one.get(name)):
            message[name] = one[name]
    return message


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    image = mapping(mapping(part.get("image")).get("image", part.get("image")))
    if part.get("type") == "image" and image:
        return {"type": "image_url", "image_url": {"url": image.get("url")}}
    return dict(part)


def _tool(one: Any) -> dict[str, Any]:
    tool = mapping(mapping(one).get("tool", one))
    return mapping(tool.get("json_schema")) or tool


def _read_amounts(found: Attributes, call: LoggedCall) -> None:
    counts = "llm.token_count."
    pairs = (
        ("input_tokens", "prompt"),
        ("output_tokens", "completion"),
        ("cached_tokens", "prompt_details.cache_read"),
        ("reasoning_tokens", "completion_details.reasoning"),
    )
    for name, place in pairs:
        amount = count(found.get(counts + place))
        if getattr(call, name) is None and amount is not None:
            setattr(call, name, amount)
    call.cost_usd = number(found.get("llm.cost.total")) if call.cost_usd is None else call.cost_usd


def _read_prompt(found: Attributes, call: LoggedCall) -> None:
    template = "llm.prompt_template."
    call.variables = mapping(found.get(f"{template}variables")) or found.under(f"{template}variables") or None
    call.prompt_name = text(found.get("prompt.name", "prompt.id", "llm.prompt.id"))
    call.prompt_version = text(found.get(f"{template}version", "prompt.version"))
