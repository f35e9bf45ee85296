"""One JSON value from its text, also where others write what JSON does not have."""

from __future__ import annotations

import json
from typing import Any

import orjson

from llmctl.safe_text import replace_surrogates
from llmctl.traffic.documents.found import Found, Unreadable
from llmctl.traffic.readers.base import Document

__all__ = ["NOT_JSON", "NOT_OBJECT", "NOT_UTF8", "document_of"]

NOT_JSON = "not JSON"
NOT_OBJECT = "not a JSON object"
NOT_UTF8 = "not UTF-8 text (--encoding names another)"
_NUL = "holds NUL bytes"
_TOO_DEEP = "nested too deeply"
_BOM = b"\xef\xbb\xbf"


def document_of(text: bytes, line: int) -> Found:
    """The document that a text is; white space, a byte order mark, NUL bytes and a comma around it do not count."""
    stripped = text.strip(b" \t\r\n\0\x1e,").removeprefix(_BOM)
    try:
        value = orjson.loads(stripped)
        raw = stripped.decode()
    except (orjson.JSONDecodeError, UnicodeDecodeError):
        return _leniently(stripped, line)
    return Document(value, raw, line) if type(value) is dict else Unreadable(line, NOT_OBJECT)


def _leniently(text: bytes, line: int) -> Found:
    """Python writes NaN, JavaScript half a character: both are read. NaN is nothing, half a character is U+FFFD."""
    try:
        raw = text.decode()
    except UnicodeDecodeError:
        return Unreadable(line, NOT_UTF8)
    try:
        value = json.loads(raw, parse_constant=_no_number, strict=False)
    except RecursionError:
        return Unreadable(line, _TOO_DEEP)
    except ValueError:
        return Unreadable(line, _NUL if "\0" in raw else NOT_JSON)
    try:
        whole = _whole(value)
    except RecursionError:
        return Unreadable(line, _TOO_DEEP)
    return Document(whole, raw, line) if isinstance(whole, dict) else Unreadable(line, NOT_OBJECT)


def _no_number(_name: str) -> None:
    """NaN and Infinity: nothing that a record could hold."""


def _whole(value: Any) -> Any:
    match value:
        case str():
            return replace_surrogates(value)
        case dict():
            return {replace_surrogates(key): _whole(item) for key, item in value.items()}
        case list():
            return [_whole(item) for item in value]
        case int() if not -(2**63) <= value < 2**64:
            return float(value) if abs(value) < 10**300 else None
        case float() if value - value != 0:  # 1e999
            return None
        case _:
            return value
