"""The output is JSON and has what the accepted value has: all of it, a part, or what stands at certain paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from llmctl.canonical import plain
from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.findings import ArgumentError, Finding
from llmctl.evaluators.structure.found_json import JsonReading
from llmctl.evaluators.structure.json_argument import ABSENT, Absent, JsonValue, as_json
from llmctl.evaluators.structure.json_compare import JsonRules, compare, compare_paths
from llmctl.evaluators.structure.json_similarity import json_similarity
from llmctl.evaluators.structure.json_text import JsonRead
from llmctl.evaluators.structure.names_argument import Names
from llmctl.evaluators.wording import quote
from llmctl.project.json_pointer import split_pointer

__all__ = ["JsonMatch"]

_SHOWN = 5


def _paths(value: object) -> dict[str, object]:
    if not isinstance(value, Mapping) or not value:
        raise PydanticCustomError("paths", "must be a mapping of JSON pointers to values: `{/total: 5}`")
    for pointer in value:
        try:
            split_pointer(str(pointer))
        except ValueError as error:
            reason = f"has {quote(str(pointer), 60)}, which {error}"
            raise PydanticCustomError("paths", "{reason}", {"reason": reason}) from None
    return {str(pointer): plain(wanted) for pointer, wanted in value.items()}


@dataclass(frozen=True, slots=True)
class _Match:
    """What came of one value of the output."""

    score: float
    said: str


@dataclass(frozen=True, slots=True)
class JsonMatch(Evaluator):
    """The output is JSON that has the parts of an accepted value; the score is the share of parts that agree."""

    name: ClassVar = "json_match"
    value_field: ClassVar = "value"
    reads: ClassVar = ("expected",)

    value: JsonValue = ABSENT
    """The accepted value; default: the case's `expected`."""
    mode: Literal["full", "partial"] = "full"
    """`partial`: more keys and more items than are accepted do not count."""
    order: Literal["strict", "free"] = "strict"
    """`free`: the order of lists does not count, how often an item is there does."""
    paths: Annotated[dict[str, Any], BeforeValidator(_paths), WithJsonSchema({"type": "object"})] | None = None
    """JSON pointers and the values that must be there, in place of one accepted value."""
    ignore: Names = ()
    """JSON pointers to what is not looked at; `*` stands for any key or index."""
    tolerance: float = 0.0
    relative: float = 0.0
    ignore_case: bool = False
    collapse_space: bool = False
    alternatives: bool = False
    """The accepted value is a list of accepted values, and the best counts."""
    measure: Literal["share", "similarity"] = "share"
    """`similarity`: texts and numbers that are close count in part."""
    threshold: float = 1.0
    find: bool = False
    trailing_commas: bool = False
    rules: JsonRules = field(init=False, repr=False, compare=False)
    reading: JsonReading = field(init=False, repr=False, compare=False)
    split_paths: Mapping[tuple[str, ...], object] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check()
        rules = JsonRules(
            partial=self.mode == "partial",
            free=self.order == "free",
            tolerance=self.tolerance,
            relative=self.relative,
            ignore_case=self.ignore_case,
            collapse_space=self.collapse_space,
            ignored=tuple(map(_ignored, self.ignore)),
        )
        object.__setattr__(self, "rules", rules)
        object.__setattr__(self, "reading", JsonReading(self.find, self.trailing_commas))
        paths = self.paths or {}
        object.__setattr__(self, "split_paths", {split_pointer(pointer): wanted for pointer, wanted in paths.items()})

    def _check(self) -> None:
        if not 0.0 <= self.threshold <= 1.0:
            raise ValueError("has a `threshold` that is not between 0 and 1")
        if not 0.0 <= self.tolerance < float("inf") or not 0.0 <= self.relative < float("inf"):
            raise ValueError("has a `tolerance` that is no distance: it is at least 0")
        if self.paths is not None and not isinstance(self.value, Absent):
            raise ValueError("takes a value or `paths`, not both")
        if not isinstance(self.value, Absent):
            self._own()
        if self.measure == "similarity":
            self._check_similarity()

    def _check_similarity(self) -> None:
        others = [name for name in ("paths", "ignore", "tolerance", "relative") if getattr(self, name)]
        if others or self.mode != "full" or self.order != "strict" or self.ignore_case or self.collapse_space:
            raise ValueError("compares all of both values, in order, where `measure` is similarity: no other rule fits")
        if find_spec("rapidfuzz") is None:
            message = "`measure: similarity` needs the package rapidfuzz, which is not installed"
            raise ArgumentError([Finding(message, ("measure",), "Run: pip install 'llmctl-toolkit[text]'")])

    def needs_expected(self) -> bool:
        """Without a value and paths of its own."""
        return isinstance(self.value, Absent) and self.paths is None

    def expected_problem(self, expected: object) -> str | None:
        """JSON data; a list of them with `alternatives`."""
        if not self.needs_expected():
            return None
        try:
            self._expected(expected)
        except ValueError as error:
            return f"it {error}"
        return None

    def score(self, context: Context) -> Score:
        """Read the output and compare."""
        wanted = self._wanted(context)
        best: _Match | None = None
        problem = ""
        for read in self.reading.values(context.output):
            if read.problem:
                problem = problem or f"The output is {read.problem}."
                continue
            for one in wanted:
                match = self._match(read, one)
                best = match if best is None or match.score > best.score else best
            if best and best.score == 1.0:
                break
        if best is None:
            return Score(0.0, False, problem)
        return Score(best.score, best.score >= self.threshold - 1e-9, best.said)

    def _wanted(self, context: Context) -> Sequence[object]:
        if self.paths is not None:
            return [ABSENT]
        if not isinstance(self.value, Absent):
            return self._own()
        if not context.has_expected:
            raise EvaluatorError("the case has no expected answer")
        try:
            return self._expected(context.expected)
        except ValueError as error:
            raise EvaluatorError(f"the expected answer {error}") from None

    def _own(self) -> Sequence[object]:
        """The accepted values that stand in the bank."""
        return _each(self.value) if self.alternatives else [self.value]

    def _expected(self, value: object) -> Sequence[object]:
        """The accepted values of a case.

        Raises:
            ValueError: there are none to be read; ends a sentence.
        """
        read = as_json(value)
        if isinstance(read, Absent):
            raise ValueError("is a text that is not JSON")
        return _each(read) if self.alternatives else [read]

    def _match(self, read: JsonRead, wanted: object) -> _Match:
        got, shown = read.value, quote(read.text, 80)
        if self.measure == "similarity":
            score = json_similarity(got, wanted)
            return _Match(score, f"The similarity is {score:.3g}, and {self.threshold:g} passes: {shown}.")
        done = compare_paths(got, self.split_paths, self.rules) if self.paths else compare(got, wanted, self.rules)
        if not done.differences:
            return _Match(1.0, f"The output has all that is accepted: {shown}.")
        lines = [f"- {sentence}" for sentence in done.differences[:_SHOWN]]
        more = ["- and more"] if len(done.differences) > _SHOWN else []
        head = f"The output agrees in {done.agreeing:,} of {done.leaves:,} values ({self.threshold:g} passes):"
        return _Match(done.score, "\n".join([head, *lines, *more]))


def _each(value: object) -> Sequence[object]:
    if not isinstance(value, list) or not value:
        raise ValueError("is no list of accepted values, and `alternatives` is true")
    found = [as_json(one) for one in value]
    if any(isinstance(one, Absent) for one in found):
        raise ValueError("holds a text that is not JSON, and `alternatives` is true")
    return found


def _ignored(pointer: str) -> tuple[str, ...]:
    try:
        return split_pointer(pointer)
    except ValueError as error:
        raise ValueError(f"cannot use {quote(pointer, 60)} of `ignore`: it {error}") from None
