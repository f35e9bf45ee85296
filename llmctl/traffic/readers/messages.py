"""Messages, tools and tool calls of any provider in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmctl.traffic.logged_call import Message
from llmctl.traffic.readers.content import content_of, text_in
from llmctl.traffic.readers.values import decoded, json_text, literal, text

__all__ = ["messages_from", "tool_calls_from", "tool_choice_from", "tools_from"]

_ROLES = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
    "human": "user",
    "ai": "assistant",
    "model": "assistant",
    "chatbot": "assistant",
    "bot": "assistant",
}
_PLAIN = frozenset({"role", "content"})
_KEYS = frozenset({"role", "content", "parts", "kwargs", "data"})
_KNOWN = frozenset({"system", "user", "assistant", "developer"})
_TOOL_USES = frozenset({"tool_use", "server_tool_use", "toolUse", "functionCall", "function_call", "tool_call"})
_TOOL_RESULTS = frozenset({"tool_result", "toolResult", "functionResponse", "tool_call_response"})
_CHOICES = {"auto": "auto", "any": "required", "required": "required", "none": "none"}


def messages_from(value: object) -> tuple[Message, ...] | None:
    """Messages in OpenAI's shape, whoever wrote them; None: there are none.

    Takes a list of messages (OpenAI's, Anthropic's content blocks, Gemini's and Bedrock's parts, the legacy
    `function_call`), one message, an object that holds `messages`, any of them as JSON in a text, and a plain text as
    what a user says.
    """
    value = _messages_in(value) if isinstance(value, str) else value
    if isinstance(value, str):
        return ({"role": "user", "content": value},) if value else None
    if isinstance(value, dict):
        if "role" not in value:
            inner = value.get("messages", value.get("contents"))
            return messages_from(inner) if inner is not None and not isinstance(inner, str) else None
        value = [value]
    if not isinstance(value, list | tuple) or not value:
        return None
    for one in value:  # written out: a million lines pass here
        if (
            type(one) is not dict
            or one.keys() != _PLAIN
            or type(one["content"]) is not str
            or type(one["role"]) is not str
            or one["role"] not in _KNOWN
        ):
            return _normalised(value)
    return tuple(value)


def _messages_in(value: str) -> object:
    """Messages that stand in a text, as JSON or as Python prints them; any other text as it is: it is what was said."""
    found = literal(value)
    if isinstance(found, dict):
        return found if not {"role", "messages", "contents"}.isdisjoint(found) else value
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
        return found
    parts = found if isinstance(found, list) else ()
    are_messages = bool(parts) and all(isinstance(one, dict) and not _KEYS.isdisjoint(one) for one in parts)
    return found if are_messages else value


def _normalised(values: Sequence[object]) -> tuple[Message, ...] | None:
    found: list[dict[str, Any]] = []
    if len(values) == 1 and isinstance(values[0], list | tuple):
        return messages_from(values[0])  # LangChain logs a batch of conversations
    for one in map(decoded, values):
        if isinstance(one, str):
            found.append({"role": "user", "content": one})
        elif isinstance(one, dict):
            found.extend(_message(one, found))
    return tuple(found) or None


def _message(one: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The message, or the several that it is: Anthropic's results of tools stand in the next message of the user."""
    role = _role(one)
    content = one.get("content", one.get("parts"))
    blocks = content if isinstance(content, list) else [content] if isinstance(content, dict) else []
    if role == "tool" and not any(_is_any(block, _TOOL_RESULTS) for block in blocks):
        yield _tool_answer(one, content, before)
        return
    for block in blocks:
        if _is_any(block, _TOOL_RESULTS):
            yield _tool_result(block, before)
    calls = [*tool_calls_from(one.get("tool_calls"), len(before)), *_calls_within(one, blocks, len(before))]
    rest = [block for block in blocks if not _is_any(block, _TOOL_RESULTS | _TOOL_USES)]
    if blocks and not rest and not calls:
        return
    said = content_of(rest if blocks else content)
    message: dict[str, Any] = {"role": "assistant" if calls else role, "content": said}
    if said is None and text(one.get("refusal")):
        message["content"] = one["refusal"]
    if text(one.get("name")) and role != "tool":
        message["name"] = one["name"]
    if calls:
        message["tool_calls"] = calls
    yield message


def _role(one: Mapping[str, Any]) -> str:
    role = text(one.get("role")) or text(one.get("type")) or "user"
    return _ROLES.get(role.lower(), role)


def _is_any(block: object, kinds: frozenset[str]) -> bool:
    """Whether the block is of such a kind: by its `type`, or as Bedrock and Gemini write it by its key."""
    if not isinstance(block, dict):
        return False
    kind = block.get("type")
    return kind in kinds if isinstance(kind, str) else not kinds.isdisjoint(block)


# --- tools' answers ---------------------------------------------------------------------------------------------------


