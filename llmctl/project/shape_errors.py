"""A file checked against its shape: one plain, located problem for each mistake."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from llmctl.canonical import WrittenBool, written
from llmctl.errors import Problem
from llmctl.project.shapes import TAGS, WRONG_TYPE, Shape
from llmctl.project.syntax.document import EMPTY, DataPath, Document

__all__ = ["check", "check_parts", "check_value", "closest", "kind_of", "nearest", "quoted_list", "subject"]

S = TypeVar("S", bound=Shape)
_QUOTED = re.compile(r"'([^']*)'")
_LIMITS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def check(shape: type[S], document: Document, problems: list[Problem]) -> S | None:
    """The whole file as its shape, or None with every mistake added to `problems`."""
    if document.data is EMPTY:
        if document.readable:
            problems.append(document.problem((), "The file is empty."))
        return None
    return check_value(shape, document.data, document, (), problems)


def check_value(shape: type[S], value: object, document: Document, path: DataPath, problems: list[Problem]) -> S | None:
    """A value that stands at `path` as its shape, or None with every mistake added to `problems`."""
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        problems.extend(_translate(shape, error, document, tuple(path)))
    return None


def check_parts(shape: type[S], document: Document, problems: list[Problem]) -> S | None:
    """Like `check`, but of a file with mistakes the keys without one remain, so that they are looked at too."""
    if not isinstance(document.data, dict):
        return check(shape, document, problems)
    try:
        return shape.model_validate(document.data)
    except ValidationError as error:
        problems.extend(_translate(shape, error, document, ()))
        broken = {one["loc"][0] for one in error.errors(include_url=False)}
    return shape.model_validate({key: value for key, value in document.data.items() if key not in broken})


def _translate(
    shape: type[Shape], error: ValidationError, document: Document, base: tuple[str | int, ...]
) -> list[Problem]:
    # What is EMPTY has been reported by the reader.
    details = [one for one in error.errors(include_url=False) if one["input"] is not EMPTY]
    meant = {suggested for one in details if (suggested := _meant(shape, one))}
    return [
        _problem(shape, document, base, one) for one in details if one["type"] != "missing" or _loc(one) not in meant
    ]


def nearest(word: str, words: Iterable[str]) -> str | None:
    """`Did you mean ...?` for the nearest spelling, where one is near."""
    found = closest(word, words)
    return f"Did you mean `{found}`?" if found else None


def closest(word: str, words: Iterable[str]) -> str | None:
    """The nearest spelling, upper and lower case alike."""
    folded = {one.casefold(): one for one in sorted(words)}
    found = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def quoted_list(words: Iterable[str]) -> str:
    """`a`, `b`, `c`: names inside a sentence."""
    return ", ".join(f"`{word}`" for word in words)


def kind_of(value: object) -> str:
    """What a value is, in plain words; short text and numbers are shown."""
    match value:
        case None:
            return "null"
        case bool() | WrittenBool():
            return f"`{written(value)}`"
        case int() | float():
            return f"the number {written(value)}"
        case str():
            return f"the text `{value}`" if len(value) <= 40 and value.isprintable() else "text"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return "this"


def subject(path: DataPath) -> str:
    """How a sentence names the value at a path: by its key, or as an item of a list."""
    if not path:
        return "The file"
    last = path[-1]
    if isinstance(last, str):
        return f"`{last}`"
    parent = f" of `{path[-2]}`" if len(path) > 1 else ""
    return f"Item {last + 1}{parent}"


def _problem(shape: type[Shape], document: Document, base: tuple[str | int, ...], detail: ErrorDetails) -> Problem:
    loc = _loc(detail)
    path = (*base, *loc)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown(document, path, _shape_at(shape, detail["loc"][:-1]))
    if kind == "missing":
        return document.problem(path[:-1], f"{subject(path[:-1])} needs `{path[-1]}`.")
    return document.problem(path, *_sentence(detail, path))


def _loc(detail: ErrorDetails) -> tuple[str | int, ...]:
    """The path without the names of branches; an unknown key may look like one."""
    steps = detail["loc"]
    last = len(steps) - 1 if detail["type"] == "extra_forbidden" else None
    return tuple(step for number, step in enumerate(steps) if step not in TAGS or number == last)


def _meant(shape: type[Shape], detail: ErrorDetails) -> tuple[str | int, ...] | None:
    """Where the key would stand that an unknown key is a misspelling of: it is not missing as well."""
    if detail["type"] != "extra_forbidden":
        return None
    inner = _shape_at(shape, detail["loc"][:-1])
    *parent, key = _loc(detail)
    found = closest(str(key), _keys(inner)) if inner else None
    return (*parent, found) if found else None


def _unknown(document: Document, path: DataPath, shape: type[Shape] | None) -> Problem:
    key = str(path[-1])
    if shape and key in shape.reserved:
        message = f"`{key}` is planned and does not work yet."
        return document.problem(path, message, "Delete it for now.", key=True)
    known = _keys(shape) if shape else []
    where = f" in {subject(path[:-1])}" if len(path) > 1 and isinstance(path[-2], str) else ""
    hint = nearest(key, known) or f"Known here: {quoted_list(known)}."
    return document.problem(path, f"There is no key `{key}`{where}.", hint, key=True)


def _sentence(detail: ErrorDetails, path: DataPath) -> tuple[str, str | None]:
    name, kind, value = subject(path), detail["type"], detail["input"]
    context: dict[str, Any] = detail.get("ctx", {})
    if kind == WRONG_TYPE:
        return f"{name} must be {context['want']}, not {kind_of(value)}.", _type_hint(context["want"], value)
    if kind == "llmctl_null":
        return f"{name} is null.", "Give it a value, or delete the key."
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{name} must be a mapping, not {kind_of(value)}.", None
    if kind == "list_type":
        return f"{name} must be a list, not {kind_of(value)}.", None
    if kind in _LIMITS:
        words, key = _LIMITS[kind]
        return f"{name} must be {words} {_number(context[key])}, not {written(value)}.", None
    if kind == "literal_error":
        allowed = _QUOTED.findall(context["expected"])
        return f"{name} must be one of {quoted_list(allowed)}, not {kind_of(value)}.", nearest(written(value), allowed)
    if kind in ("too_short", "string_too_short"):
        return f"{name} is empty.", None
    return f"{name}: {detail['msg']}.", None


def _number(value: float) -> str:
    return f"{value:g}"


def _type_hint(want: str, value: object) -> str | None:
    if want == "a list of texts" and isinstance(value, str | int | float):
        return f"Write [{written(value)}]."
    if want == "true or false" and isinstance(value, str) and value.casefold() in ("yes", "on", "no", "off"):
        return f"Write {'true' if value.casefold() in ('yes', 'on') else 'false'}."
    return None


def _keys(shape: type[Shape]) -> list[str]:
    return [field.alias or name for name, field in shape.model_fields.items()]


def _shape_at(shape: type[Shape], loc: DataPath) -> type[Shape] | None:
    """The shape that holds at pydantic's `loc`."""
    kinds: list[Any] = [shape]
    for step in loc:
        if step in TAGS:
            kinds = [kind for kind in kinds if getattr(kind, "tag", step) == step]  # lists and mappings have none
        else:
            kinds = [inner for kind in kinds for inner in _inside(kind, step)]
    found: list[type[Shape]] = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Shape)]
    return found[0] if found else None


def _inside(kind: Any, step: str | int) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, Shape):
        return [
            part
            for name, field in kind.model_fields.items()
            if (field.alias or name) == step
            for part in _parts(field.annotation)
        ]
    if get_origin(kind) is list and isinstance(step, int):
        return _parts(get_args(kind)[0])
    if get_origin(kind) is dict:
        return _parts(get_args(kind)[1])
    return []


def _parts(annotation: Any) -> list[Any]:
    """The kinds that an annotation allows, `Annotated` and unions taken apart."""
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [part for member in get_args(annotation) for part in _parts(member)]
    return [annotation]
