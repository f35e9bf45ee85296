"""What is wrong with evaluators on the cases of a bank: a mistake of many cases is said once, with their number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import is_

from llmctl.errors import Problem
from llmctl.evaluators.wording import quote
from llmctl.project.models import Case
from llmctl.project.problem_list import MAX_FILE_PROBLEMS, ProblemList

__all__ = ["CaseProblems", "same_objects"]


@dataclass(slots=True)
class _Found:
    first: str
    """The case that had it first."""
    more: int = 0


class CaseProblems:
    """Gathers them case by case; `close` says them. Two problems are one when they say the same of the same place."""

    def __init__(self) -> None:
        self._found: dict[Problem, _Found] = {}
        self._unsaid = 0

    def add(self, problems: Iterable[Problem], case: Case) -> None:
        """Note what is wrong with a case."""
        for problem in problems:
            if (known := self._found.get(problem)) is not None:
                known.more += 1
            elif len(self._found) < MAX_FILE_PROBLEMS:
                self._found[problem] = _Found(case.id)
            else:
                self._unsaid += 1

    def close(self, problems: list[Problem], bank: str) -> None:
        """Add them to the problems of a plan, and how many others there are."""
        said = ProblemList(problems, MAX_FILE_PROBLEMS)
        for problem in self._said():
            said.add(problem)
        said.count(self._unsaid)
        said.close(f"in the cases of the bank {bank}")

    def _said(self) -> Iterator[Problem]:
        for problem, found in self._found.items():
            if found.more:
                cases = f"case {quote(found.first)} and {found.more:,} more {'case' if found.more == 1 else 'cases'}"
                yield replace(problem, message=f"{problem.message.rstrip('.')} ({cases}).")
            else:
                yield problem


def same_objects(some: Sequence[object], others: Sequence[object]) -> bool:
    """Whether both hold the very same objects in the same order."""
    return len(some) == len(others) and all(map(is_, some, others))
