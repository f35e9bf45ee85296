"""Messages of OpenTelemetry's GenAI conventions (a role and parts) in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmctl.traffic.logged_call import Message
from llmctl.traffic.readers.messages import messages_from
from llmctl.traffic.readers.values import decoded, json_text, text

__all__ = ["genai_messages", "system_text"]

_SILENT = frozenset({"reasoning", "thinking", "compaction"})
_CALLS = frozenset({"tool_call", "server_tool_call"})
_ANSWERS = frozenset({"tool_call_response", "server_tool_call_response"})


def genai_messages(value: object) -> tuple[Message, ...]:
    """Messages, from a list of them or from its JSON; those that have OpenAI's shape already stay as they are."""
    value = decoded(value)
    values = value if isinstance(value, list) else [value]
    found = [message for one in values for message in _messages(decoded(one))]
    return messages_from(found) or ()


def system_text(value: object) -> str | None:
    """The system instructions: a text, a list of parts, or their JSON."""
    value = decoded(value)
    if isinstance(value, str):
        return value or None
    parts = value if isinstance(value, list) else [value]
    if len(parts) == 1 and isinstance(parts[0], Mapping) and isinstance(parts[0].get("parts"), list):
        parts = parts[0]["parts"]
    found = [said for part in parts if (said := _text(part))]
    return "\n\n".join(found) or None


def _text(part: object) -> str | None:
    if isinstance(part, str):
        return part
    return text(part.get("content", part.get("text"))) if isinstance(part, Mapping) else None


def _messages(one: object) -> Iterator[Mapping[str, Any]]:
    if not isinstance(one, Mapping):
        if isinstance(one, str) and one:
            yield {"role": "user", "content": one}
        return
    parts = one.get("parts")
    if not isinstance(parts, list):
        yield one
        return
    for part in parts:
        if _kind(part) in _ANSWERS:
            yield _answer(part)
    calls = [_call(part) for part in parts if _kind(part) in _CALLS]
    content = [found for part in parts if (found := _content(part)) is not None]
    if not calls and not content and any(_kind(part) in _ANSWERS for part in parts):
        return
    message: dict[str, Any] = {"role": text(one.get("role")) or "user", "content": _joined(content)}
    if name := text(one.get("name")):
        message["name"] = name
    if calls:
        message["tool_calls"] = calls
    yield message


def _kind(part: object) -> str | None:
    return text(part.get("type")) if isinstance(part, Mapping) else None


def _joined(content: list[dict[str, Any]]) -> str | list[dict[str, Any]] | None:
    if content and all(part["type"] == "text" for part in content):
        return "".join(part["text"] for part in content)
    return content or None


def _call(part: Mapping[str, Any]) -> dict[str, Any]:
    given = part.get("arguments")
    if given is None:
        given = part.get("server_tool_call") or {}
    function = {"name": text(part.get("name")) or "", "arguments": json_text(given)}
    found: dict[str, Any] = {"type": "function", "function": function}
    return {"id": part["id"], **found} if text(part.get("id")) else found


def _answer(part: Mapping[str, Any]) -> dict[str, Any]:
    said = next((part[name] for name in ("response", "result", "content") if part.get(name) is not None), "")
    return {"role": "tool", "tool_call_id": text(part.get("id")), "content": json_text(said)}


def _content(part: object) -> dict[str, Any] | None:
    """A part as OpenAI's; None: it is no content (a tool call, a thought)."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if not isinstance(part, Mapping):
        return None
    kind = _kind(part)
    if kind in _SILENT or kind in _CALLS or kind in _ANSWERS:
        return None
    if kind in ("text", None):
        said = part.get("content", part.get("text"))
        return (
            {"type": "text", "text": said if isinstance(said, str) else json_text(said)} if said is not None else None
        )
    if kind == "blob":
        return _blob(part)
    if kind == "uri" and part.get("modality") in ("image", None):
        return {"type": "image_url", "image_url": {"url": part.get("uri")}}
    if kind == "file" and part.get("file_id"):
        return {"type": "file", "file": {"file_id": part["file_id"]}}
    return dict(part)


def _blob(part: Mapping[str, Any]) -> dict[str, Any]:
    kind = text(part.get("mime_type")) or "application/octet-stream"
    data = text(part.get("content", part.get("data"))) or ""
    if part.get("modality") == "image" or kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}
    if part.get("modality") == "audio" or kind.startswith("audio/"):
        return {"type": "input_audio", "input_audio": {"data": data, "format": kind.rpartition("/")[2]}}
    return {"type": "file", "file": {"file_data": f"data:{kind};base64,{data}"}}
