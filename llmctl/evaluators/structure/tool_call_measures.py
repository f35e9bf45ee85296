"""How well the calls that were made are those that were expected: exact, F1, recall, accuracy of arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from llmctl.evaluators.structure.json_text import json_difference, json_text
from llmctl.evaluators.structure.matching import in_order, most_pairs
from llmctl.evaluators.structure.tool_call_reading import ToolCall

__all__ = ["Agreement", "Arguments", "Comparison", "Measure", "Order"]


class Order(StrEnum):
    """Whether the order of calls counts."""

    FREE = "free"
    STRICT = "strict"


class Measure(StrEnum):
    """What the score is."""

    EXACT = "exact"
    F1 = "f1"
    RECALL = "recall"
    ACCURACY = "accuracy"


class Arguments(StrEnum):
    """How arguments are compared."""

    EXACT = "exact"
    SUBSET = "subset"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well calls agree: the score, and the two shares behind it."""

    score: float
    precision: float
    """Share of the calls made that were expected."""
    recall: float
    """Share of the expected calls that were made."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How calls are compared."""

    order: Order
    measure: Measure
    arguments: Arguments
    duplicates: bool
    """Whether a call that is made twice counts twice."""

    def of(self, made: Sequence[ToolCall], expected: Sequence[ToolCall]) -> Agreement:
        """Compare."""
        if not self.duplicates:
            names_only = self.arguments is Arguments.IGNORE or all(call.arguments is None for call in expected)
            made, expected = _distinct(made, names_only), _distinct(expected, names_only)
        count = self._agreeing(made, expected)
        precision = count / len(made) if made else float(not expected)
        recall = count / len(expected) if expected else float(not made)
        return Agreement(self._score(made, expected, precision, recall), precision, recall)

    def _score(self, made: Sequence[ToolCall], expected: Sequence[ToolCall], precision: float, recall: float) -> float:
        match self.measure:
            case Measure.EXACT:
                return float(precision == recall == 1.0)
            case Measure.F1:  # van Rijsbergen 1979: the harmonic mean
                return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
            case Measure.RECALL:
                return recall
            case Measure.ACCURACY:
                return self._accuracy(made, expected)

    def _agreeing(self, made: Sequence[ToolCall], expected: Sequence[ToolCall]) -> int:
        if self.order is Order.STRICT:
            return in_order(len(made), len(expected), lambda one, other: self._agree(made[one], expected[other]))
        return len(most_pairs(_fits(made, expected, self._agree)))

    def _agree(self, call: ToolCall, wanted: ToolCall) -> bool:
        if call.name != wanted.name:
            return False
        if self.arguments is Arguments.IGNORE or wanted.arguments is None:
            return True
        return call.arguments is not None and self._same(call.arguments, wanted.arguments)

    def _same(self, got: object, wanted: object) -> bool:
        if self.arguments is Arguments.SUBSET and isinstance(got, Mapping) and isinstance(wanted, Mapping):
            return all(key in got and self._same(got[key], value) for key, value in wanted.items())
        return json_difference(got, wanted) is None

    def _accuracy(self, made: Sequence[ToolCall], expected: Sequence[ToolCall]) -> float:
        """Ragas' ToolCallAccuracy: 0 unless the names are right, else the mean share of arguments that are right."""
        if not expected or not made:
            return float(not expected and not made)
        names = [call.name for call in made], [call.name for call in expected]
        if self.order is Order.STRICT:
            if names[0] != names[1]:
                return 0.0
            pairs = dict(enumerate(range(len(expected))))
        else:
            if sorted(names[0]) != sorted(names[1]):
                return 0.0
            pairs = _named_pairs(made, expected, self._agree)
        return sum(self._share(made[right], expected[left]) for left, right in pairs.items()) / len(expected)

    def _share(self, call: ToolCall, wanted: ToolCall) -> float:
        if self.arguments is Arguments.IGNORE or wanted.arguments is None:
            return 1.0
        got = call.arguments or {}
        if not wanted.arguments:
            return float(not got and call.problem is None)
        same = (key in got and self._same(got[key], value) for key, value in wanted.arguments.items())
        return sum(same) / len(wanted.arguments)


def _distinct(calls: Sequence[ToolCall], names_only: bool) -> list[ToolCall]:
    return list({call.name if names_only else (call.name, _sorted(call)): call for call in calls}.values())


def _sorted(call: ToolCall) -> str | None:
    return None if call.arguments is None else json_text(_in_order(call.arguments))


def _in_order(value: object) -> object:
    """Keys sorted, whole numbers as integers: equal JSON gives equal text."""
    match value:
        case Mapping():
            return {key: _in_order(value[key]) for key in sorted(value)}
        case list():
            return [_in_order(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _fits(
    made: Sequence[ToolCall], expected: Sequence[ToolCall], agree: Callable[[ToolCall, ToolCall], bool]
) -> list[list[int]]:
    """For each expected call the calls that agree with it."""
    return [[number for number, call in enumerate(made) if agree(call, wanted)] for wanted in expected]


def _named_pairs(
    made: Sequence[ToolCall], expected: Sequence[ToolCall], agree: Callable[[ToolCall, ToolCall], bool]
) -> dict[int, int]:
    """Calls of equal names in pairs: as many that agree as there can be, the others in order."""
    pairs = most_pairs(_fits(made, expected, agree))
    free = [number for number in range(len(made)) if number not in set(pairs.values())]
    for left, wanted in enumerate(expected):
        if left not in pairs:
            right = next(number for number in free if made[number].name == wanted.name)
            free.remove(right)
            pairs[left] = right
    return pairs
