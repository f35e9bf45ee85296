"""What one rendering may spend, so that a hostile template ends with a sentence and not with the machine.

Every loop turn, call and operation on a value is charged to the budget of the rendering that is going on. One unit of
work is one character, or a tenth of a value, that an operation may touch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping, ValuesView
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from contextvars import ContextVar

from jinja2.runtime import Undefined

from llmctl.canonical import WrittenBool, WrittenFloat, WrittenInt, written

__all__ = [
    "BUDGET",
    "CALL_WORK",
    "MAX_CHARS",
    "MAX_DEPTH",
    "MAX_STEPS",
    "MAX_WORK",
    "NUMBERS",
    "SCALARS",
    "Budget",
    "TemplateError",
]

MAX_CHARS = 1_000_000
"""Of the output, and of any text on the way to it."""
MAX_STEPS = 100_000
"""Turns of all loops, and calls, in one rendering."""
MAX_WORK = 20_000_000
MAX_DEPTH = 40
"""Calls inside calls."""
_MAX_INT_BITS = 1024
_VALUE_WORK = 10
CALL_WORK = 50

NUMBERS = (int, float)
_LAZY = (Iterator, KeysView, ValuesView, AbstractSet)
SCALARS = frozenset({str, int, float, bool, type(None), WrittenInt, WrittenFloat, WrittenBool})


class TemplateError(Exception):
    """A template cannot be compiled or rendered: one plain sentence, and the line of the template."""

    def __init__(self, message: str, line: int | None = None, *, message_index: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        """Counted from 1 within the template's own text."""
        self.message_index = message_index
        """Which of the prompt's messages it is, counted from 0; None where there is only one template."""


class Budget:
    """What is left of the limits of one rendering, and the names that it was given."""

    __slots__ = ("depth", "encode", "names", "steps", "work")

    def __init__(self, names: Mapping[str, object], encode: Callable[[str], str] | None = None) -> None:
        self.names = names
        self.encode = encode
        """What happens to every value that is printed."""
        self.steps = MAX_STEPS
        self.work = MAX_WORK
        self.depth = 0

    def charge(self, work: int) -> None:
        """Take work off."""
        self.work -= work
        if self.work < 0:
            raise TemplateError("the template does more work than a prompt can need; shorten its loops or its texts")

    def step(self, work: int) -> None:
        """Take one loop turn or call off, and the work it does at least."""
        self.steps -= 1
        if self.steps < 0:
            raise TemplateError(f"the template's loops turn more than {MAX_STEPS:,} times")
        self.charge(work + CALL_WORK)

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """One call inside the calls that are going on."""
        if self.depth >= MAX_DEPTH:
            raise TemplateError(f"the template's macros call each other more than {MAX_DEPTH} deep")
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def weigh(self, value: object) -> int:
        """Charge everything in a value, before an operation walks through it; the work charged.

        `{% set x = [x, x] %}` thirty times is a small value with a billion texts in it: this notices.
        """
        if type(value) is str:
            self.charge(len(value))
            return len(value)
        before = self.work
        waiting = [value]
        while waiting:
            item = waiting.pop()
            if isinstance(item, str):
                self.charge(len(item) + 1)
            elif isinstance(item, dict):
                self.charge(_VALUE_WORK * (1 + len(item)))
                waiting.extend(item)
                waiting.extend(item.values())
            elif isinstance(item, list | tuple):
                self.charge(_VALUE_WORK * (1 + len(item)))
                waiting.extend(item)
            else:
                self.charge(_VALUE_WORK)
        return before - self.work

    def touch(self, value: object) -> None:
        """Charge a value's own length, before an operation that does not look into its items."""
        if isinstance(value, str):
            self.charge(len(value))
        elif isinstance(value, list | tuple | dict):
            self.charge(_VALUE_WORK * len(value))

    def keep(self, value: object) -> object:
        """Charge a result, and make it plain data: iterators become lists."""
        if isinstance(value, str):
            self.fits(len(value))
            self.charge(len(value))
            return value if type(value) is str else str.__str__(value)
        if isinstance(value, int):
            if value.bit_length() > _MAX_INT_BITS:
                raise TemplateError("a number in the template is too large")
        elif isinstance(value, list | tuple | dict):
            self.touch(value)
        elif isinstance(value, complex):
            raise TemplateError("the result is no real number")
        elif isinstance(value, _LAZY) and not isinstance(value, Undefined):
            return list(self._counted(value))
        return value

    def fits(self, chars: int) -> None:
        """Refuse a text or list that would be too long, before it is made."""
        if chars > MAX_CHARS:
            raise TemplateError(f"the template makes a text of more than {MAX_CHARS:,} characters")

    def text(self, value: object) -> str:
        """The value as it stands in a prompt: scalars as written, lists and mappings as JSON."""
        if isinstance(value, str):
            self.charge(len(value))
            return value
        self.weigh(value)
        try:
            text = written(value)
        except (TypeError, ValueError, RecursionError):
            raise TemplateError("the value cannot be written as JSON text") from None
        self.fits(len(text))
        return text

    def _counted(self, values: Iterable[object]) -> Iterator[object]:
        for value in values:
            self.charge(_VALUE_WORK)
            yield value


BUDGET: ContextVar[Budget] = ContextVar("BUDGET")
"""Of the rendering that is going on in this thread or task."""
