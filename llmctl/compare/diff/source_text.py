"""Stored sources as text that can be compared line by line: a prompt, parameters, a case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmctl.canonical import written

__all__ = ["data_text", "prompt_text"]

_INDENT = "  "
_LEFT_OUT = ("name", "path", "model", "params", "rev", "commit", "digest", "place", "description")
"""What of a prompt's source is compared elsewhere, or changes no answer."""


def prompt_text(source: Mapping[str, Any]) -> str:
    """What a prompt says and asks for: its messages, tools, output format or application."""
    rest = {name: value for name, value in source.items() if name not in _LEFT_OUT and name != "messages" and value}
    if rest.get("output") == "text":
        del rest["output"]
    parts = [_message(message) for message in source.get("messages") or ()]
    return "\n".join(part for part in (*parts, data_text(rest) if rest else "") if part)


def _message(message: Mapping[str, Any]) -> str:
    role, content = message.get("role"), message.get("content")
    if isinstance(role, str) and isinstance(content, str):
        return f"{role}:\n" + "\n".join(_INDENT + line for line in content.split("\n"))
    return data_text([_placeless(message)])


def _placeless(value: object) -> object:
    """Without the lines of the file that parts came from: a line put in above is no change of the part."""
    if isinstance(value, Mapping):
        return {name: _placeless(item) for name, item in value.items() if name != "place"}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_placeless(item) for item in value]
    return value


def data_text(value: object) -> str:
    """Mappings, lists and scalars, one to a line, as in YAML; several lines of text stand below their key."""
    return "\n".join(_lines(value))


def _lines(value: object) -> Iterator[str]:
    match value:
        case Mapping():
            for name, item in value.items():
                yield from _headed(f"{name}:", item)
        case str():
            yield from value.split("\n")
        case Sequence():
            for item in value:
                yield from _headed("-", item)
        case _:
            yield written(value)


def _headed(head: str, item: object) -> Iterator[str]:
    lines = list(_lines(item)) or ["{}" if isinstance(item, Mapping) else "[]"]
    if len(lines) == 1 and not (isinstance(item, Mapping) and item):
        yield f"{head} {lines[0]}"
        return
    yield head
    for line in lines:
        yield _INDENT + line
