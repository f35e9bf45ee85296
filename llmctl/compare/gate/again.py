"""Asks cases that flipped again, on both sides, until chance explains them or cannot (`max_new_failures`).

The draws are repeats of the same calls, so what is stored of them is not sent again, and a case stops at its first
contradiction.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from llmctl.compare.cells import Cell
from llmctl.compare.gate.evidence import CellEvidence
from llmctl.compare.gate.pairs import Pairs
from llmctl.compare.gate.progress import AskedAgain
from llmctl.project.models import GateRules
from llmctl.runs.journal_reader import JournalLine, read_journal
from llmctl.runs.plan import Plan
from llmctl.runs.records import CaseEvent, ResultEvent, UnitName
from llmctl.runs.selection import PromptReference, Selection
from llmctl.stats.confirmation import CaseDraws, Confirmation, draws_needed

__all__ = ["AgainStages", "Flip", "Labels", "Suspects", "again_selection", "allowed_failures", "find_suspects"]

_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Labels:
    """Under which label each side's prompt of a cell is run."""

    candidate: str
    baseline: str


@dataclass(frozen=True, slots=True)
class Flip:
    """A case that passed every time in the baseline and fails every time now."""

    cell: Cell
    case_id: str
    draws: CaseDraws
    """Those that made it flip."""


@dataclass(frozen=True)
class Suspects:
    """Every flip of a gate, and how often one must repeat."""

    flips: Sequence[Flip]
    needed: int
    """k: draws a side."""
    allowed: Mapping[Cell, int]
    """`max_new_failures` of each cell that has the rule; the strictest where tags have one too."""
    tagged: frozenset[Cell] = frozenset()
    """Cells of which a tag has the rule: more failures than its limit do not decide the cell."""

    def open_cells(self) -> list[Cell]:
        """Cells with more flips than are allowed: their verdict takes asking again."""
        return [cell for cell in self.allowed if not self.decided(cell, (flip.draws for flip in self.of(cell)))]

    def decided(self, cell: Cell, draws: Iterable[CaseDraws]) -> bool:
        """Whether asking again can change nothing for a cell whose flips have these draws by now."""
        standing = Confirmation(self.needed, self.allowed[cell]).standing(draws)
        return standing.passed or standing.open == 0 or (standing.failed and cell not in self.tagged)

    def of(self, cell: Cell) -> list[Flip]:
        """The flips of a cell."""
        return [flip for flip in self.flips if flip.cell == cell]

    def untouched(self, unable: Mapping[Cell, str]) -> AskedAgain:
        """Where nothing is asked: nothing flipped, or nothing can be."""
        return AskedAgain({(flip.cell, flip.case_id): flip.draws for flip in self.flips}, self.needed, dict(unable))


def allowed_failures(rules: GateRules) -> int | None:
    """The strictest `max_new_failures` of a cell, tags included; None: it has no such rule."""
    limits = [one.max_new_failures for one in (rules, *rules.tags.values()) if one.max_new_failures is not None]
    return min(limits, default=None)


def find_suspects(cells: Sequence[tuple[Pairs, GateRules]], alpha: float) -> Suspects | None:
    """The flips of all cells that have the rule; None where none has it.

    k comes from the union bound over all of their cases: so it holds for the whole gate, not for each cell alone.
    """
    ruled = [(pairs, allowed) for pairs, rules in cells if (allowed := allowed_failures(rules)) is not None]
    cases = sum(len(pairs.candidate.cases) for pairs, _ in ruled)
    if not cases:
        return None
    flips = [flip for pairs, _ in ruled for flip in _flips(pairs)]
    allowed_by_cell = {pairs.candidate.cell: allowed for pairs, allowed in ruled}
    tagged = frozenset(pairs.candidate.cell for pairs, rules in cells if _asked_of_tags(rules))
    return Suspects(flips, draws_needed(cases, alpha), allowed_by_cell, tagged)


def _asked_of_tags(rules: GateRules) -> bool:
    return any(one.max_new_failures is not None for one in rules.tags.values())


def _flips(pairs: Pairs) -> Iterator[Flip]:
    now: CellEvidence = pairs.candidate
    for position in np.flatnonzero(pairs.flipped):
        draws = CaseDraws(
            baseline_passed=int(pairs.passed_before[position]), candidate_failed=int(now.evidence[position])
        )
        yield Flip(now.cell, now.cases[position].case_id, draws)


def again_selection(base: Selection, suspects: Suspects, labels: Mapping[Cell, Labels]) -> Selection:
    """What is planned: the draws of the flips of these cells that are not made yet, on both sides."""
    flips = [flip for flip in suspects.flips if flip.cell in labels]
    only = frozenset(name for flip in flips for name in _names(flip, labels[flip.cell], suspects.needed))
    prompts = dict.fromkeys(label for one in labels.values() for label in (one.candidate, one.baseline))
    return replace(
        base,
        banks=tuple(dict.fromkeys(flip.cell.bank for flip in flips)),
        prompts=tuple(PromptReference.parse(label) for label in prompts),
        repeat=suspects.needed,
        limit=None,
        sample=None,
        only=only,
    )


