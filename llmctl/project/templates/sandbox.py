"""The Jinja2 environment of prompts: strict, without files, and with nothing in reach but plain data."""

from __future__ import annotations

import difflib
import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import StrictUndefined
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, missing

from llmctl.project.templates.budget import BUDGET, MAX_STEPS, NUMBERS, TemplateError
from llmctl.project.templates.filters import FILTERS, TESTS, add, centered, formatted, joined, repeated, replaced
from llmctl.project.templates.rewrite import COUNTED, HIDDEN

__all__ = ["Sandbox"]

_MAX_TOKENS = 50_000
_MAX_POWER_BITS = 1024
_SYMBOLS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv}
_SYMBOLS |= {"%": operator.mod, "**": operator.pow}

# fmt: off
_TEXT_METHODS = frozenset({
    "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isascii", "isdecimal",
    "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "lower", "lstrip", "partition", "removeprefix",
    "removesuffix", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip",
    "swapcase", "title", "upper",
})
# fmt: on
_GROWING_TEXT_METHODS: dict[str, Callable[..., Any]] = {
    "center": centered,
    "ljust": functools.partial(centered, method="ljust"),
    "rjust": functools.partial(centered, method="rjust"),
    "zfill": functools.partial(centered, method="zfill"),
    "join": lambda text, values: joined(list(values), text),
    "replace": replaced,
}
_LIST_METHODS = frozenset({"count", "index"})
_MAPPING_METHODS = frozenset({"get", "items", "keys", "values"})
_LOOP_VALUES = frozenset(
    ["index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem"]
)
_LOOP_METHODS = frozenset({"changed", "cycle"})
_GROUP_VALUES = frozenset({"grouper", "list"})


@dataclass(frozen=True, slots=True)
class Function:
    """The only thing beside its own macros that a template can call."""

    call: Callable[..., Any]
    owner: object = None
    """The value whose method it is."""

    def __call__(self, *args: Any, **kwargs: Any) -> object:
        """Charge what the call may look through, and its result, and call."""
        budget = BUDGET.get()
        if isinstance(self.owner, str | list | tuple):
            budget.weigh(self.owner)
        for value in (*args, *kwargs.values()):
            budget.weigh(value)
        return budget.keep(self.call(*args, **kwargs))


class Missing(StrictUndefined):
    """A value that is not there; any use of it but `is defined` and `default` is an error with a plain sentence."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        name, owner = self._undefined_name, self._undefined_obj
        if isinstance(owner, Mapping):
            return f"the mapping has no key `{name}`{_near(name, owner)}"
        if isinstance(owner, list | tuple):
            return f"the list has no item `{name}`; it has {len(owner)}"
        if owner is missing:
            budget = BUDGET.get(None)
            return f"the variable `{name}` is not given{_near(name, budget.names if budget else ())}"
        return f"{_kind(owner)} has no `{name}`"


def _near(name: object, names: Iterable[object]) -> str:
    near = difflib.get_close_matches(str(name), [str(known) for known in names], n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


class _TokenLimit(Extension):
    """Bounds the time that compiling takes."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        return _at_most(stream)


def _at_most(stream: TokenStream) -> Iterator[Token]:
    for count, token in enumerate(stream):
        if count > _MAX_TOKENS:
            raise TemplateError(f"the template has more than {_MAX_TOKENS:,} words of code", token.lineno)
        yield token


