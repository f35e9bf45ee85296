"""One assertion on its way to an evaluator: its value rendered for its case, its parts typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from llmctl.canonical import plain
from llmctl.importers.promptfoo.config import At, javascript_text

__all__ = [
    "Assertion",
    "Builder",
    "Entry",
    "UnconvertibleError",
    "always",
    "as_argument",
    "mapping_value",
    "never",
    "one_or_all",
    "text_value",
    "texts_value",
]

Data = dict[str, object]


class UnconvertibleError(Exception):
    """There is no evaluator that judges the same; the message ends a sentence."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an assertion says, apart from its weight, its metric and its polarity."""

    type: str
    """Without `not-`."""
    value: object
    """Rendered; files that it names are read."""
    at: At
    threshold: float | None = None
    judge: str | None = None
    """The model that grades, by its name in `llmctl.toml`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a bank's `evaluators:`, without the common keys."""

    data: Data
    changed: tuple[str, ...] = ()
    """What means something else now, each a sentence."""
    graded: bool = False
    """Whether its score lies between 0 and 1, and not only at the ends."""
    keeps_polarity: bool = False
    """Whether `not-` changes nothing."""


Builder = Callable[[Assertion], Entry]


def text_value(assertion: Assertion) -> str:
    """The value as text that is not empty.

    Raises:
        UnconvertibleError: it is something else; promptfoo ends such a case with an error.
    """
    value = assertion.value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnconvertibleError("its value is no text")
    text = javascript_text(value)
    if not text:
        raise UnconvertibleError("its value is empty")
    return text


def texts_value(assertion: Assertion) -> list[str]:
    """The value as a list of texts: a text is a list of one.

    Raises:
        UnconvertibleError: it is something else.
    """
    value = assertion.value
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str | int | float) for item in items):
        raise UnconvertibleError("its value is no text and no list of texts")
    return [javascript_text(item) for item in items]


def one_or_all(texts: list[str]) -> object:
    """A list of one text as the text."""
    return texts[0] if len(texts) == 1 else texts


def always() -> Data:
    """An entry that every output passes."""
    return {"length": {"min": 0}}


def never() -> Data:
    """An entry that no output passes."""
    return {"not": always()}


def as_argument(value: object) -> object:
    """A value as an argument in a bank: one that would be read as `{from: ...}` or `{file: ...}` is its JSON text."""
    return orjson.dumps(plain(value)).decode() if _refers(value) else value


def _refers(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_refers, value))
    if not isinstance(value, dict):
        return False
    return value.keys() in ({"from"}, {"file"}) or any(map(_refers, value.values()))


def mapping_value(assertion: Assertion) -> Mapping[str, object]:
    """The value as a mapping; none is an empty one.

    Raises:
        UnconvertibleError: it is something else.
    """
    if assertion.value in (None, ""):
        return {}
    if not isinstance(assertion.value, dict):
        raise UnconvertibleError("its value is no mapping")
    return assertion.value
