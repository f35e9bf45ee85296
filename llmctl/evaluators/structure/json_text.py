"""JSON as models write it: read strictly, named by pointer, compared as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from llmctl.canonical import WrittenFloat, WrittenInt, plain
from llmctl.evaluators.wording import QUOTE_CHARACTERS, quote, shorten, visible

__all__ = ["MAX_DEPTH", "JsonRead", "json_difference", "json_text", "pointer_text", "read_json"]

MAX_DEPTH = 100
"""Deeper nesting is what a model writes that repeats itself; it counts as unreadable."""

_MAX_DIGITS = 4000  # Python refuses to convert longer ones


@dataclass(frozen=True, slots=True)
class JsonRead:
    """What came of reading a text as JSON: `value`, or the `problem` as a sentence."""

    value: Any = None
    problem: str | None = None
    text: str = ""
    """What was read, without white space around it."""


class _NotJsonError(ValueError):
    """What RFC 8259 leaves open and llmctl refuses: its message is the problem."""


def read_json(text: str) -> JsonRead:
    """Read JSON strictly: no duplicate keys, no NaN, no infinity. Floats remember how they were written."""
    text = text.strip()
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        return JsonRead(problem=_decode_problem(text, error))
    except _NotJsonError as error:
        return JsonRead(problem=f"not JSON: {error}")
    except RecursionError:
        return JsonRead(problem=_TOO_DEEP)
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        return JsonRead(problem=_TOO_DEEP)
    return JsonRead(value, text=text)


_TOO_DEEP = f"not readable JSON: it is nested deeper than {MAX_DEPTH} levels"


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, list | dict)]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


def _decode_problem(text: str, error: json.JSONDecodeError) -> str:
    if not text:
        return "not JSON: it is empty"
    if text.startswith("```"):
        return "not JSON: it stands in a ``` fence; `find: true` looks inside"
    where = f"line {error.lineno}, column {error.colno}"
    if error.pos >= len(text):
        return f"not JSON: it ends at {where} ({error.msg[:1].lower()}{error.msg[1:]})"
    near = quote(text[error.pos : error.pos + 40])
    return f"not JSON: {error.msg[:1].lower()}{error.msg[1:]} at {where}: {near}"


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _NotJsonError(f"the key {quote(twice, 60)} stands twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise _NotJsonError(f"{name} is no JSON value")


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise _NotJsonError(f"a number of {len(text):,} digits cannot be read")
    return WrittenInt(0, text) if text == "-0" else int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _NotJsonError(f"the number {shorten(text, 40)} is too large")
    return value if repr(value) == text else WrittenFloat(value, text)


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer, parse_float=_float)


def json_text(value: object) -> str:
    """Compact JSON of a value, letters as they are; a text inside a structure keeps its quotes."""
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))


def pointer_text(path: Sequence[str | int]) -> str:
    """The JSON pointer of a path, and `the whole document` for the empty one."""
    if not path:
        return "the whole document"
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def json_difference(got: object, wanted: object, path: tuple[str | int, ...] = ()) -> str | None:
    """The first place where two JSON values differ, as a sentence; None when they are equal.

    1 and 1.0 are equal, `true` and 1 are not, the order of keys is free.
    """
    if isinstance(got, dict) and isinstance(wanted, dict):
        return _object_difference(got, wanted, path)
    if isinstance(got, list) and isinstance(wanted, list):
        return _array_difference(got, wanted, path)
    if _scalar(got) == _scalar(wanted):
        return None
    return f"{_at(path)} is {_shown(got)}, not {_shown(wanted)}"


def _scalar(value: object) -> tuple[str, object]:
    if isinstance(value, bool) or value is None:
        return "constant", value
    if isinstance(value, int | float):
        return "number", value
    return type(value).__name__, value


def _object_difference(got: dict[str, Any], wanted: dict[str, Any], path: tuple[str | int, ...]) -> str | None:
    for key, value in wanted.items():
        if key not in got:
            return f"{_at((*path, key))} is missing; expected {_shown(value)}"
        problem = json_difference(got[key], value, (*path, key))
        if problem:
            return problem
    extra = next((key for key in got if key not in wanted), None)
    return None if extra is None else f"{_at((*path, extra))} is {_shown(got[extra])}, and not expected"


def _array_difference(got: list[Any], wanted: Sequence[Any], path: tuple[str | int, ...]) -> str | None:
    for index, (one, other) in enumerate(zip(got, wanted, strict=False)):
        problem = json_difference(one, other, (*path, index))
        if problem:
            return problem
    if len(got) < len(wanted):
        return f"{_at((*path, len(got)))} is missing; expected {_shown(wanted[len(got)])}"
    if len(got) > len(wanted):
        return f"{_at((*path, len(wanted)))} is {_shown(got[len(wanted)])}, and not expected"
    return None


def _at(path: tuple[str | int, ...]) -> str:
    return visible(pointer_text(path))


def _shown(value: object) -> str:
    return visible(json_text(value), QUOTE_CHARACTERS // 2)
