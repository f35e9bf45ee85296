"""Reads what surrounds a verdict: the comparison with the baseline, and the lines of cases and prompts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from llmctl.compare.cells import CaseName
from llmctl.compare.diff.compare import compare_sides
from llmctl.compare.diff.request import DiffRequest
from llmctl.compare.diff_report import DiffReport
from llmctl.compare.gate_context import FilePlace, GateContext
from llmctl.compare.side import Side
from llmctl.compare.verdict import CellVerdict
from llmctl.errors import Problem, UsageError
from llmctl.evaluators import registry
from llmctl.project import loader
from llmctl.project.git_objects import run_git
from llmctl.project.models import Config
from llmctl.project.names import bank_files, prompt_files
from llmctl.project.sources import WorkingTree
from llmctl.runs.selection import Selection

__all__ = ["ContextReader"]

_LISTED = 50
"""Regressions, and fixes, that a cell lists with their texts."""


@dataclass(frozen=True)
class ContextReader:
    """Reads the context of one gate, while its sides are open."""

    config: Config
    environ: Mapping[str, str]
    command: str = ""

    def read(self, cells: Sequence[CellVerdict], candidate: Side | None, baseline: Side | None) -> GateContext:
        """What surrounds these verdicts.

        Raises:
            StoreError: a side's database cannot be read.
        """
        tree = WorkingTree(self.config.root)
        top = self._top()
        return GateContext(
            command=self.command,
            comparison=self._comparison(cells, candidate, baseline),
            cases=self._cases(tree, top, {case.name for cell in cells for rule in cell.rules for case in rule.cases}),
            prompts={name: FilePlace(top / path) for name, path in prompt_files(self.config, tree).items()},
            banks={name: FilePlace(top / path) for name, path in bank_files(self.config, tree).items()},
        )

    def _comparison(
        self, cells: Sequence[CellVerdict], candidate: Side | None, baseline: Side | None
    ) -> DiffReport | None:
        if candidate is None or baseline is None or not cells:
            return None
        banks = tuple(dict.fromkeys(cell.cell.bank for cell in cells))
        request = DiffRequest(self.config, self.environ, Selection(banks=banks), _LISTED)
        try:
            report = compare_sides(baseline, candidate, request)
        except UsageError:
            # The sides have no bank in common, or a stored run holds two versions of a prompt: nothing to lay side
            # by side, which the rules that need pairs have said already.
            return None
        return report if report.cells else None

    def _top(self) -> PurePosixPath:
        """The project's directory, from the top of the repository."""
        try:
            found = run_git(self.config.root, "rev-parse", "--show-prefix")
        except OSError:
            return PurePosixPath()
        return PurePosixPath(found.stdout.decode(errors="replace").strip() if found.returncode == 0 else "")

    def _cases(self, tree: WorkingTree, top: PurePosixPath, names: Iterable[CaseName]) -> dict[CaseName, FilePlace]:
        wanted: dict[str, set[str]] = {}
        for name in names:
            wanted.setdefault(name.bank, set()).add(name.case_id)
        there = bank_files(self.config, tree)
        found: dict[CaseName, FilePlace] = {}
        for bank, ids in wanted.items():
            if bank in there:
                found |= _places(self.config, tree, top, bank, ids)
        return found


def _places(
    config: Config, tree: WorkingTree, top: PurePosixPath, bank: str, ids: set[str]
) -> dict[CaseName, FilePlace]:
    """Where the cases of a bank stand; mistakes of the file are for those who run it."""
    problems: list[Problem] = []
    read = loader.read_bank(config, tree, bank, registry.names(), problems)
    found: dict[CaseName, FilePlace] = {}
    for case in read.read_cases(problems) if read is not None else ():
        if case.id in ids and case.place is not None:
            place = FilePlace(top / PurePosixPath(case.place.file.as_posix()), case.place.line or 1)
            found[CaseName(bank, case.id)] = place
            if len(found) == len(ids):
                break
    return found
