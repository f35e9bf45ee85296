"""The output lists the accepted items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from llmctl.canonical import written
from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.extras import need_package
from llmctl.evaluators.item_lists import ListFormat, ReadList, read_list, written_items
from llmctl.evaluators.pairing import best_pairing, fits
from llmctl.evaluators.text_form import TextForm, form_of
from llmctl.evaluators.wording import listed

__all__ = ["ListItems"]

MAX_ITEMS = 10_000
_ROUNDING = 1e-9


def _value(value: object) -> object:
    if isinstance(value, list | tuple):
        return written_items(value)
    if isinstance(value, str | int | float):
        return written(value)
    raise PydanticCustomError("items", "must be a list, or a text that lists items")


_SCALAR = {"type": ["string", "number", "boolean"]}
Items = Annotated[
    tuple[str, ...] | str,
    BeforeValidator(_value),
    WithJsonSchema({"anyOf": [_SCALAR, {"type": "array"}]}),
]
"""Items, or a text that lists them as outputs do."""


@dataclass(frozen=True, slots=True)
class ListItems(Evaluator):
    """The output lists the accepted items, each as often as it should; by default in any order."""

    name: ClassVar = "list"
    value_field: ClassVar = "value"
    reads: ClassVar = ("expected",)

    value: Items | None = None
    """The accepted items, all of them; default: the case's `expected`. A text is read as the output is."""
    format: Literal["auto", "json", "lines", "commas"] = "auto"
    """How the items stand in the output."""
    separator: str | None = None
    """What stands between the items, instead of a `format`."""
    order: Literal["free", "strict"] = "free"
    """`strict`: each item at its place."""
    measure: Literal["f1", "share", "precision", "recall"] = "f1"
    """The score, from the number of items that are right."""
    threshold: float = 1.0
    """The smallest score that passes."""
    compare: Literal["exact", "levenshtein"] = "exact"
    """`levenshtein`: an item counts by its similarity, 1 - distance / length of the longer; the best pairing counts."""
    ignore_case: bool = False
    collapse_space: bool = False
    ignore_punctuation: bool = False
    ignore_articles: bool = False
    nfkc: bool = False
    trim_punctuation: bool = False
    form: TextForm = field(init=False, repr=False, compare=False)
    items: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError("needs a `threshold` above 0 and at most 1")
        if self.separator is not None and (self.format != "auto" or not self.separator):
            raise ValueError("takes `separator`, which is not empty, or `format`, not both")
        if self.compare == "levenshtein":
            need_package(self.name, "rapidfuzz")
        own = ReadList() if self.value is None else self._read(self.value)
        if own.problem:
            raise ValueError(f"has a `value` that is {own.problem}")
        object.__setattr__(self, "form", form_of(self))
        object.__setattr__(self, "items", self._formed(own.items))

    def score(self, context: Context) -> Score:
        """Read both lists and count."""
        read = self._read(context.output)
        if read.problem:
            return Score(0.0, False, f"The output is {read.problem}.")
        if len(read.items) > MAX_ITEMS:
            said = f"The output lists {len(read.items):,} items; more than {MAX_ITEMS:,} are not compared."
            return Score(0.0, False, said)
        got, wanted = self._formed(read.items), self.items if self.value is not None else self._expected(context)
        if self.compare == "levenshtein" and not fits(got, wanted):
            return Score(0.0, False, f"The output lists {len(got):,} items, too many or too long to be paired.")
        score = _measured(self.measure, self._right(got, wanted), len(got), len(wanted))
        passed = score >= self.threshold - _ROUNDING
        return Score(score, passed, _said(got, wanted, self.order == "strict", score, self.threshold))

    def needs_expected(self) -> bool:
        """Without items of its own."""
        return self.value is None

    def expected_problem(self, expected: object) -> str | None:
        """It must be a list, or a text."""
        if self.value is not None:
            return None
        if not isinstance(expected, list | tuple | str | int | float):
            return "it is no list and no text"
        problem = self._read(expected).problem
        return f"it is {problem}" if problem else None

    def _read(self, value: object) -> ReadList:
        if isinstance(value, list | tuple):
            return ReadList(written_items(value))
        return read_list(written(value), ListFormat(self.format), self.separator)

    def _expected(self, context: Context) -> tuple[str, ...]:
        problem = self.expected_problem(context.expected) if context.has_expected else "it is missing"
        if problem:
            raise EvaluatorError(f"the expected answer cannot be used: {problem}")
        return self._formed(self._read(context.expected).items)

    def _formed(self, items: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(self.form, items))

    def _right(self, got: Sequence[str], wanted: Sequence[str]) -> float:
        """How many items are right; a similar one counts as a part."""
        if self.compare == "levenshtein":
            return best_pairing(got, wanted, strict=self.order == "strict")
        if self.order == "strict":
            return sum(one == other for one, other in zip(got, wanted, strict=False))
        return (Counter(got) & Counter(wanted)).total()


def _measured(measure: str, right: float, got: int, wanted: int) -> float:
    """The score; 1 where nothing is listed and nothing wanted, 0 where only one of them is empty."""
    if not got or not wanted:
        return float(got == wanted)
    of = {"f1": (got + wanted) / 2, "share": max(got, wanted), "precision": got, "recall": wanted}[measure]
    return min(1.0, right / of)


def _said(got: Sequence[str], wanted: Sequence[str], strict: bool, score: float, threshold: float) -> str:
    missing, extra = Counter(wanted) - Counter(got), Counter(got) - Counter(wanted)
    parts = [f"Of {len(wanted):,} items {len(wanted) - missing.total():,} are listed"]
    if missing:
        parts.append(f"missing: {listed(missing.elements())}")
    if extra:
        parts.append(f"not accepted: {listed(extra.elements())}")
    if strict and not missing and not extra and score < 1:
        parts.append("in another order")
    sign = "≥" if score >= threshold - _ROUNDING else "<"
    return f"{'; '.join(parts)}. The score is {score:.4g} {sign} {threshold:g}."