def _tool_answer(one: Mapping[str, Any], content: object, before: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    said = content_of(content)
    call_id = text(one.get("tool_call_id")) or _last_call(before, text(one.get("name")))
    return {"role": "tool", "tool_call_id": call_id, "content": "" if said is None else said}


def _tool_result(block: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    inner = _inner(block, _TOOL_RESULTS)
    call_id = text(inner.get("tool_use_id")) or text(inner.get("toolUseId")) or text(inner.get("id"))
    said = inner.get("content", inner.get("response", inner.get("result")))
    if isinstance(said, dict):
        said = json_text(said)
    elif isinstance(said, list) and said and all(isinstance(one, dict) and "json" in one for one in said):
        said = "".join(json_text(one["json"]) for one in said)
    content = content_of(said)
    call_id = call_id or _last_call(before, text(inner.get("name")))
    return {"role": "tool", "tool_call_id": call_id, "content": "" if content is None else content}


def _last_call(before: Sequence[Mapping[str, Any]], name: str | None) -> str:
    """The id of the call that an answer without one must belong to: the last of that function."""
    for message in reversed(before):
        for call in reversed(message.get("tool_calls", ())):
            if name is None or call["function"]["name"] == name:
                return str(call["id"])
    return "call_0"


# --- tool calls -------------------------------------------------------------------------------------------------------


def tool_calls_from(value: object, turn: int = 0) -> tuple[dict[str, Any], ...]:
    """Tool calls as `{id, type, function: {name, arguments}}`, the arguments as JSON text.

    Takes OpenAI's, and those that have name and arguments on one level. One without an id gets one from its place.
    """
    value = decoded(value)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list | tuple):
        return ()
    calls = (one for item in value if isinstance(one := decoded(item), dict))
    return tuple(_tool_call(one, f"call_{turn}_{index}") for index, one in enumerate(calls))


def _tool_call(call: Mapping[str, Any], made_up_id: str) -> dict[str, Any]:
    custom = call.get("custom")
    if isinstance(custom, dict):
        return {"id": text(call.get("id")) or made_up_id, "type": "custom", "custom": dict(custom)}
    function = call.get("function")
    inner: Mapping[str, Any] = function if isinstance(function, dict) else call
    name = text(inner.get("name")) or (function if isinstance(function, str) else "")
    given: object = next((inner[key] for key in ("arguments", "input", "args") if inner.get(key) is not None), {})
    call_id = next((found for key in ("id", "call_id", "toolUseId") if (found := text(call.get(key)))), made_up_id)
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": json_text(given)}}


def _calls_within(one: Mapping[str, Any], blocks: Sequence[object], turn: int) -> tuple[dict[str, Any], ...]:
    """Calls among the content's blocks, and the legacy `function_call`."""
    inner = [_inner(block, _TOOL_USES) for block in blocks if isinstance(block, dict) and _is_any(block, _TOOL_USES)]
    legacy = one.get("function_call")
    return tool_calls_from([*inner, legacy] if isinstance(legacy, dict) else inner, turn)


def _inner(block: Mapping[str, Any], kinds: frozenset[str]) -> Mapping[str, Any]:
    """Bedrock and Gemini put a block's content under its kind."""
    if isinstance(block.get("type"), str):
        return block
    return next((block[kind] for kind in kinds if isinstance(block.get(kind), dict)), block)


# --- tools ------------------------------------------------------------------------------------------------------------


def tools_from(value: object) -> tuple[Mapping[str, object], ...]:
    """Tool definitions as `{type: function, function: {name, description, parameters}}`.

    Takes OpenAI's two shapes, the legacy `functions`, Anthropic's, Bedrock's and Gemini's. A tool that runs at the
    provider (web search ...) stays as it is.
    """
    value = decoded(value)
    if isinstance(value, dict):
        value = value.get("tools", [value])
    if not isinstance(value, list | tuple):
        return ()
    return tuple(tool for item in value if isinstance(one := decoded(item), dict) for tool in _tools(one))


def _tools(one: Mapping[str, Any]) -> Iterator[Mapping[str, object]]:
    if isinstance(one.get("function"), dict):
        yield one if one.get("type") == "function" else {"type": "function", "function": one["function"]}
    elif isinstance(one.get("functionDeclarations", one.get("function_declarations")), list):
        for declared in one.get("functionDeclarations") or one["function_declarations"]:
            yield from tools_from([declared])
    elif isinstance(one.get("toolSpec"), dict):
        yield from tools_from([one["toolSpec"]])
    elif one.get("type", "function") in ("function", "custom", None) and isinstance(one.get("name"), str):
        yield {"type": "function", "function": _function(one)}
    else:
        yield one


def _function(one: Mapping[str, Any]) -> dict[str, object]:
    schema = next((one[key] for key in ("parameters", "input_schema", "inputSchema") if one.get(key) is not None), None)
    if isinstance(schema, dict) and isinstance(schema.get("json"), dict):
        schema = schema["json"]
    found = {"name": one["name"], "description": one.get("description"), "parameters": decoded(schema)}
    found["strict"] = one.get("strict")
    return {key: value for key, value in found.items() if value is not None}


def tool_choice_from(value: object) -> object:
    """A tool choice as `auto`, `none`, `required` or `{type: function, function: {name}}`."""
    value = decoded(value)
    if isinstance(value, str):
        return _CHOICES.get(value, value)
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("function"), dict):
        return value
    name, kind = text(value.get("name")), value.get("type")
    if name:
        return {"type": "function", "function": {"name": name}}
    return _CHOICES.get(kind, value) if isinstance(kind, str) else value


def plain_text(messages: Sequence[Message]) -> str:
    """All that is said in the messages, as text."""
    return "\n".join(said for one in messages if (said := text_in(one.get("content"))))
