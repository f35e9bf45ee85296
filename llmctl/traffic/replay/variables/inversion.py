"""From messages back to the variables that a prompt was rendered with: found when there is exactly one solution.

Every solution is rendered again; it counts only when that makes the very messages that were logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any

from llmctl.project.templates import TemplateError
from llmctl.project.templates.render import render_messages
from llmctl.traffic.replay.variables.forms import Asked, Condition, Path
from llmctl.traffic.replay.variables.logged import comparable
from llmctl.traffic.replay.variables.matching import TooMuchWork, Values, Work, own_text, solutions
from llmctl.traffic.replay.variables.recovered import Kind
from llmctl.traffic.replay.variables.shape import Reading, Shape, Wanted

__all__ = ["Inversion", "invert"]

_MAX_PLACEMENTS = 200
_MAX_READINGS = 256

Messages = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Inversion:
    """What became of it."""

    kind: Kind
    """FOUND, NO_MATCH, AMBIGUOUS or TOO_MUCH."""
    variables: Mapping[str, object] | None = None
    own_text: int = 0
    """How many characters of the messages are the prompt's own; the more, the less it is chance that it fits."""
    unclear: tuple[str, ...] = ()
    """Of an ambiguous one: the variables that are not certain, as far as is known."""


def invert(shape: Shape, messages: Messages, work: Work, known: Values | None = None) -> Inversion:
    """Find what a prompt was rendered with; `messages` are `comparable`. `known`: values that are certain already."""
    search = _Search(shape, messages, work, known or {})
    try:
        for placement in _placements(shape, len(messages), work):
            search.try_placement(placement)
            if search.unclear is not None:
                return Inversion(Kind.AMBIGUOUS, None, search.own_text, search.unclear)
    except TooMuchWork:
        return Inversion(Kind.TOO_MUCH)
    if search.found is None:
        return Inversion(Kind.NO_MATCH)
    return Inversion(Kind.FOUND, search.found, search.own_text)


def _placements(shape: Shape, count: int, work: Work) -> Iterator[tuple[int, ...]]:
    """How many messages each placeholder may hold, one number for each."""
    extra = count - (len(shape.items) - shape.placeholders)
    if extra < 0 or (extra > 0 and not shape.placeholders):
        return
    if not shape.placeholders:
        yield ()
        return
    bars = shape.placeholders - 1
    for number, cut in enumerate(combinations(range(extra + bars), bars)):
        if number >= _MAX_PLACEMENTS:
            raise TooMuchWork
        work.spend(count)
        edges = (-1, *cut, extra + bars)
        yield tuple(after - before - 1 for before, after in pairwise(edges))


@dataclass(slots=True)
class _Search:
    """Gathers solutions until there are two that differ."""

    shape: Shape
    messages: Messages
    work: Work
    known: Values
    found: Mapping[str, object] | None = None
    unclear: tuple[str, ...] | None = None
    """Set when there is more than one solution."""
    own_text: int = field(default=0)

    def try_placement(self, placement: tuple[int, ...]) -> None:
        """Look for solutions with so many messages for each placeholder."""
        lengths = iter(placement)
        placed: dict[str, object] = {}
        wanted: list[tuple[Wanted, dict[str, Any]]] = []
        at = 0
        for item in self.shape.items:
            if isinstance(item, Wanted):
                wanted.append((item, self.messages[at]))
                at += 1
                continue
            run = [dict(message) for message in self.messages[at : at + next(lengths)]]
            at += len(run)
            if placed.setdefault(item.name, run) != run:
                return
        for reading in self._readings(wanted):
            self._solve(reading, placed)
            if self.unclear is not None:
                return

    def _readings(self, wanted: Sequence[tuple[Wanted, dict[str, Any]]]) -> list[Reading]:
        found = [Reading()]
        for item, message in wanted:
            its = item.readings(message, self.work)
            found = [both for one in found for other in its if (both := one.then(other)) is not None]
            if len(found) > _MAX_READINGS:
                raise TooMuchWork
            if not found:
                break
        return found

    def _solve(self, reading: Reading, placed: Mapping[str, object]) -> None:
        fixed = {path: text for path, text in self.known.items() if path[0] not in placed}
        for path, text in _fixed(reading.conditions):
            if fixed.setdefault(path, text) != text:
                return
        solved = solutions(reading.equations, fixed, self.work)
        open_paths = _undecided(reading.conditions, solved[0]) if solved else ()
        if len(solved) > 1 or open_paths:
            self._say_unclear(reading, open_paths or _differing(*solved))
        elif solved and (variables := _nested(solved[0], placed)) is not None and self._makes(variables):
            self._take(reading, variables)

    def _take(self, reading: Reading, variables: Mapping[str, object]) -> None:
        if self.found is not None and self.found != variables:
            names = sorted(self.found.keys() | variables.keys())
            self._say_unclear(reading, [(name,) for name in names if self.found.get(name) != variables.get(name)])
        else:
            self.found = variables
            self._weigh(reading)

    def _say_unclear(self, reading: Reading, paths: Sequence[Path]) -> None:
        self.unclear = tuple(dict.fromkeys(".".join(path) for path in paths))
        self._weigh(reading)

    def _weigh(self, reading: Reading) -> None:
        self.own_text = max(self.own_text, sum(own_text(equation.pieces) for equation in reading.equations))

    def _makes(self, variables: Mapping[str, object]) -> bool:
        """Whether the prompt makes these very messages of the variables."""
        try:
            made = render_messages(self.shape.prompt, variables)
        except TemplateError:
            return False
        return comparable(made) == tuple(self.messages)


def _fixed(conditions: Sequence[Condition]) -> Iterator[tuple[Path, str]]:
    """Values that a branch leaves no choice about: of all texts only the empty one counts as false."""
    for condition in conditions:
        if condition.asked is Asked.EQUAL and condition.holds:
            yield condition.path, condition.text
        elif condition.asked is Asked.TRUE and not condition.holds:
            yield condition.path, ""


def _undecided(conditions: Sequence[Condition], values: Values) -> list[Path]:
    """The variables that decided a branch, had a value, and left no trace of it."""
    absent = {one.path for one in conditions if one.asked is Asked.DEFINED and not one.holds}
    asked = dict.fromkeys(one.path for one in conditions if one.path not in absent)
    return [path for path in asked if not any(known[: len(path)] == path for known in values)]


def _differing(first: Values, second: Values) -> list[Path]:
    return [path for path in first if first[path] != second.get(path)]


def _nested(values: Values, placed: Mapping[str, object]) -> dict[str, object] | None:
    """The variables by name, keys below them as mappings; None where a variable would be a text and a mapping."""
    found: dict[str, object] = {}
    for path, text in sorted(values.items()):
        inside = found
        for key in path[:-1]:
            deeper = inside.setdefault(key, {})
            if not isinstance(deeper, dict):
                return None
            inside = deeper
        if path[-1] in inside:
            return None
        inside[path[-1]] = text
    if found.keys() & placed.keys():
        return None
    return {**found, **placed}
