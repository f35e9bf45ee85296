"""Values of foreign logs, read leniently: numbers and JSON in texts, times in every notation; what is wrong is None."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

__all__ = [
    "count",
    "decoded",
    "epoch_s",
    "first",
    "json_text",
    "literal",
    "mapping",
    "number",
    "objects",
    "text",
    "texts",
]

_LONGEST_NUMBER = 40
_LONGEST_LITERAL = 2**20
_PYTHON = re.compile(r"\s*\[?\s*\{\s*'")
_YEAR_2001_S = 1e9
"""Below it, a number is a duration or a counter, not a time of a model call."""
_YEAR_2286_S = 1e10
_SMALLER_UNITS = (1e3, 1e6, 1e9)


def mapping(value: object) -> dict[str, Any]:
    """The object, also one that stands as JSON in a text; an empty one where it is none."""
    if type(value) is dict:
        return value
    value = literal(value)
    if isinstance(value, dict):
        return value
    return dict(value) if isinstance(value, Mapping) else {}


def objects(value: object) -> list[dict[str, Any]]:
    """The objects in a list; none where it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list | tuple) else []


def decoded(value: object) -> object:
    """The value of a text that is a JSON object or array; everything else as it is."""
    if not isinstance(value, str) or not value:
        return value
    start = value.lstrip()[:1]
    if start not in ("{", "["):
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return value


def literal(value: object) -> object:
    """The same as `decoded`, also for what Python prints of a list or an object (tables that pandas has written)."""
    found = decoded(value)
    if not isinstance(found, str) or not _PYTHON.match(found) or len(found) > _LONGEST_LITERAL:
        return found
    import ast

    try:
        return ast.literal_eval(found)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return found


def text(value: object) -> str | None:
    """A text that says something, or a number as text."""
    if type(value) is str:
        return value or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def texts(value: object) -> tuple[str, ...]:
    """Tags: a list of texts (also as JSON), or one text with commas between them."""
    value = decoded(value)
    if isinstance(value, str):
        return tuple(part for raw in value.split(",") if (part := raw.strip()))
    if isinstance(value, Sequence | set | frozenset):
        return tuple(one for item in value if (one := text(item)) is not None)
    return ()


def number(value: object) -> float | None:
    """A finite number, also as text (`"0.0021"`: decimals of databases)."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str) and len(value) > _LONGEST_NUMBER:
        return None
    if not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def count(value: object) -> int | None:
    """A number of tokens or the like: whole and not negative, also as text or as `58.0`."""
    if type(value) is int:
        return value if value >= 0 else None
    found = number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None


def epoch_s(value: object) -> float | None:
    """A time as UTC epoch seconds: ISO 8601 (without a zone: UTC), or s, ms, us or ns since 1970 (by magnitude)."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            return _since_1970(number(value))
        # `20261120` is a date for the parser, and `1795400001` none: what is all digits is a number of seconds.
        if value.isdigit() and len(value) > 8:
            return _since_1970(number(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return _since_1970(number(value))


def _since_1970(found: float | None) -> float | None:
    if found is None or found < _YEAR_2001_S:
        return None
    if found < _YEAR_2286_S:
        return found
    return next((found / unit for unit in _SMALLER_UNITS if found / unit < _YEAR_2286_S), None)


def first(value: Mapping[str, Any], names: Sequence[str]) -> Any:
    """What stands under the first of these names that has anything but null or an empty text; None: under none."""
    for name in names:
        found = value.get(name)
        if found is not None and found != "":
            return found
    return None


def json_text(value: object) -> str:
    """The value as JSON on one line; a text as it is (arguments of tool calls are JSON in a text)."""
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a lone surrogate, or a number beyond 64 bits
        import json

        return json.dumps(value, default=str)
