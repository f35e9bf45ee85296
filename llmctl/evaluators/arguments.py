"""From what stands under an evaluator's name to the evaluator: each argument checked against its field's type."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from llmctl.canonical import plain
from llmctl.evaluators.base import Evaluator
from llmctl.evaluators.findings import ArgumentError, Finding
from llmctl.evaluators.wording import listed, nearest, quote

__all__ = ["Argument", "arguments_of", "make"]


@dataclass(frozen=True, slots=True)
class Argument:
    """One field of an evaluator that users may write."""

    name: str
    adapter: TypeAdapter[Any]
    required: bool
    type: Any


@lru_cache(maxsize=256)
def arguments_of(cls: type[Evaluator]) -> Mapping[str, Argument]:
    """The arguments of an evaluator by name, in the order of its fields."""
    hints = typing.get_type_hints(cls, include_extras=True)
    found = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.init and "setting" not in field.metadata:
            required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            found[field.name] = Argument(field.name, TypeAdapter(hints[field.name]), required, hints[field.name])
    return found


def make(cls: type[Evaluator], args: object, defaults: Mapping[str, object]) -> Evaluator:
    """An evaluator from its arguments: a mapping, its one value, or None for nothing.

    `defaults` are the project's: arguments that the bank may leave out, and fields that are none (see `SETTING`).

    Raises:
        ArgumentError: an argument is unknown, missing or of the wrong type, or they do not go together.
    """
    named = _named(cls, args)
    path: Callable[[str], tuple[str | int, ...]] = (
        (lambda name: (name,)) if isinstance(args, Mapping) else (lambda _: ())
    )
    known = arguments_of(cls)
    findings = [
        Finding(f"`{cls.name}` has no argument {quote(str(name), 60)}", (name,), _way_out(str(name), cls))
        for name in named
        if name not in known
    ]
    values = {name: value for name, value in defaults.items() if name not in known}
    for argument in known.values():
        if argument.name in named:
            try:
                values[argument.name] = _valid(argument, named[argument.name])
            except ValidationError as error:
                findings.append(_finding(cls, argument.name, error, path(argument.name)))
        elif argument.name in defaults:
            values[argument.name] = defaults[argument.name]
        elif argument.required:
            findings.append(Finding(f"`{cls.name}` needs {quote(argument.name)}", (), _example(cls, argument.name)))
    if findings:
        raise ArgumentError(findings)
    return _construct(cls, values)


def _construct(cls: type[Evaluator], values: Mapping[str, object]) -> Evaluator:
    try:
        return cls(**values)
    except ArgumentError:
        raise
    except ValueError as error:
        raise ArgumentError([Finding(f"`{cls.name}` {error}")]) from None


def _named(cls: type[Evaluator], args: object) -> Mapping[str, object]:
    if args is None:
        return {}
    if isinstance(args, Mapping):
        return args
    if cls.value_field is None:
        raise ArgumentError([Finding(f"`{cls.name}` takes no value of its own, only named arguments")])
    return {cls.value_field: args}


def _valid(argument: Argument, value: object) -> object:
    try:
        return argument.adapter.validate_python(value, strict=True)
    except ValidationError:
        # `010` and `True` are numbers and truth values that remember their text; only fields of text want that
        return argument.adapter.validate_python(plain(value), strict=True)


def _way_out(name: str, cls: type[Evaluator]) -> str:
    known = arguments_of(cls)
    return nearest(name, known) or (f"It has {listed(known)}." if known else "It has none.")


def _example(cls: type[Evaluator], name: str) -> str | None:
    return f"Write `{cls.name}: ...`, or `{cls.name}: {{{name}: ...}}`." if name == cls.value_field else None


_SENTENCES = {
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be a text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "none_required": "must be left out",
}


def _finding(cls: type[Evaluator], name: str, error: ValidationError, path: tuple[str | int, ...]) -> Finding:
    first = error.errors(include_url=False)[0]
    sentence = _SENTENCES.get(first["type"], first["msg"])
    hint = None
    if first["type"] == "literal_error":
        choices = [str(choice) for choice in typing.get_args(arguments_of(cls)[name].type)]
        sentence, hint = f"must be one of {listed(choices)}", nearest(str(first["input"]), choices)
    inner = tuple(step for step in first["loc"] if isinstance(step, int))
    return Finding(f"{quote(name)} of `{cls.name}` {sentence}", (*path, *inner), hint)
