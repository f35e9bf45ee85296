"""How much of one JSON value another one has: counted leaf by leaf, by rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from llmctl.canonical import written
from llmctl.errors import EvaluatorError
from llmctl.evaluators.structure.json_text import json_text, pointer_text
from llmctl.evaluators.structure.matching import most_pairs
from llmctl.evaluators.texts import normalise
from llmctl.evaluators.wording import visible
from llmctl.project.json_pointer import follow

__all__ = ["MAX_STEPS", "Comparison", "JsonRules", "compare", "compare_paths"]

MAX_STEPS = 1_000_000
"""So many values are compared, in one to two seconds; lists in any order need many."""

_MAX_PAIRED = 100
_DIFFERENCES = 6

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class JsonRules:
    """What counts as the same."""

    partial: bool = False
    """More keys and more items than are wanted do not count."""
    free: bool = False
    """The order of lists does not count."""
    tolerance: float = 0.0
    relative: float = 0.0
    ignore_case: bool = False
    collapse_space: bool = False
    ignored: tuple[tuple[str, ...], ...] = ()
    """Pointers, split, to what is not looked at; `*` stands for any key or index."""

    def same(self, got: object, wanted: object) -> bool:
        """Whether two values without parts are the same: 1 and 1.0 are, `true` and 1 are not."""
        if isinstance(got, str) and isinstance(wanted, str):
            return self.text(got) == self.text(wanted)
        if isinstance(got, bool) or isinstance(wanted, bool) or got is None or wanted is None:
            return got is wanted
        if not isinstance(got, int | float) or not isinstance(wanted, int | float):
            return False
        if got == wanted or not (self.tolerance or self.relative):
            return got == wanted
        # as exact decimals: the float 1.1 is more than 0.1 away from 1.0
        one, other = Decimal(written(got)), Decimal(written(wanted))
        return abs(one - other) <= max(Decimal(str(self.tolerance)), Decimal(str(self.relative)) * abs(other))

    def text(self, text: str) -> str:
        """The form in which texts are compared; as they are, where no rule says otherwise."""
        if not self.ignore_case and not self.collapse_space:
            return text
        return normalise(text, ignore_case=self.ignore_case, collapse_space=self.collapse_space)

    def ignores(self, path: Path) -> bool:
        """Whether the value at a path is not looked at."""
        return any(
            len(pattern) == len(path) and all(one in ("*", str(key)) for one, key in zip(pattern, path, strict=True))
            for pattern in self.ignored
        )


@dataclass(slots=True)
class Comparison:
    """What came of comparing: leaves are texts, numbers, truth values, null, and empty lists and objects."""

    rules: JsonRules
    agreeing: int = 0
    leaves: int = 0
    """All leaves that are wanted, and, where the whole is compared, those that are too many."""
    differences: list[str] = field(default_factory=list)
    """The first few, as sentences."""
    steps: int = 0

    @property
    def score(self) -> float:
        """The share of leaves that agree."""
        return self.agreeing / self.leaves if self.leaves else 1.0

    def look(self, got: object, wanted: object, path: Path) -> None:
        """Compare two values."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise EvaluatorError(f"comparing takes more than {MAX_STEPS:,} steps: the lists are too long")
        if self.rules.ignored and self.rules.ignores(path):
            return
        if isinstance(got, dict) and isinstance(wanted, dict) and wanted:
            self._objects(got, wanted, path)
        elif isinstance(got, list) and isinstance(wanted, list) and wanted:
            (self._free_lists if self.rules.free else self._lists)(got, wanted, path)
        elif not (isinstance(wanted, dict | list) and wanted) and self._same(got, wanted):
            self._right()
        else:
            self._wrong(_leaves(wanted), f"{_at(path)} is {_shown(got)}, not {_shown(wanted)}")

    def _same(self, got: object, wanted: object) -> bool:
        """Whether a leaf that is wanted is there."""
        if isinstance(wanted, dict | list):
            return type(got) is type(wanted) and (self.rules.partial or not got)
        return not isinstance(got, dict | list) and self.rules.same(got, wanted)

    def missing(self, wanted: object, path: Path) -> None:
        """Note a value that is wanted and not there."""
        self._wrong(_leaves(wanted), f"{_at(path)} is missing; expected {_shown(wanted)}")

    def _right(self) -> None:
        self.agreeing += 1
        self.leaves += 1

    def _wrong(self, leaves: int, sentence: str) -> None:
        self.leaves += leaves
        if len(self.differences) < _DIFFERENCES:
            self.differences.append(sentence)

    def _objects(self, got: Mapping[str, Any], wanted: Mapping[str, Any], path: Path) -> None:
        for key, value in wanted.items():
            if key in got:
                self.look(got[key], value, (*path, key))
            elif not self.rules.ignores((*path, key)):
                self.missing(value, (*path, key))
        if not self.rules.partial:
            for key in got:
                if key not in wanted:
                    self._extra(got[key], (*path, key))

    def _lists(self, got: Sequence[Any], wanted: Sequence[Any], path: Path) -> None:
        for index, value in enumerate(wanted):
            if index < len(got):
                self.look(got[index], value, (*path, index))
            else:
                self.missing(value, (*path, index))
        if not self.rules.partial:
            for index in range(len(wanted), len(got)):
                self._extra(got[index], (*path, index))

    def _extra(self, got: object, path: Path) -> None:
        if not self.rules.ignores(path):
            self._wrong(_leaves(got), f"{_at(path)} is {_shown(got)}, and not expected")

    def _free_lists(self, got: Sequence[Any], wanted: Sequence[Any], path: Path) -> None:
        """Pair the items that agree, as many as can be; the others are compared in order."""
        pairs = self._pairs(got, wanted, path)
        taken = set(pairs.values())
        rest = iter([index for index in range(len(got)) if index not in taken])
        for index, value in enumerate(wanted):
            place = pairs.get(index, None)
            place = next(rest, None) if place is None else place
            if place is None:
                self.missing(value, (*path, index))
            else:
                self.look(got[place], value, (*path, place))
        if not self.rules.partial:
            for place in rest:
                self._extra(got[place], (*path, place))

    def _pairs(self, got: Sequence[Any], wanted: Sequence[Any], path: Path) -> dict[int, int]:
        same = _equal_pairs([self._form(item) for item in got], [self._form(item) for item in wanted])
        taken = set(same.values())
        left = [index for index in range(len(wanted)) if index not in same][:_MAX_PAIRED]
        right = [index for index in range(len(got)) if index not in taken][:_MAX_PAIRED]
        fits = [[place for place, one in enumerate(right) if self._agree(got[one], wanted[two], path)] for two in left]
        return same | {left[two]: right[one] for two, one in most_pairs(fits).items()}

    def _agree(self, got: object, wanted: object, path: Path) -> bool:
        inner = Comparison(self.rules, steps=self.steps)
        inner.look(got, wanted, (*path, "*"))
        self.steps = inner.steps
        return inner.agreeing == inner.leaves

    def _form(self, value: object) -> object:
        """Equal for values that are the same by every rule but tolerance."""
        match value:
            case dict():
                return "object", tuple((key, self._form(value[key])) for key in sorted(value))
            case list():
                return "list", tuple(map(self._form, value))
            case str():
                return "text", self.rules.text(value)
            case bool() | None:
                return "constant", value
            case _:
                return "number", value


def compare(got: object, wanted: object, rules: JsonRules) -> Comparison:
    """Compare two JSON values."""
    comparison = Comparison(rules)
    comparison.look(got, wanted, ())
    return comparison


def compare_paths(got: object, paths: Mapping[tuple[str, ...], object], rules: JsonRules) -> Comparison:
    """Compare what lies at the end of each path."""
    comparison = Comparison(rules)
    for keys, wanted in paths.items():
        try:
            found = follow(got, keys)
        except LookupError:
            comparison.missing(wanted, keys)
        else:
            comparison.look(found, wanted, keys)
    return comparison


def _equal_pairs(got: Sequence[object], wanted: Sequence[object]) -> dict[int, int]:
    places: dict[object, list[int]] = {}
    for index in range(len(got) - 1, -1, -1):
        places.setdefault(got[index], []).append(index)
    return {index: places[item].pop() for index, item in enumerate(wanted) if places.get(item)}


def _leaves(value: object) -> int:
    count, waiting = 0, [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict | list) and inner:
            waiting.extend(inner.values() if isinstance(inner, dict) else inner)
        else:
            count += 1
    return count


def _at(path: Path) -> str:
    return visible(pointer_text(path))


def _shown(value: object) -> str:
    return visible(json_text(value), 80)
