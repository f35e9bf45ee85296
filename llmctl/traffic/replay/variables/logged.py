"""Logged messages as a prompt would have made them, so that the two can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmctl.traffic.logged_call import Message

__all__ = ["comparable", "said"]

_NOTHING: tuple[object, ...] = (None, "", [], {})
_PRESENTATION = frozenset({"cache_control"})
"""Keys of a part that change nothing of what is asked."""


def comparable(messages: Sequence[Message]) -> tuple[dict[str, Any], ...]:
    """The messages without keys that say nothing; a content of one text part as that text."""
    return tuple(_message(message) for message in messages)


def _message(message: Message) -> dict[str, Any]:
    rest = {key: value for key, value in message.items() if key not in ("role", "content") and value not in _NOTHING}
    return {"role": message.get("role"), "content": _content(message.get("content")), **rest}


def _content(content: object) -> object:
    if not isinstance(content, list):
        return content
    parts = [_part(part) for part in content]
    match parts:
        case [{"type": "text", "text": str(text), **rest}] if not rest:
            return text
    return parts


def _part(part: object) -> object:
    if not isinstance(part, Mapping):
        return part
    return {key: value for key, value in part.items() if key not in _PRESENTATION and value is not None}


def said(message: Message) -> str:
    """The text of a message; of several parts, their texts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    return "\n".join(text for text in texts if isinstance(text, str))
