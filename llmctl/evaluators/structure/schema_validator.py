"""A JSON Schema validator that ends: patterns cannot hang, unique items take linear time, the rest has a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend
from referencing import Registry

from llmctl.errors import EvaluatorError
from llmctl.evaluators.patterns import compile_either
from llmctl.evaluators.structure.json_text import json_text, pointer_text
from llmctl.evaluators.wording import quote, visible

__all__ = ["FORMATS", "LIMIT_S", "make_validator", "violations"]

LIMIT_S = 2.0
"""How long one output may be checked."""

_UNCHECKED = {
    "iri",  # jsonschema's parser takes minutes for a text of 200,000 characters
    "iri-reference",
    "regex",  # Python's dialect; patterns are checked by compiling them
}
_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))

Keyword = Callable[[Any, Any, Any, Any], Any]


def _formats() -> FormatChecker:
    formats = FormatChecker(formats=())
    known = Draft202012Validator.FORMAT_CHECKER.checkers
    formats.checkers = {name: check for name, check in known.items() if name not in _UNCHECKED}
    return formats


FORMATS = _formats()
"""The formats that are checked."""


def _timed(keyword: Keyword) -> Keyword:
    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        if time.monotonic() > _deadline.get():
            raise EvaluatorError(f"checking the output against the schema took longer than {LIMIT_S:g} s")
        return keyword(validator, value, instance, schema)

    return check


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and compile_either(pattern).search(instance) is None:
        yield ValidationError(f"{quote(instance, 80)} does not match the pattern {quote(pattern, 80)}")


def _required(_validator: Any, keys: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for key in keys:
            if key not in instance:
                yield ValidationError(f"the key {quote(key, 60)} is missing")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, inner in patterns.items():
        compiled = compile_either(pattern)
        for key, value in instance.items():
            if compiled.search(key):
                yield from validator.descend(value, inner, path=key, schema_path=pattern)


def _additional_properties(validator: Any, extra: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    patterns = [compile_either(pattern) for pattern in schema.get("patternProperties", ())]
    known = schema.get("properties", {})
    for key, value in instance.items():
        if key in known or any(pattern.search(key) for pattern in patterns):
            continue
        if extra is False:
            yield ValidationError(f"the key {quote(key, 60)} is not allowed")
        else:
            yield from validator.descend(value, extra, path=key)


def _unique_items(_validator: Any, unique: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if not unique or not isinstance(instance, list):
        return
    seen: dict[object, int] = {}
    for index, item in enumerate(instance):
        first = seen.setdefault(_identity(item), index)
        if first != index:
            yield ValidationError(f"items {first} and {index} are equal, and must be unique")
            return


def _identity(value: Any) -> object:
    """Equal for values that are equal as JSON: 1 and 1.0 are, true and 1 are not."""
    match value:
        case bool() | None | str():
            return type(value), value
        case list():
            return "array", tuple(_identity(item) for item in value)
        case dict():
            return "object", frozenset((key, _identity(item)) for key, item in value.items())
        case _:
            return "number", value


def _bounded() -> Any:
    own: dict[str, Keyword] = {
        "pattern": _pattern,
        "required": _required,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    keywords = {**Draft202012Validator.VALIDATORS, **own}
    timed = {name: _timed(keyword) for name, keyword in keywords.items()}
    return extend(Draft202012Validator, validators=timed)  # type: ignore[no-untyped-call]


_Bounded = _bounded()


def make_validator(schema: Any) -> Any:
    """A validator for a schema that `schema_check` found no fault in.

    `$schema` is left out: on meeting it, jsonschema changes back to its own validator, without the bounds.
    """
    inner = {key: value for key, value in schema.items() if key != "$schema"} if isinstance(schema, dict) else schema
    return _Bounded(inner, registry=Registry(), format_checker=FORMATS)


def violations(validator: Any, instance: object, limit: int) -> list[str]:
    """The first few violations, one sentence each, with the JSON pointer of the place.

    Raises:
        EvaluatorError: it took too long, or the schema refers to itself without end.
    """
    token = _deadline.set(time.monotonic() + LIMIT_S)
    try:
        return [_sentence(error) for error in islice(validator.iter_errors(instance), limit)]
    except RecursionError:
        raise EvaluatorError("it is nested too deeply, or refers to itself without end") from None
    finally:
        _deadline.reset(token)


_PLAIN: Mapping[str, Callable[[ValidationError], str]] = {
    "type": lambda error: f"is {_shown(error.instance)}, not of type {_types(error.validator_value)}",
    "enum": lambda error: f"is {_shown(error.instance)}, none of {_shown(error.validator_value)}",
    "const": lambda error: f"is {_shown(error.instance)}, not {_shown(error.validator_value)}",
    "format": lambda error: f"is {_shown(error.instance)}, which is no {error.validator_value}",
    "minimum": lambda error: f"is {_shown(error.instance)}, below {_shown(error.validator_value)}",
    "maximum": lambda error: f"is {_shown(error.instance)}, above {_shown(error.validator_value)}",
}


def _sentence(error: ValidationError) -> str:
    deepest = best_match([error]) if error.context else error
    error = error if deepest is None else deepest
    words = _PLAIN.get(str(error.validator))
    where = visible(pointer_text(list(error.absolute_path)))
    return f"{where} {words(error)}" if words else f"{where}: {visible(error.message)}"


def _types(value: object) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)


def _shown(value: object) -> str:
    return visible(json_text(value), 100)
