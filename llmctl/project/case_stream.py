"""The cases of one bank, read as often as somebody asks, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from llmctl.errors import Place, Problem
from llmctl.project.case_checks import CaseIds, Unscored
from llmctl.project.case_draft import case_of
from llmctl.project.evaluator_entry import EvaluatorEntries, EvaluatorNames
from llmctl.project.includes import Include, included_drafts
from llmctl.project.models import Case, EvaluatorSpec
from llmctl.project.problem_list import MAX_FILE_PROBLEMS, ProblemList
from llmctl.project.references import Companions
from llmctl.project.sources import Source
from llmctl.project.syntax.document import Document

__all__ = ["CaseStream"]


@dataclass(frozen=True, slots=True)
class CaseStream:
    """The cases of the bank's own file, which are kept, and then those of its tables, which are not."""

    bank: str
    file: Path
    inline: tuple[Case, ...]
    includes: tuple[Include, ...]
    shared: tuple[EvaluatorSpec, ...]
    """The bank's evaluators."""
    pass_score: float | None
    source: Source
    names: EvaluatorNames
    no_cases: Problem | None
    """What is said when there is no case at all; None: what is wrong has been said."""
    sound: bool
    """Whether the bank's own file has no mistake; else a case may lack no more than what is reported there."""

    def __call__(self, problems: list[Problem]) -> Iterator[Case]:
        """Every case; mistakes in the tables are added to `problems`, at most 200 of them and a count of the others."""
        said = ProblemList(problems, MAX_FILE_PROBLEMS)
        yield from self.inline
        count = len(self.inline)
        for case in self._checked_rows(said):
            count += 1
            yield case
        if self.no_cases and not count and not said.errors:
            said.add(self.no_cases)
        said.close("in these files")

    def _checked_rows(self, said: ProblemList) -> Iterator[Case]:
        entries = self._entries()
        ids = CaseIds(MAX_FILE_PROBLEMS, (case.id for case in self.inline))
        unscored = Unscored(self.shared, MAX_FILE_PROBLEMS, _no_excerpt)
        for case in self._rows(entries, said):
            ids.add(case)
            unscored.add(case)
            yield case
        for problem in ids.problems(self._again, _no_excerpt):
            said.add(problem)
        said.count(ids.unsaid)
        if self.sound and not entries.broken:
            for problem in unscored.problems():
                said.add(problem)
            said.count(unscored.unsaid)

    def _rows(self, entries: EvaluatorEntries, said: ProblemList) -> Iterator[Case]:
        for include in self.includes:
            for draft in included_drafts(include, entries):
                _pass_on(entries, said)
                yield case_of(draft, self.bank, self.shared, self.pass_score)
            _pass_on(entries, said)

    def _again(self) -> Iterator[Case]:
        """The cases once more; everything that is wrong with them has been said."""
        yield from self.inline
        yield from self._rows(self._entries(), ProblemList([], 0))

    def _entries(self) -> EvaluatorEntries:
        document, problems = Document(self.file, ""), list[Problem]()
        companions = Companions(self.source, PurePosixPath(self.file), document, problems)
        return EvaluatorEntries(document, companions, self.names, problems)


def _pass_on(entries: EvaluatorEntries, said: ProblemList) -> None:
    """Empty what has gathered: nothing may grow with the number of cases."""
    if entries.problems:
        for problem in entries.problems:
            said.add(problem)
        entries.problems.clear()
        del entries.broken[1:]  # one is enough to know that there is one


def _no_excerpt(place: Place | None) -> None:
    """The line of a table is not at hand any more."""
