"""Values as they can be sent: ordinary numbers, and text without half a surrogate pair."""

from __future__ import annotations

from typing import Any

from llmctl.canonical import plain
from llmctl.safe_text import replace_surrogates

__all__ = ["sendable"]


def sendable(value: Any) -> Any:
    """Ordinary numbers and text that can be sent: half a surrogate pair cannot."""
    # Nearly all that is sent is texts in lists and mappings: matching patterns twice took a tenth of a plan.
    kind = type(value)
    if kind is str:
        return value if value.isascii() else replace_surrogates(value)
    if kind is dict:
        return {sendable(str(key)): sendable(item) for key, item in value.items()}
    if kind is list:
        return [sendable(item) for item in value]
    return _sendable(plain(value))


def _sendable(value: Any) -> Any:
    match value:
        case str():
            return value if value.isascii() else replace_surrogates(value)
        case dict():
            return {_sendable(key): _sendable(item) for key, item in value.items()}
        case list():
            return [_sendable(item) for item in value]
        case _:
            return value
