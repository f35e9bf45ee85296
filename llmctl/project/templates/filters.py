"""The filters, tests and methods that a prompt's template may use, each charged to the budget.

Filters that are not here are left out on purpose: `random` makes a prompt that nobody can compare, `attr`, `pprint` and
`xmlattr` reach into Python or HTML, and `batch`, `slice` and `wordwrap` lay out pages.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jinja2 import filters as jinja_filters
from jinja2 import pass_context, pass_environment
from jinja2 import tests as jinja_tests
from jinja2.environment import Environment
from jinja2.runtime import Context, Undefined
from markupsafe import escape

from llmctl.canonical import WrittenBool, plain
from llmctl.project.templates.budget import BUDGET, CALL_WORK, MAX_CHARS, NUMBERS, SCALARS, TemplateError
from llmctl.project.templates.rewrite import COUNTED, JOINED, PRINTED, SLICED, SPENT, WEIGHED

__all__ = ["FILTERS", "TESTS", "add", "centered", "formatted", "joined", "repeated", "replaced"]

Function = Callable[..., Any]
_MAX_WIDTH = 1_000
_PRINTF = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(\*|\d*)(?:\.(\*|\d*))?")


# Operations that could make much out of little: each knows the size of its result before it makes it.


def repeated(value: Any, count: int) -> Any:
    """`value * count` for a text or a list."""
    BUDGET.get().fits(len(value) * max(count, 0))
    return value * count


def add(left: Any, right: Any) -> Any:
    """`left + right` for two texts or two lists."""
    BUDGET.get().fits(len(left) + len(right))
    return left + right


def centered(value: object, width: int = 80, fill: str = " ", *, method: str = "center") -> str:
    """Padded on one side or both."""
    text = _text(value)
    BUDGET.get().fits(max(int(width), len(text)))
    padded: str = getattr(text, method)(int(width), *(() if method == "zfill" else (fill,)))
    return padded


def replaced(value: object, old: object, new: object, count: int | None = None) -> str:
    """Every `old` text, or the first `count`, replaced."""
    text, before, after = _text(value), _text(old), _text(new)
    found = text.count(before) if count is None else min(text.count(before), count)
    BUDGET.get().fits(len(text) + found * (len(after) - len(before)))
    return text.replace(before, after, -1 if count is None else count)


def joined(values: Sequence[object], separator: object = "") -> str:
    """The values as they would be printed, with a text between them."""
    budget = BUDGET.get()
    between = _text(separator)
    texts = [_text(value) for value in values]
    budget.fits(sum(map(len, texts)) + len(between) * len(texts))
    return between.join(texts)


def formatted(template: str, values: object) -> str:
    """`template % values`: refused where a width is taken from a value or is absurd."""
    budget = BUDGET.get()
    size, fields = len(template), 0
    for match in _PRINTF.finditer(template):
        fields += 1
        for width in match.groups():
            if width == "*" or len(width or "") > 4:
                raise TemplateError("a width in the format is too large")
            size += int(width or 0)
    if isinstance(values, dict):
        # A key may be named by every field.
        size += fields * max((budget.weigh(value) for value in values.values()), default=0)
    else:
        size += budget.weigh(values)
    budget.fits(size)
    return template % values


def _text(value: object) -> str:
    if isinstance(value, Undefined):
        return str(value)  # raises, with the name that is missing
    if value is None:
        raise TemplateError("null cannot be put into a text; give it a value, or write `or ''` after it")
    return BUDGET.get().text(value)


@pass_context
def _join(context: Context, value: Any, d: object = "", attribute: str | int | None = None) -> str:
    if attribute is not None:
        value = map(jinja_filters.make_attrgetter(context.environment, attribute), value)
    return joined(list(value), d)


def _format(value: object, *args: object, **kwargs: object) -> str:
    if args and kwargs:
        raise TemplateError("the filter `format` takes values by position or by name, not both")
    return formatted(_text(value), kwargs or args)


def _indent(value: object, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    text = _text(value)
    prefix = width if isinstance(width, str) else " " * min(int(width), MAX_CHARS + 1)
    BUDGET.get().fits(len(text) + (text.count("\n") + 1) * len(prefix))
    return jinja_filters.do_indent(text, prefix, first, blank)


def _round(value: float, precision: int = 0, method: Any = "common") -> float:
    if not isinstance(value, NUMBERS) or not -_MAX_WIDTH <= precision <= 30:
        raise TemplateError("the filter `round` takes a number and at most 30 digits")
    return jinja_filters.do_round(value, precision, method)


@pass_environment
def _sum(environment: Environment, values: Any, attribute: str | int | None = None, start: float = 0) -> Any:
    if attribute is not None:
        values = map(jinja_filters.make_attrgetter(environment, attribute), values)
    numbers = list(values)
    if not all(isinstance(number, NUMBERS) for number in [*numbers, start]):
        raise TemplateError("the filter `sum` takes numbers only; `join` puts texts together")
    return sum(numbers, start)


def _tojson(value: object, indent: int | None = None) -> str:
    """JSON as a prompt needs it: nothing escaped for HTML."""
    if isinstance(value, Undefined):
        return str(value)
    width = None if indent is None else min(max(int(indent), 0), 16)
    try:
        return json.dumps(plain(value), ensure_ascii=False, indent=width, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise TemplateError("the value cannot be written as JSON") from None


# Filters that the rewritten tree calls by names no template can write.


@pass_context
def _printed(_context: Context, value: object, name: str) -> str:
    """What `{{ value }}` prints; takes the context, so that Jinja2 never evaluates it while it compiles."""
    budget = BUDGET.get()
    if type(value) is str:
        budget.charge(len(value))
        return value if budget.encode is None else budget.encode(value)
    if isinstance(value, Undefined):
        return str(value)  # raises
    if value is None:
        path = name if " " not in name else "value"
        raise TemplateError(f"`{path}` is null; write {{{{ {path} or '' }}}} or give it a value")
    if type(value) not in SCALARS and not isinstance(value, list | tuple | dict):
        last = name.rpartition(".")[2]
        raise TemplateError(f"`{name}` is a function, not a value; for a key of that name write ['{last}']")
    text = budget.text(value)
    return text if budget.encode is None else budget.encode(text)


@pass_context
def _counted(_context: Context, values: object) -> Iterator[object]:
    if isinstance(values, Undefined):
        return iter(values)  # raises, unless it is an `if` without `else`
    if not isinstance(values, list | tuple | dict | str):
        raise TemplateError("the loop needs a list, a mapping or a text")
    return _turns(values)


def _turns(values: Any) -> Iterator[object]:
    budget = BUDGET.get()
    for value in values:
        budget.step(0)
        yield value


@pass_context
def _spent(_context: Context, work: int) -> None:
    BUDGET.get().charge(work)


@pass_context
def _joined_pieces(_context: Context, values: tuple[object, ...]) -> str:
    text = joined(values)
    BUDGET.get().charge(len(text))
    return text


@pass_context
def _weighed(_context: Context, value: object) -> object:
    BUDGET.get().weigh(value)
    return value


@pass_context
def _sliced(_context: Context, value: Any, start: Any, stop: Any, step: Any) -> Any:
    if isinstance(value, Undefined):
        return str(value)  # raises
    if not isinstance(value, str | list | tuple):
        raise TemplateError("only a text or a list has slices")
    BUDGET.get().touch(value)
    return value[start:stop:step]


def _free(function: Function) -> Function:
    """The function, where it takes no longer for a longer value."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        BUDGET.get().charge(CALL_WORK)
        return function(*args, **kwargs)

    return run


