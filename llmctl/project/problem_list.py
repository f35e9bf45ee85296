"""Problems up to a number: a file in the wrong format says the same on every line."""

from __future__ import annotations

from collections.abc import Iterable

from llmctl.errors import Place, Problem, Severity

__all__ = ["MAX_FILE_PROBLEMS", "ProblemList", "has_errors"]

MAX_FILE_PROBLEMS = 200
"""What one prompt or bank says at most; the rest is counted."""


class ProblemList:
    """Passes problems on to a list until the limit is reached, and counts the rest."""

    def __init__(self, target: list[Problem], limit: int) -> None:
        self._target = target
        self._limit = limit
        self._said = 0
        self._unsaid = 0
        self._unsaid_error = False
        self._last: Problem | None = None
        self.errors = 0
        """How many of the problems were errors, said or not."""

    def add(self, problem: Problem) -> None:
        """Say a problem, or count it."""
        is_error = problem.severity is Severity.ERROR
        self.errors += is_error
        if self._said < self._limit:
            self._said += 1
            self._target.append(problem)
            self._last = problem
        else:
            self.count(1, is_error=is_error)

    def count(self, number: int, *, is_error: bool = True) -> None:
        """Count problems that nobody could put into words."""
        self._unsaid += number
        self._unsaid_error |= is_error and number > 0

    def close(self, where: str) -> None:
        """Say how many more there are; `where` ends the sentence."""
        if self._unsaid:
            place = self._last.place if self._last else None
            severity = Severity.ERROR if self._unsaid_error else Severity.WARNING
            message = f"There are {self._unsaid:,} more problems {where}."
            self._target.append(Problem(message, Place(place.file) if place else None, severity=severity))
            self._unsaid = 0


def has_errors(problems: Iterable[Problem]) -> bool:
    """Whether any of the problems keeps a run from starting."""
    return any(problem.severity is Severity.ERROR for problem in problems)
