"""One text for one value: canonical JSON, content hashes, and scalars that remember how they were written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

__all__ = [
    "WrittenBool",
    "WrittenFloat",
    "WrittenInt",
    "canonical_json",
    "digest",
    "from_json",
    "plain",
    "to_json",
    "written",
]

_TAG = "$written"


class WrittenInt(int):
    """A whole number whose text is not its canonical one: `010`, `+5`, `0x1F`. Prints as written."""

    text: str

    def __new__(cls, value: int, text: str) -> WrittenInt:
        """Keep the value and the text it was written as."""
        number = super().__new__(cls, value)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


class WrittenFloat(float):
    """A number whose text is not its canonical one: `1.10`, `1e3`, `.5`. Prints as written."""

    text: str

    def __new__(cls, value: float, text: str) -> WrittenFloat:
        """Keep the value and the text it was written as."""
        number = super().__new__(cls, value)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


class WrittenBool(int):
    """A truth value written `True` or `TRUE`: behaves as 1 or 0, prints as written (`bool` cannot be subclassed)."""

    text: str

    def __new__(cls, value: bool, text: str) -> WrittenBool:
        """Keep the value and the text it was written as."""
        flag = super().__new__(cls, value)
        flag.text = text
        return flag

    def __str__(self) -> str:
        return self.text


def written(value: object) -> str:
    """The text of a scalar as its author wrote it: `1.10`, `010`, `true`, `null`.

    A list or mapping gives its JSON text, keys in the author's order.
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case list() | tuple() | dict():
            return orjson.dumps(plain(value)).decode()
        case _:
            return str(value)


def plain(value: Any) -> Any:
    """The same value with ordinary numbers and truth values, for JSON that others read."""
    match value:
        case WrittenBool():
            return bool(value)
        case WrittenInt():
            return int(value)
        case WrittenFloat():
            return float(value)
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value


def _tag(value: Any) -> Any:
    if isinstance(value, WrittenInt | WrittenFloat | WrittenBool):
        return {_TAG: [type(value).__name__, plain(value), value.text]}
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


_OPTIONS = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_NON_STR_KEYS
_SORTED = _OPTIONS | orjson.OPT_SORT_KEYS


def to_json(value: object) -> bytes:
    """JSON that `from_json` reads back to the same value, written scalars included."""
    return orjson.dumps(value, default=_tag, option=_OPTIONS)


def from_json(text: bytes | str) -> Any:
    """Read what `to_json` wrote."""
    return _untag(orjson.loads(text))


def _untag(value: Any) -> Any:
    match value:
        case {"$written": ["WrittenInt", int(number), str(text)]} if len(value) == 1:
            return WrittenInt(number, text)
        case {"$written": ["WrittenFloat", float(number), str(text)]} if len(value) == 1:
            return WrittenFloat(number, text)
        case {"$written": ["WrittenBool", bool(flag), str(text)]} if len(value) == 1:
            return WrittenBool(flag, text)
        case dict():
            return {key: _untag(item) for key, item in value.items()}
        case list():
            return [_untag(item) for item in value]
        case _:
            return value


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no white space: equal values give equal bytes."""
    return orjson.dumps(value, default=_tag, option=_SORTED)


def digest(*parts: object) -> str:
    """SHA-256 of the canonical JSON of the parts, as 64 hexadecimal digits."""
    return hashlib.sha256(orjson.dumps(parts, default=_tag, option=_SORTED)).hexdigest()