def _names(flip: Flip, labels: Labels, needed: int) -> Iterator[UnitName]:
    sides = {labels.candidate: flip.draws.candidate_failed, labels.baseline: flip.draws.baseline_passed}
    for label, made in sides.items():
        for draw in range(made + 1, needed + 1):
            yield UnitName(flip.cell.bank, flip.case_id, label, flip.cell.model, draw)


@dataclass(slots=True)
class _Asked:
    """A flip while it is asked again."""

    flip: Flip
    draws: CaseDraws
    baseline: list[int] = field(default_factory=list)
    """Units that were not sent yet, by draw."""
    candidate: list[int] = field(default_factory=list)


class AgainStages:
    """Draw after draw: doubling the draws of what is still open, some cases at a time, in every undecided cell."""

    def __init__(self, suspects: Suspects, labels: Mapping[Cell, Labels], plan: Plan) -> None:
        """`plan` is made of `again_selection`."""
        self._suspects = suspects
        self._labels = labels
        self._cells = {(cell.bank, label, cell.model): cell for cell in labels for label in _both(labels[cell])}
        self._cases = {
            (flip.cell, flip.case_id): _Asked(flip, flip.draws) for flip in suspects.flips if flip.cell in labels
        }
        self._place(plan)
        self._ended = False

    def take(self, result: ResultEvent) -> None:
        """Count a draw; one without evidence says nothing."""
        if result.passed is None or not result.outcome.evidence:
            return
        cell = self._cells[result.bank, result.prompt, result.model]
        case = self._cases[cell, result.case_id]
        labels = self._labels[cell]
        if result.prompt == labels.baseline:
            case.draws = replace(
                case.draws,
                baseline_passed=case.draws.baseline_passed + bool(result.passed),
                baseline_failed=case.draws.baseline_failed + (not result.passed),
            )
        if result.prompt == labels.candidate:
            case.draws = replace(
                case.draws,
                candidate_passed=case.draws.candidate_passed + bool(result.passed),
                candidate_failed=case.draws.candidate_failed + (not result.passed),
            )

    def next_stage(self, known: Container[int]) -> Sequence[int] | None:  # noqa: ARG002  # stored draws count alike
        """The next draws of cases that are open, in cells whose verdict is open."""
        units: set[int] = set()
        rule = Confirmation(self._suspects.needed)
        for cell in self._labels:
            own = [case for case in self._cases.values() if case.flip.cell == cell]
            if self._suspects.decided(cell, (case.draws for case in own)):
                continue
            pending = [case for case in own if rule.ask(case.draws)]
            for case in pending[: self._at_once(cell)]:
                ask = rule.ask(case.draws)
                units |= {*_taken(case.baseline, ask.baseline), *_taken(case.candidate, ask.candidate)}
        self._ended = not units
        return sorted(units) or None

    def _at_once(self, cell: Cell) -> int | None:
        """How many cases are asked side by side: enough of them confirmed are a FAIL, and spare the others."""
        return None if cell in self._suspects.tagged else max(_AT_ONCE, self._suspects.allowed[cell] + 1)

    @property
    def ended_early(self) -> str | None:
        """Chance explains the flips, or does not: the draws that are left say nothing more."""
        left = any(case.baseline or case.candidate for case in self._cases.values())
        return "no further draw could change the verdict" if self._ended and left else None

    def result(self, unable: Mapping[Cell, str], sent: int) -> AskedAgain:
        """What became of every flip; of cells that were not asked, what was known before."""
        draws = {(flip.cell, flip.case_id): flip.draws for flip in self._suspects.flips}
        draws |= {name: case.draws for name, case in self._cases.items()}
        return AskedAgain(draws, self._suspects.needed, dict(unable), sent)

    def _place(self, plan: Plan) -> None:
        """Find the units of each case on each side."""
        events = [
            line.event
            for line in read_journal(plan.case_file())
            if isinstance(line, JournalLine) and isinstance(line.event, CaseEvent)
        ]
        reader = plan.units.reader()
        for number in range(len(plan.units)):
            unit = reader.unit(number)
            event, name = events[unit.case_number], plan.targets[unit.target].name
            cell = self._cells[event.bank, name.prompt, name.model]
            case = self._cases[cell, event.case_id]
            if name.prompt == self._labels[cell].baseline:
                case.baseline.append(number)
            if name.prompt == self._labels[cell].candidate:
                case.candidate.append(number)


def _both(labels: Labels) -> tuple[str, str]:
    return labels.candidate, labels.baseline


def _taken(units: list[int], count: int) -> list[int]:
    """The first so many, taken away."""
    chosen = units[:count]
    del units[:count]
    return chosen