class Sandbox(ImmutableSandboxedEnvironment):
    """Compiles templates to code that can reach plain data, this module's functions, and nothing else."""

    intercepted_binops = frozenset(_SYMBOLS)

    def __init__(self) -> None:
        super().__init__(
            undefined=Missing,
            keep_trailing_newline=True,
            autoescape=False,
            optimized=False,  # the optimizer evaluates expressions while it compiles, outside every budget
            cache_size=0,
            extensions=[_TokenLimit],
        )
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)
        self.globals = {
            "range": Function(_range),
            "dict": Function(dict),
            "namespace": Function(Namespace),
        }

    def call_filter(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Filters by name, for `map` and its like."""
        if name in HIDDEN:
            raise TemplateError(f"there is no filter `{name}` in prompts")
        return super().call_filter(name, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002
        """`+ - * / // % **` on numbers, and the few of them that texts and lists have."""
        for value in (left, right):
            if isinstance(value, Undefined):
                str(value)  # raises
        budget = BUDGET.get()
        if isinstance(left, NUMBERS) and isinstance(right, NUMBERS):
            if operator == "**":
                _check_power(left, right)
            return budget.keep(_SYMBOLS[operator](left, right))
        return budget.keep(_join_or_repeat(operator, left, right))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: a method that templates may call, else the key of that name."""
        if isinstance(obj, Undefined):
            str(obj)  # raises
        method = _method(obj, attribute)
        if method is not None:
            return method
        if isinstance(obj, dict):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        if isinstance(obj, Namespace) and not attribute.startswith("_"):
            return getattr(obj, attribute, None) if hasattr(obj, attribute) else self.undefined(name=attribute)
        if isinstance(obj, LoopContext) and attribute in _LOOP_VALUES:
            return getattr(obj, attribute)
        if isinstance(obj, tuple) and attribute in _GROUP_VALUES and hasattr(obj, "_fields"):
            return getattr(obj, attribute)  # a group of the filter `groupby`
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`: a key, an index, else what `getattr` finds."""
        if isinstance(obj, Undefined):
            str(obj)  # raises
        if isinstance(obj, dict | list | tuple | str):
            try:
                return obj[argument]
            except (TypeError, LookupError):
                pass
        if isinstance(argument, str):
            return self.getattr(obj, argument)
        return self.undefined(obj=obj, name=argument)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Calls of macros, recursive loops and `Function`s; anything else is no function."""
        if isinstance(__obj, Undefined):
            str(__obj)  # raises
        if not isinstance(__obj, Function | Macro | LoopContext):
            raise TemplateError("only macros and the methods of texts, lists and mappings can be called")
        budget = BUDGET.get()
        budget.step(0)
        if isinstance(__obj, LoopContext):
            args = (FILTERS[COUNTED](__context, *args),)
        with budget.deeper():
            return __context.call(__obj, *args, **kwargs)


def _range(*numbers: int) -> list[int]:
    found = range(*numbers)
    if len(found) > MAX_STEPS:
        raise TemplateError(f"`range` makes at most {MAX_STEPS:,} numbers")
    return list(found)


def _method(obj: object, name: str) -> Function | None:
    if isinstance(obj, str):
        if name in _GROWING_TEXT_METHODS:
            return Function(functools.partial(_GROWING_TEXT_METHODS[name], obj), obj)
        return Function(getattr(obj, name), obj) if name in _TEXT_METHODS else None
    known: frozenset[str] = frozenset()
    if isinstance(obj, dict):
        known = _MAPPING_METHODS
    elif isinstance(obj, list | tuple):
        known = _LIST_METHODS
    elif isinstance(obj, LoopContext):
        known = _LOOP_METHODS
    return Function(getattr(obj, name), obj) if name in known else None


def _check_power(base: float, exponent: float) -> None:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > _MAX_POWER_BITS:
        raise TemplateError("a number in the template is too large")


def _join_or_repeat(symbol: str, left: Any, right: Any) -> object:
    both = (left, right)
    for kind in (str, list, tuple):
        if symbol == "+" and all(isinstance(value, kind) for value in both):
            return add(left, right)
        if symbol == "*" and isinstance(left, kind) and isinstance(right, int):
            return repeated(left, right)
        if symbol == "*" and isinstance(right, kind) and isinstance(left, int):
            return repeated(right, left)
    if symbol == "%" and isinstance(left, str):
        return formatted(left, right)
    hint = "; write `~` to put texts together" if symbol == "+" else ""
    raise TemplateError(f"`{symbol}` cannot be used on {_kind(left)} and {_kind(right)}{hint}")


def _kind(value: object) -> str:
    names = {str: "a text", type(None): "null", list: "a list", tuple: "a list", dict: "a mapping"}
    return names.get(type(value), "a number" if isinstance(value, NUMBERS) else "a value like this")
