"""What the candidate's plan holds, by cell and case: which units make a case, and what is known of it beforehand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmctl.compare.cells import Cell
from llmctl.compare.gate.evidence import GateCase
from llmctl.errors import UsageError
from llmctl.runs.journal_reader import JournalLine, read_journal
from llmctl.runs.plan import Plan
from llmctl.runs.records import CaseEvent

__all__ = ["CandidateCell", "candidate_cells"]


@dataclass(frozen=True, slots=True)
class CandidateCell:
    """A cell of the plan, its cases in the bank's order."""

    cell: Cell
    label: str
    """The prompt's label in results: `triage` or `triage@v2`."""
    digest: str
    """Of the prompt."""
    cases: tuple[GateCase, ...]
    units: tuple[tuple[int, ...], ...]
    """For each case the numbers of its units in the plan, one for each repeat, ascending."""


def candidate_cells(plan: Plan) -> tuple[CandidateCell, ...]:
    """The cells of a plan, in the order in which it names them.

    Raises:
        UsageError: two versions of one prompt are planned; a cell is one of them.
        StoreError: the plan cannot be read back.
    """
    events = list(_case_events(plan))
    units: dict[tuple[str, int], dict[int, list[int]]] = {}
    reader = plan.units.reader()
    for number in range(len(plan.units)):
        unit = reader.unit(number)
        cases = units.setdefault((events[unit.case_number].bank, unit.target), defaultdict(list))
        cases[unit.case_number].append(number)
    cells = tuple(_cell(plan, bank, target, events, cases) for (bank, target), cases in units.items())
    _check_distinct(cells)
    return cells


def _cell(
    plan: Plan, bank: str, target: int, events: Sequence[CaseEvent], cases: Mapping[int, Sequence[int]]
) -> CandidateCell:
    prompt, model = plan.targets[target].prompt, plan.targets[target].model
    return CandidateCell(
        Cell(bank, prompt.name, model.name),
        prompt.label,
        prompt.digest,
        tuple(_case(events[number], len(units)) for number, units in cases.items()),
        tuple(tuple(units) for units in cases.values()),
    )


def _case(event: CaseEvent, planned: int) -> GateCase:
    return GateCase(event.case_id, planned, event.digest, event.group, event.tags, event.must_pass)


def _case_events(plan: Plan) -> Iterator[CaseEvent]:
    for line in read_journal(plan.case_file()):
        if isinstance(line, JournalLine) and isinstance(line.event, CaseEvent):
            yield line.event


def _check_distinct(cells: Sequence[CandidateCell]) -> None:
    labels: dict[Cell, str] = {}
    for one in cells:
        other = labels.setdefault(one.cell, one.label)
        if other != one.label:
            raise UsageError(
                f"The gate judges one version of a prompt, and both {other} and {one.label} are selected.",
                hint="Name one with -p; what it is compared with is the baseline: --baseline REV.",
            )
