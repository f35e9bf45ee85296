"""One entry under `evaluators:`: a name, or a mapping with one name and the common keys beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from llmctl.errors import Place, Problem
from llmctl.project.models import EvaluatorSpec
from llmctl.project.references import Companions
from llmctl.project.shape_errors import check_value, kind_of, nearest, quoted_list
from llmctl.project.shapes import Maybe, Name, Number, Shape, Text, TextList, given
from llmctl.project.syntax.document import EMPTY, DataPath, Document

__all__ = ["COMMON_KEYS", "NESTING", "CommonShape", "EvaluatorEntries", "EvaluatorNames"]

EvaluatorNames = frozenset[str]
NESTING = frozenset({"not", "any", "all"})
"""Evaluators of evaluators: `not` holds one entry, `any` and `all` a list of them."""
_MAX_PLACES = 1_000
Path = tuple[str | int, ...]


def _one_or_many(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<text>"


Samples = Annotated[
    Annotated[Text, Tag("<text>")] | Annotated[TextList, Tag("<list>")],
    Discriminator(_one_or_many),
]


class CommonShape(Shape):
    """What stands beside the name of an evaluator."""

    weight: Annotated[Number, Field(ge=0, allow_inf_nan=False)] = 1.0
    metric: Maybe[Name] = None
    extract: Maybe[Text] = None
    against: Any = None
    good: Samples = Field(default_factory=list)
    bad: Samples = Field(default_factory=list)


COMMON_KEYS = tuple(CommonShape.model_fields)


@dataclass(frozen=True)
class EvaluatorEntries:
    """Reads the evaluators of one file."""

    document: Document
    companions: Companions
    names: EvaluatorNames
    problems: list[Problem]
    broken: list[Path] = field(default_factory=list)
    """Where entries with a mistake stand."""

    def read(self, entries: list[Any], path: Path) -> tuple[EvaluatorSpec, ...]:
        """The evaluators of a list; those with a mistake are left out and reported."""
        specs = []
        for index, entry in enumerate(entries):
            spec = self._entry(entry, (*path, index))
            if spec is None:
                self.broken.append((*path, index))
            else:
                specs.append(spec)
        return tuple(specs)

    def _entry(self, entry: object, path: Path) -> EvaluatorSpec | None:
        if isinstance(entry, str):
            return self._bare(entry, path)
        if isinstance(entry, dict):
            name = self._name(entry, path)
            return None if name is None else self._full(name, entry, path)
        if entry is not EMPTY:
            message = f"An evaluator is a name, or a mapping with one name in it, not {kind_of(entry)}."
            self._report(path, message)
        return None

    def _bare(self, name: str, path: Path) -> EvaluatorSpec | None:
        if not self._known(name, path, key=False):
            return None
        if name in NESTING:
            self._report(path, f"`{name}` needs the evaluators it is about.", f"Write `{name}: ...`.")
            return None
        return EvaluatorSpec(name, place=self.document.place(path))

    def _name(self, entry: dict[str, Any], path: Path) -> str | None:
        """The one key of an entry that is no common key."""
        others = [key for key in entry if key not in COMMON_KEYS]
        if not others:
            self._report(path, f"This entry names no evaluator: {quoted_list(entry)} only says how one is used.")
            return None
        known = [key for key in others if self._exists(key)]
        if len(known) > 1:
            hint = "Begin each with its own `-`."
            self._report((*path, known[1]), f"One entry names two evaluators: {quoted_list(known)}.", hint, key=True)
            return None
        name = known[0] if known else others[0]
        if not known:
            self._known(name, (*path, name), key=True)
        if entry[name] is not EMPTY:  # else the lines below it are not indented, and the reader has said so
            for key in others:
                self._beside(key, name, (*path, key)) if key != name else None
        return name if len(others) == 1 and known else None

    def _beside(self, key: str, name: str, path: Path) -> None:
        hint = nearest(key, COMMON_KEYS) or f"An argument of `{name}` stands below it, indented further."
        self._report(path, f"`{key}` cannot stand beside an evaluator.", hint, key=True)

    def _full(self, name: str, entry: dict[str, Any], path: Path) -> EvaluatorSpec | None:
        beside = {key: value for key, value in entry.items() if key in COMMON_KEYS}
        common = check_value(CommonShape, beside, self.document, path, self.problems)
        nested = name in NESTING
        children = self._children(name, entry[name], (*path, name)) if nested else ()
        args = None if nested else self.companions.resolve(entry[name], (*path, name))
        if common is None or entry[name] is EMPTY:
            return None
        return EvaluatorSpec(
            name=name,
            args=args,
            weight=common.weight,
            metric=common.metric,
            extract=common.extract,
            against=self.companions.resolve(common.against, (*path, "against")),
            has_against=given(common, "against"),
            good=_samples(common.good),
            bad=_samples(common.bad),
            children=children,
            place=self.document.place((*path, name), key=True),
            arg_places={} if nested else dict(self._places(entry[name], (*path, name), ())),
        )

    def _children(self, name: str, value: object, path: Path) -> tuple[EvaluatorSpec, ...]:
        if value is EMPTY:
            return ()
        if name == "not":
            if isinstance(value, list):
                self._report(path, "`not` takes one evaluator, not a list.", "Write `not: {any: [...]}`.")
                return ()
            child = self._entry(value, path)
            return (child,) if child else ()
        if not isinstance(value, list) or not value:
            self._report(path, f"`{name}` takes a list of evaluators.")
            return ()
        return self.read(value, path)

    def _places(self, value: object, path: Path, below: Path) -> Iterator[tuple[Path, Place]]:
        """Where each argument stands, by its path under the evaluator's name."""
        pending = [(value, path, below)]
        for _ in range(_MAX_PLACES):
            if not pending:
                return
            value, path, below = pending.pop()
            yield below, self.document.place(path)
            steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
            pending.extend((item, (*path, step), (*below, step)) for step, item in steps)

    def _exists(self, name: str) -> bool:
        return name in self.names or name in NESTING

    def _known(self, name: str, path: Path, *, key: bool) -> bool:
        if self._exists(name):
            return True
        hint = nearest(name, self.names | NESTING) or f"Known: {quoted_list(sorted(self.names | NESTING))}."
        self._report(path, f"There is no evaluator `{name}`.", hint, key=key)
        return False

    def _report(self, path: DataPath, message: str, hint: str | None = None, *, key: bool = False) -> None:
        self.problems.append(self.document.problem(path, message, hint, key=key))


def _samples(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