def _metered(function: Function, *, deep: bool, per_item: int = 0) -> Function:
    """The function, with its arguments and its result charged.

    Args:
        function: a filter or a test.
        deep: it looks into the items of a list.
        per_item: the work that it does in Python for each item or character.
    """

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        budget = BUDGET.get()
        budget.charge(CALL_WORK)
        weigh = budget.weigh if deep else budget.touch
        for value in (*args, *kwargs.values()):
            weigh(value)
            if per_item and isinstance(value, str | list | tuple | dict):
                budget.charge(per_item * len(value))
        return budget.keep(function(*args, **kwargs))

    return run


def _of_text(name: str) -> Function:
    """Jinja2's filter, on the text that would be printed."""
    function = jinja_filters.FILTERS[name]

    def run(value: object, *args: Any, **kwargs: Any) -> Any:
        return function(_text(value), *args, **kwargs)

    return run


@pass_environment
def _truncate(environment: Environment, value: object, *args: Any, **kwargs: Any) -> str:
    return jinja_filters.do_truncate(environment, _text(value), *args, **kwargs)


def _boolean(value: object) -> bool:
    return isinstance(value, bool | WrittenBool)


_FREE = ("count", "d", "default", "first", "last", "length")
_SHALLOW = ("items", "list", "map", "reject", "rejectattr", "reverse", "select", "selectattr")
_DEEP = ("abs", "float", "int", "urlencode")
_ITEM_BY_ITEM = ("dictsort", "groupby", "max", "min", "sort", "unique")
_OF_TEXT = ("capitalize", "lower", "trim", "upper")
_WORD_BY_WORD = ("title", "wordcount")
_OWN: dict[str, Function] = {
    "center": centered,
    "e": lambda value: str(escape(_text(value))),
    "escape": lambda value: str(escape(_text(value))),
    "format": _format,
    "indent": _indent,
    "join": _join,
    "replace": replaced,
    "round": _round,
    "string": _text,
    "sum": _sum,
    "tojson": _tojson,
    "truncate": _truncate,
    **{name: _of_text(name) for name in _OF_TEXT},
}

FILTERS: dict[str, Function] = {
    **{name: _free(jinja_filters.FILTERS[name]) for name in _FREE},
    **{name: _metered(jinja_filters.FILTERS[name], deep=False) for name in _SHALLOW},
    **{name: _metered(jinja_filters.FILTERS[name], deep=True) for name in _DEEP},
    **{name: _metered(jinja_filters.FILTERS[name], deep=True, per_item=CALL_WORK) for name in _ITEM_BY_ITEM},
    **{name: _metered(_of_text(name), deep=True, per_item=5) for name in _WORD_BY_WORD},
    **{name: _metered(function, deep=True) for name, function in _OWN.items()},
    PRINTED: _printed,
    COUNTED: _counted,
    SPENT: _spent,
    JOINED: _joined_pieces,
    WEIGHED: _weighed,
    SLICED: _sliced,
}

# fmt: off
_CHEAP_TESTS = (
    "defined", "undefined", "none", "string", "number", "integer", "float", "mapping", "sequence", "iterable", "true",
    "false", "odd", "even", "divisibleby", "filter", "test",
)
_COMPARING_TESTS = (
    "in", "lower", "upper", "eq", "equalto", "==", "ne", "!=", "lt", "lessthan", "<", "le", "<=", "gt", "greaterthan",
    ">", "ge", ">=",
)
# fmt: on
_JINJA_TESTS: dict[str, Function] = dict(jinja_tests.TESTS)  # type: ignore[arg-type]

TESTS: dict[str, Function] = {
    **{name: _JINJA_TESTS[name] for name in _CHEAP_TESTS},
    **{name: _metered(_JINJA_TESTS[name], deep=True) for name in _COMPARING_TESTS},
    "boolean": _boolean,
}
