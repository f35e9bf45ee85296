"""What is wrong with cases beside each other: two with one id, and cases that no answer could fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from llmctl.errors import Place, Problem
from llmctl.project.case_draft import case_id
from llmctl.project.models import Case, EvaluatorSpec

__all__ = ["CaseIds", "Excerpt", "Unscored"]

Excerpt = Callable[[Place | None], str | None]
"""The line of a place, where it is at hand."""


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A case whose id seems to belong to an earlier one."""

    id: str
    place: Place | None
    hashed: bool
    """Whether the id is made of the variables."""


class CaseIds:
    """Finds ids that stand twice in a stream of cases, in some 70 bytes a case.

    Only a 64-bit hash of each id is kept. Where one comes again, the cases are read once more for the first place.
    """

    def __init__(self, limit: int, known: Iterable[str] = ()) -> None:
        """Name at most `limit` cases; `known` are ids that were looked at before."""
        self._hashes = {hash(one) for one in known}
        self._suspects: list[_Suspect] = []
        self._limit = limit
        self.unsaid = 0
        """How many cases are beyond the limit."""

    def add(self, case: Case) -> None:
        """Take note of the next case."""
        known = len(self._hashes)
        self._hashes.add(hash(case.id))
        if len(self._hashes) > known:
            return
        if len(self._suspects) < self._limit:
            self._suspects.append(_Suspect(case.id, case.place, case.id == case_id(case.vars)))
        else:
            self.unsaid += 1

    def problems(self, again: Callable[[], Iterable[Case]], excerpt: Excerpt) -> Iterator[Problem]:
        """A problem for each case with the id of an earlier one; `again` reads the cases from the first."""
        if not self._suspects:
            return
        wanted = {suspect.id for suspect in self._suspects}
        first: dict[str, Place | None] = {}
        for case in again():
            if case.id in wanted:
                first.setdefault(case.id, case.place)
                if len(first) == len(wanted):
                    break
        for suspect in self._suspects:
            place = first.get(suspect.id)
            if place is not None and place != suspect.place:  # else only the hashes of two ids are the same
                yield _same_id(suspect, place, excerpt)


def _same_id(case: _Suspect, first: Place, excerpt: Excerpt) -> Problem:
    if case.hashed:
        message = f"This case has the same variables as the one at {first}."
        hint = "Give one of them an `id`, or delete it; an include can say `duplicates: merge`."
    else:
        message, hint = f"The id `{case.id}` belongs to the case at {first} too.", "Change one of the two."
    return Problem(message, case.place, hint, excerpt(case.place))


class Unscored:
    """Finds cases that nothing can pass or fail: one problem for all that only have the bank's evaluators."""

    def __init__(self, shared: tuple[EvaluatorSpec, ...], limit: int, excerpt: Excerpt) -> None:
        self._shared = shared
        self._shared_score = _score(shared)
        self._limit = limit
        self._excerpt = excerpt
        self._own: list[Problem] = []
        self._first: Case | None = None
        self._inheriting = 0
        self.unsaid = 0
        """How many cases are beyond the limit."""

    def add(self, case: Case) -> None:
        """Take note of the next case."""
        if self._shared_score if case.evaluators is self._shared else _score(case.evaluators):
            return
        if case.evaluators == self._shared:
            self._first = self._first or case
            self._inheriting += 1
        elif len(self._own) < self._limit:
            self._own.append(self._problem(case, f"The case `{case.id}` has"))
        else:
            self.unsaid += 1

    def problems(self) -> Iterator[Problem]:
        """Everything that was found."""
        yield from self._own
        if self._first is not None:
            one = f"The case `{self._first.id}` has"
            yield self._problem(self._first, one if self._inheriting == 1 else f"{self._inheriting} cases have")

    def _problem(self, case: Case, whose: str) -> Problem:
        if case.evaluators:
            message, hint = f"{whose} only evaluators with `weight: 0`.", "Give one of them a weight."
        else:
            message, hint = f"{whose} no evaluator.", "Write one under `evaluators:`."
        return Problem(message, case.place, hint, self._excerpt(case.place))


def _score(specs: Iterable[EvaluatorSpec]) -> bool:
    return any(spec.weight > 0 for spec in specs)
