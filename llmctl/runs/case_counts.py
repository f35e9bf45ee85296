"""How many cases a bank has, and how many of them are independent: counted while somebody else reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from llmctl.errors import Problem
from llmctl.project.models import Bank, Case

__all__ = ["CaseCount", "CaseCounter"]


@dataclass(slots=True)
class CaseCount:
    """Of a bank, or of one tag in it."""

    cases: int = 0
    alone: int = 0
    """Cases without a group."""
    groups: set[str] = field(default_factory=set)

    @property
    def clusters(self) -> int:
        """What is independent: groups, and cases without one."""
        return self.alone + len(self.groups)

    def add(self, case: Case) -> None:
        """Count a case."""
        self.cases += 1
        if case.group is None:
            self.alone += 1
        else:
            self.groups.add(case.group)


class CaseCounter:
    """Counts the cases of a bank on their way to whoever reads `bank`, so that a file is read only once."""

    def __init__(self, bank: Bank) -> None:
        self.total = CaseCount()
        self.tags: dict[str, CaseCount] = {}
        self.must_pass = 0
        self.bank = replace(bank, reader=self._read)
        """The same bank; its cases are counted when they are read."""
        self._cases = bank.read_cases

    def _read(self, problems: list[Problem]) -> Iterator[Case]:
        self.total, self.tags, self.must_pass = CaseCount(), {}, 0
        for case in self._cases(problems):
            self.total.add(case)
            self.must_pass += case.must_pass
            for tag in case.tags:
                self.tags.setdefault(tag, CaseCount()).add(case)
            yield case
