"""LangChain's messages and answers, in each of the ways in which they are written down, in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.content import text_in
from llmctl.traffic.readers.endings import finish_reason_from, read_ending
from llmctl.traffic.readers.messages import messages_from, tool_calls_from
from llmctl.traffic.readers.openai_shapes import read_usage
from llmctl.traffic.readers.values import count, first, mapping, text

__all__ = ["is_langchain_answer", "is_langchain_message", "plain", "read_langchain_answer", "read_usage_metadata"]

_ROLES = {
    "system": "system",
    "systemmessage": "system",
    "human": "user",
    "humanmessage": "user",
    "ai": "assistant",
    "aimessage": "assistant",
    "tool": "tool",
    "toolmessage": "tool",
    "function": "tool",
    "functionmessage": "tool",
    "chat": "user",
    "chatmessage": "user",
}
_DEEPEST = 6


def is_langchain_message(value: object) -> bool:
    """Whether it is a message: a constructor (`lc`), `{type, data}`, or flat with a `type` in place of a `role`."""
    if not isinstance(value, Mapping):
        return False
    if value.get("lc") is not None and isinstance(value.get("kwargs"), Mapping):
        return "content" in value["kwargs"]
    kind = value.get("type")
    known = isinstance(kind, str) and _kind(kind) in _ROLES
    return known and ("content" in value or isinstance(value.get("data"), Mapping)) and "role" not in value


def plain(value: Any, depth: int = 0) -> Any:
    """The same with OpenAI's messages in place of LangChain's, however deep; everything else as it is."""
    if depth > _DEEPEST:
        return value
    if isinstance(value, list):
        return [plain(one, depth + 1) for one in value]
    if not isinstance(value, Mapping):
        return value
    if is_langchain_message(value):
        return _message(value)
    inner = value.get("kwargs")
    if value.get("lc") is not None and isinstance(inner, Mapping) and "messages" in inner:  # ChatPromptValue
        return plain(inner["messages"], depth + 1)
    if isinstance(value.get("additional_kwargs"), Mapping) and "role" in value:
        return _message({**value, "type": "chat"})
    held = {name: plain(value[name], depth + 1) for name in ("messages", "input") if isinstance(value.get(name), list)}
    return {**value, **held}


def _kind(name: str) -> str:
    """`AIMessageChunk` -> `aimessage`."""
    return name.lower().removesuffix("chunk")


def _inner(value: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("kwargs", "data"):
        if isinstance(value.get(name), Mapping):
            return {"type": value.get("type"), **value[name]} if name == "data" else value[name]
    return value


def _role(value: Mapping[str, Any], inner: Mapping[str, Any]) -> str:
    path = value.get("id")
    named = path[-1] if isinstance(path, list) and path else None
    for name in (inner.get("role"), inner.get("type"), named, value.get("type")):
        if isinstance(name, str) and name:
            return _ROLES.get(_kind(name), name)
    return "user"


def _message(value: Mapping[str, Any]) -> dict[str, Any]:
    inner = _inner(value)
    beside = mapping(inner.get("additional_kwargs"))
    calls = inner.get("tool_calls") or beside.get("tool_calls") or beside.get("function_call")
    found: dict[str, Any] = {"role": _role(value, inner), "content": inner.get("content")}
    if calls:
        found["tool_calls"] = calls if isinstance(calls, list) else [calls]
        if isinstance(found["content"], list):  # Anthropic's blocks name the same calls again
            found["content"] = [one for one in found["content"] if mapping(one).get("type") != "tool_use"]
        found["content"] = found["content"] or None
    if text(inner.get("tool_call_id")):
        found["tool_call_id"] = inner["tool_call_id"]
    if text(inner.get("name")):
        found["name"] = inner["name"]
    if text(beside.get("refusal")):
        found["refusal"] = beside["refusal"]
    return found


# --- answers ----------------------------------------------------------------------------------------------------------


def is_langchain_answer(value: object) -> bool:
    """Whether it is an `LLMResult`: generations, each with a text or a message."""
    return isinstance(value, Mapping) and isinstance(value.get("generations"), list)


def read_langchain_answer(value: Any, call: LoggedCall) -> None:
    """Take an `LLMResult` into the record; the first generation counts."""
    generation = _first(value["generations"])
    about = mapping(generation.get("generation_info"))
    raw = generation.get("message")
    inner = _inner(raw) if isinstance(raw, Mapping) else {}
    meta = mapping(inner.get("response_metadata"))
    overall = mapping(value.get("llm_output"))
    for place in (overall, meta, about):
        served = first(place, ("model_name", "model", "model_id"))
        call.served_model = call.served_model or text(served)
    used = first(overall, ("token_usage", "usage")) or first(meta, ("token_usage", "usage"))
    if used:
        read_usage(used, call)
    read_usage_metadata(inner.get("usage_metadata"), call)
    reason = first(about, ("finish_reason", "stop_reason")) or first(meta, ("finish_reason", "stop_reason"))
    _read_said(raw, generation, finish_reason_from(reason), call)


def _read_said(raw: object, generation: Mapping[str, Any], reason: str | None, call: LoggedCall) -> None:
    if not isinstance(raw, Mapping):
        if generation:
            read_ending(call, text_in(generation.get("text")), (), reason)
        return
    message = _message(raw)
    said = messages_from([message]) or ({},)
    calls = said[-1].get("tool_calls")
    content = text_in(said[-1].get("content"))
    refusal = text(message.get("refusal"))
    if refusal == content:
        content = None
    if content is None and not calls:
        content = text(generation.get("text"))
    read_ending(call, content, tool_calls_from(calls), reason, refusal)


def _first(generations: Sequence[Any]) -> Mapping[str, Any]:
    """LangChain logs a batch of prompts, each with a list of generations."""
    found: Any = generations
    while isinstance(found, list) and found:
        found = found[0]
    return found if isinstance(found, Mapping) else {}


def read_usage_metadata(value: object, call: LoggedCall) -> None:
    """LangChain's own count of tokens, alike for all providers: `input_tokens` are all of them."""
    used = mapping(value)
    if not used:
        return
    for field, name in (("input_tokens", "input_tokens"), ("output_tokens", "output_tokens")):
        found = count(used.get(name))
        if found is not None:
            setattr(call, field, found)
    cached = count(mapping(used.get("input_token_details")).get("cache_read"))
    thought = count(mapping(used.get("output_token_details")).get("reasoning"))
    call.cached_tokens = cached if cached is not None else call.cached_tokens
    call.reasoning_tokens = thought if thought is not None else call.reasoning_tokens
