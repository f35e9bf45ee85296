"""Tables of `llmctl.toml` as text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from llmctl.canonical import plain

__all__ = ["toml_table"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_table(path: tuple[str, ...], data: Mapping[str, object]) -> str:
    """`[models.gpt]` and its keys, one a line; mappings inside are inline tables, and keys that hold None left out."""
    lines = [f"[{'.'.join(map(_key, path))}]"]
    lines += [f"{_key(key)} = {_value(value)}" for key, value in plain(data).items() if value is not None]
    return "\n".join(lines) + "\n"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    quoted = json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False)
    return quoted.replace("\x7f", "\\u007f")


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case int() | float():
            return repr(value)
        case Mapping():
            inside = ", ".join(f"{_key(str(key))} = {_value(item)}" for key, item in value.items() if item is not None)
            return f"{{{inside}}}"
        case list() | tuple():
            return f"[{', '.join(_value(item) for item in value if item is not None)}]"
        case _:
            raise TypeError(f"{type(value).__name__} cannot be written as TOML")
