"""A gate's way: the baseline is completed, the candidate run stage by stage, flips asked again, all of it judged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from llmctl.cli.launch import Ran, run_plan, take_in
from llmctl.cli.run_missing import run_missing
from llmctl.cli.session import Session
from llmctl.compare.cells import Cell
from llmctl.compare.gate.again import AgainStages, Labels, Suspects, again_selection, find_suspects
from llmctl.compare.gate.candidate import BankRules, baseline_labels, matched, stages_of, tests_of
from llmctl.compare.gate.choosing import ChosenBaseline
from llmctl.compare.gate.context import ContextReader
from llmctl.compare.gate.evidence import CellEvidence
from llmctl.compare.gate.judges import untrusted_judges
from llmctl.compare.gate.judging import CellInput, judge_cells
from llmctl.compare.gate.origins import PromptOrigin, prompt_origins
from llmctl.compare.gate.pairs import Pairs
from llmctl.compare.gate.planned import CandidateCell, candidate_cells
from llmctl.compare.gate.progress import AskedAgain, StagedCell
from llmctl.compare.gate.side_evidence import side_evidence
from llmctl.compare.gate.staging import GateStages
from llmctl.compare.gate.texts import with_texts
from llmctl.compare.gate.watching import WatchSettings
from llmctl.compare.gate_context import GateContext
from llmctl.compare.side import Side, SideKind
from llmctl.compare.sides.context import SideContext
from llmctl.compare.sides.opening import open_sides
from llmctl.compare.sides.references import SideReference
from llmctl.compare.verdict import GateReport, Spending
from llmctl.errors import ExitCode, LlmctlError
from llmctl.runs.head import RunOptions
from llmctl.runs.plan import Plan, make_plan
from llmctl.runs.reading import ProjectReader
from llmctl.runs.records import UnitName
from llmctl.runs.selection import Selection

__all__ = ["GateRun", "OpenBaseline", "Spent", "StoredGate"]


@dataclass(slots=True)
class Spent:
    """What the runs of one gate sent, and what is left of its budget."""

    budget_usd: float | None
    sent: int = 0
    stored: int = 0
    saved: int = 0
    known_usd: float = 0.0
    unknown: bool = False
    stopped: ExitCode | None = None
    """What ended one of them before its end."""

    def add(self, ran: Ran) -> None:
        """Count a run."""
        total, judges = ran.report.total, ran.outcome.judges.values()
        self.sent += total.sent + sum(one.sent for one in judges)
        self.stored += total.cached
        costs = [total.spent_usd.known, *(one.cost_usd for one in judges)]
        self.known_usd += math.fsum(costs)
        self.unknown = self.unknown or bool(total.spent_usd.unknown) or any(one.unpriced for one in judges)
        self.stopped = self.stopped or ran.outcome.code

    def options(self, options: RunOptions) -> RunOptions:
        """The same, with what is left of the budget."""
        if self.budget_usd is None:
            return options
        return replace(options, max_cost_usd=max(0.0, self.budget_usd - self.known_usd))

    def spending(self) -> Spending:
        """As the report says it."""
        return Spending(self.sent, self.stored, self.saved, None if self.unknown else self.known_usd)


@dataclass(frozen=True)
class OpenBaseline:
    """The baseline, readable."""

    chosen: ChosenBaseline = field(default_factory=ChosenBaseline)
    side: Side | None = None
    """None: committed files, or none."""
    cells: Mapping[Cell, CellEvidence] = field(default_factory=dict)
    origins: Mapping[Cell, PromptOrigin] = field(default_factory=dict)
    lacking: frozenset[UnitName] = frozenset()
    """What is missing of a side of files."""

    @property
    def title(self) -> str | None:
        """For people."""
        if self.side is not None:
            return self.side.title
        return "the committed baseline" if self.chosen.committed else None

    @property
    def prompt(self) -> str | None:
        """The one prompt that all are compared with."""
        return self.side.prompt if self.side is not None else None


@contextmanager
def open_baseline(chosen: ChosenBaseline, context: SideContext, *beside: SideReference) -> Iterator[OpenBaseline]:
    """Read the baseline; a side stays open until the block ends. `beside`: the stored run that it is compared with."""
    if chosen.reference is None:
        cells = {cell: one for bank in chosen.committed.values() for cell, one in bank.cells.items()}
        origins = {cell: one for bank in chosen.committed.values() for cell, one in bank.origins.items()}
        yield OpenBaseline(chosen, None, cells, origins)
        return
    with open_sides(context, chosen.reference, *beside) as sides:
        side = sides.sides[0]
        lacking = sides.lacking() if chosen.reference.of_files else frozenset()
        yield OpenBaseline(chosen, side, side_evidence(side), prompt_origins(side), lacking)


@dataclass(frozen=True)
class _Judged:
    """What every gate ends with."""

    session: Session
    rules: BankRules
    baseline: OpenBaseline
    candidate: Side | None
    """None: nothing was run."""
    cells: Mapping[Cell, CellEvidence]
    spent: Spent
    staged: Mapping[Cell, StagedCell] = field(default_factory=dict)
    again: AskedAgain | None = None
    context: ContextReader | None = None

    def report(self) -> GateReport:
        """Judge it."""
        settings = self.session.config.gate
        verdicts = judge_cells(self._inputs(), settings, self.again)
        if self.candidate is not None:
            verdicts = with_texts(verdicts, self.candidate, self._texts_of_baseline())
        warnings = [self.baseline.chosen.warning] if self.baseline.chosen.warning else []
        for side in (self.baseline.side, self.candidate):
            warnings += side.notes if side is not None else ()
        return GateReport(
            cells=verdicts,
            candidate=self.candidate.title if self.candidate is not None else "nothing was run",
            baseline=self.baseline.title,
            run_id=self.candidate.run_id if self.candidate is not None else None,
            alpha=settings.alpha,
            spending=self.spent.spending(),
            warnings=tuple(warnings),
            stopped=self.spent.stopped,
            tolerate_inconclusive=settings.inconclusive == "warn",
            context=self.context.read(verdicts, self.candidate, self.baseline.side) if self.context else GateContext(),
        )

    def _inputs(self) -> list[CellInput]:
        before = matched(self.cells, self.baseline.cells, self.baseline.prompt)
        judges = untrusted_judges(self.session.config, self.candidate) if self.candidate is not None else {}
        return [
            CellInput(
                evidence,
                self.rules[cell.bank],
                before.get(cell),
                self.staged.get(cell),
                judges.get(cell.bank, ()),
                _no_baseline(self.baseline, cell),
            )
            for cell, evidence in self.cells.items()
        ]

    def _texts_of_baseline(self) -> Side | None:
        return self.baseline.side if self.baseline.prompt is None else None


def _no_baseline(baseline: OpenBaseline, cell: Cell) -> str:
    """Why a cell has nothing to be compared with."""
    if baseline.title is None:
        return baseline.chosen.reason
    return f"The baseline ({baseline.title}) has nothing of {cell.prompt} on {cell.model}."


@dataclass(frozen=True)
class StoredGate:
    """Judges a run that is there already. Sends nothing."""

    session: Session
    context: SideContext
    run: SideReference
    chosen: ChosenBaseline
    rules: BankRules
    surroundings: ContextReader | None = None
    """Reads what the report shows beside the verdict; None: nothing."""

    def report(self, banks: Sequence[str]) -> GateReport:
        """The verdict on the cells of these banks."""
        with ExitStack() as stack:
            candidate = stack.enter_context(open_sides(self.context, self.run)).sides[0]
            baseline = stack.enter_context(open_baseline(self.chosen, self.context, self.run))
            cells = {cell: one for cell, one in side_evidence(candidate).items() if cell.bank in banks}
            spent = Spent(None, stored=sum(int(one.evidence.sum()) for one in cells.values()))
            return _Judged(
                self.session, self.rules, baseline, candidate, cells, spent, context=self.surroundings
            ).report()


@dataclass(frozen=True)
class GateRun:
    """Runs the candidate, and judges it."""

    session: Session
    context: SideContext
    """What the baseline is looked up in."""
    selection: Selection
    options: RunOptions
    chosen: ChosenBaseline
    rules: BankRules
    early_stop: bool = True
    bank_mode: bool = False
    surroundings: ContextReader | None = None
    """Reads what the report shows beside the verdict; None: nothing."""

    def report(self, cells: Sequence[CandidateCell]) -> GateReport:
        """The verdict; `cells` of a plan that was not run."""
        spent = Spent(self.options.max_cost_usd)
        with ExitStack() as stack:
            baseline = stack.enter_context(open_baseline(self.chosen, self.context))
            if self._complete(baseline, spent):
                stack.close()
                baseline = stack.enter_context(open_baseline(self.chosen, self.context))
            if spent.stopped is not None:
                empty = {one.cell: CellEvidence(one.cell, one.cases) for one in cells}
                return _Judged(
                    self.session, self.rules, baseline, None, empty, spent, context=self.surroundings
                ).report()
            return self._judged(baseline, spent)

    def _complete(self, baseline: OpenBaseline, spent: Spent) -> bool:
        """Send what is missing of a baseline of files; whether anything was."""
        if self.chosen.reference is None or not baseline.lacking:
            return False
        options = replace(spent.options(self.options), label=None)
        ran = run_missing(self.session, self.context, [self.chosen.reference], options, baseline.lacking)
        if ran is not None:
            spent.add(ran)
        return ran is not None

    def _judged(self, baseline: OpenBaseline, spent: Spent) -> GateReport:
        config = self.session.config
        with make_plan(config, self.selection, self.session.environ, self.options) as plan:
            planned = candidate_cells(plan)
            stages = self._stages(plan, planned, baseline) if self.early_stop else None
            ran = run_plan(self.session, plan, spent.options(self.options), stages)
        _warn(ran)
        spent.add(ran)
        spent.saved = stages.unsent_units() if stages is not None else 0
        take_in(self.session)
        staged = stages.staged() if stages is not None else {}
        names = {one.cell: one.label for one in planned}
        reference = SideReference("", SideKind.RUN, run_id=plan.head.run_id)
        self.context.history.refresh()
        with open_sides(self.context, reference) as sides:
            candidate = replace(sides.sides[0], notes=())
            unneeded = {cell: one.unneeded for cell, one in staged.items()}
            cells = side_evidence(candidate, unneeded)
            again = self._ask_again(baseline, cells, names, spent)
            return _Judged(
                self.session, self.rules, baseline, candidate, cells, spent, staged, again, self.surroundings
            ).report()

    def _stages(self, plan: Plan, cells: Sequence[CandidateCell], baseline: OpenBaseline) -> GateStages:
        gate = self.session.config.gate
        settings = WatchSettings(
            gate.alpha,
            gate.alpha / tests_of(cells, self.rules),
            gate.max_missing,
            self.options.concurrency,
            self.options.seed or 0,
            bank_mode=self.bank_mode,
            completes=not plan.judges,
        )
        before = matched((one.cell for one in cells), baseline.cells, baseline.prompt)
        return stages_of(cells, self.rules, before, settings)

    def _ask_again(
        self, baseline: OpenBaseline, cells: Mapping[Cell, CellEvidence], names: Mapping[Cell, str], spent: Spent
    ) -> AskedAgain | None:
        """Ask flipped cases again, as long as nothing has stopped the gate; None where no rule is about them.

        `names`: the label of the candidate's prompt in each cell.
        """
        before = matched(cells, baseline.cells, baseline.prompt)
        paired = [(Pairs(cells[cell], before[cell]), self.rules[cell.bank]) for cell in before]
        suspects = find_suspects(paired, self.session.config.gate.alpha)
        if suspects is None:
            return None
        wanted = suspects.open_cells()
        if not wanted:
            return suspects.untouched({})
        if spent.stopped is not None:
            return suspects.untouched(dict.fromkeys(wanted, "The gate was stopped before they were asked again."))
        with ProjectReader(self.session.config, self.session.environ) as reader:
            own = {cell: names[cell] for cell in wanted}
            labels, unable = baseline_labels(reader, own, self.chosen, baseline.origins)
        return self._draw(suspects, labels, unable, spent) if labels else suspects.untouched(unable)

    def _draw(
        self, suspects: Suspects, labels: Mapping[Cell, Labels], unable: dict[Cell, str], spent: Spent
    ) -> AskedAgain:
        """A run of nothing but further draws."""
        selection = again_selection(self.selection, suspects, labels)
        options = replace(spent.options(self.options), label=None, fills=True)
        try:
            plan = make_plan(self.session.config, selection, self.session.environ, options)
        except LlmctlError as error:
            return suspects.untouched({**unable, **dict.fromkeys(labels, f"They cannot be asked again: {error}.")})
        with plan:
            stages = AgainStages(suspects, labels, plan)
            ran = run_plan(self.session, plan, options, stages)
        _warn(ran)
        spent.add(ran)
        take_in(self.session)
        return stages.result(unable, ran.report.total.sent)


def _warn(ran: Ran) -> None:
    from llmctl.cli.screen import stderr

    for warning in ran.outcome.warnings:
        stderr().print(warning, style="yellow", soft_wrap=True)
