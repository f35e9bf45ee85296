"""What is scored again: the results of a run whose cases are still there and still ask the same."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

from llmctl.errors import Problem, ProjectError, Severity, UsageError
from llmctl.evaluators import registry
from llmctl.evaluators.built import BuiltEvaluator
from llmctl.project import loader
from llmctl.project.collector import collecting_seldom
from llmctl.project.models import Bank, Case, Config, EvaluatorSettings
from llmctl.project.sources import WorkingTree
from llmctl.providers.redaction import Redactor
from llmctl.runs.case_problems import CaseProblems, same_objects
from llmctl.runs.classes import ClassFinder, MetricClasses
from llmctl.runs.head import RunOptions, run_head
from llmctl.runs.judges import JudgeFinder, JudgeModel
from llmctl.runs.plan import embedder_of
from llmctl.runs.plan_file import PlanFile
from llmctl.runs.planned_cases import case_event, embeds
from llmctl.runs.records import BankEvent, JudgeEvent, PlanEvent, PlannedTarget, RunEvent, TargetName
from llmctl.runs.rescore.old_run import OldRun, case_key, read_old_run
from llmctl.runs.rescore.questions import Questions
from llmctl.runs.selection import Selection
from llmctl.runs.target import PlannedCase
from llmctl.runs.targets import require_keys
from llmctl.store.layout import Layout

__all__ = ["Apart", "BankSource", "RescorePlan", "RescoreUnit", "RescoreUnits", "rescore_plan"]

RESCORED_FROM = "rescored_from"
"""Under which name a run's options say which run's answers it scores."""
CaseName = tuple[str, str]
"""Bank and case id."""
BankSource = Callable[[OldRun, str], Bank | None]
"""Makes a bank that is no file, from the run that had it; None: it has none of that name any more."""


@dataclass(frozen=True, slots=True)
class RescoreUnit:
    """One result that is scored again."""

    position: int
    """Where the old result's line begins."""
    case_position: int
    """Where the case's line begins in the new journal."""
    case_number: int
    target: int
    repeat: int


class RescoreUnits:
    """All of them, 24 bytes each."""

    def __init__(self) -> None:
        self._positions = array("Q")
        self._case_positions = array("Q")
        self._case_numbers = array("I")
        self._targets = array("H")
        self._repeats = array("H")

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, number: int) -> RescoreUnit:
        return RescoreUnit(
            self._positions[number],
            self._case_positions[number],
            self._case_numbers[number],
            self._targets[number],
            self._repeats[number],
        )

    def add(self, unit: RescoreUnit) -> None:
        """One more."""
        self._positions.append(unit.position)
        self._case_positions.append(unit.case_position)
        self._case_numbers.append(unit.case_number)
        self._targets.append(unit.target)
        self._repeats.append(unit.repeat)

    def part(self, start: int, stop: int) -> RescoreUnits:
        """Some of them, to be handed to another process."""
        part = RescoreUnits()
        part._positions = self._positions[start:stop]
        part._case_positions = self._case_positions[start:stop]
        part._case_numbers = self._case_numbers[start:stop]
        part._targets = self._targets[start:stop]
        part._repeats = self._repeats[start:stop]
        return part


@dataclass(slots=True)
class Apart:
    """Cases that are not scored, and why."""

    changed: list[CaseName] = field(default_factory=list)
    """They ask something else today: their stored answers answer another question."""
    new: list[CaseName] = field(default_factory=list)
    """The run did not have them."""
    gone: list[CaseName] = field(default_factory=list)
    """They are in the files no more."""


@dataclass(slots=True)
class RescorePlan:
    """Everything that scoring again needs. A context manager: what was not started leaves nothing behind."""

    config: Config
    settings: EvaluatorSettings
    old: OldRun
    head: RunEvent
    event: PlanEvent
    file: PlanFile
    units: RescoreUnits
    apart: Apart
    warnings: tuple[Problem, ...] = ()
    embeds: bool = False
    waits: bool = False
    """Whether an evaluator that is no judge waits for a model or for code."""
    reads: frozenset[str] = frozenset()
    """What the evaluators look at beside the output."""
    judges: Mapping[str, JudgeModel] = field(default_factory=dict)
    judge_events: tuple[JudgeEvent, ...] = ()
    classes: tuple[MetricClasses, ...] = ()
    """The metrics that sort answers into classes."""

    @property
    def journal(self) -> Path:
        """Where the new run is recorded."""
        return self.file.journal

    @property
    def targets(self) -> tuple[TargetName, ...]:
        """By their number in the units."""
        return tuple(self.old.targets)

    def __enter__(self) -> RescorePlan:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.discard()


def rescore_plan(
    config: Config,
    environ: Mapping[str, str],
    run_id: str,
    banks: Sequence[str] | BankSource,
    options: RunOptions,
    *,
    judge: bool,
) -> RescorePlan:
    """Read the run and today's banks, and pair their cases. `judge`: judges are asked, so their keys are needed.

    `banks`: the names of those that are wanted, none for all of them; or where they come from, if they are no files.

    Raises:
        UsageError: the run is not here, a bank was not part of it, or nothing is left to be scored.
        ProjectError: every mistake in the banks that are needed.
        CredentialError: a judge's key is missing.
        StoreError: the plan cannot be kept on disk.
    """
    layout = Layout(config.store)
    old = read_old_run(config.store, run_id)
    head = run_head(config, Selection(repeat=old.plan.repeat if old.plan else 1), options)
    head = replace(head, options={**head.options, RESCORED_FROM: run_id})
    redactor = Redactor(environ, config.key_variables)
    file = PlanFile(layout.journal(head.run_id), redactor)
    source = None if isinstance(banks, Sequence) else banks
    builder = _Builder(config, old, file, redactor, JudgeFinder(config, []), source)
    try:
        with collecting_seldom():
            names = _bank_names(config, old, banks) if isinstance(banks, Sequence) else list(old.banks)
            return builder.build(head, names, environ, judge=judge)
    except BaseException:
        file.discard()
        raise
    finally:
        builder.questions.close()


def _bank_names(config: Config, old: OldRun, named: Sequence[str]) -> list[str]:
    """The banks of the run, or those of them that are named."""
    if not named:
        return list(old.banks)
    names = loader.resolve_bank_names(config, named)
    strange = [name for name in names if name not in old.banks]
    if strange:
        raise UsageError(
            f"The run {old.run_id} has no results of the bank {strange[0]}.",
            hint=f"It ran: {', '.join(old.banks)}.",
        )
    return names


@dataclass(slots=True)
class _Builder:
    config: Config
    old: OldRun
    file: PlanFile
    redactor: Redactor
    judges: JudgeFinder
    source: BankSource | None
    questions: Questions = field(init=False)
    apart: Apart = field(default_factory=Apart)
    embeds: bool = False
    waits: bool = False
    reads: set[str] = field(default_factory=set)
    problems: list[Problem] = field(init=False)
    warnings: dict[Problem, None] = field(default_factory=dict)
    classes: ClassFinder = field(default_factory=ClassFinder)
    case_positions: dict[int, int] = field(default_factory=dict)
    """Where a case's line begins in the new journal, by its number in the old run; in the new order."""
    tags: list[tuple[str, ...]] = field(default_factory=list)
    """By number in the new run."""
    _last: tuple[BuiltEvaluator, ...] = ()
    """The evaluators that were noted last, in this bank."""
    _settings: EvaluatorSettings = field(init=False)
    _same_tags: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.questions = Questions(self.old, self.config, self.redactor)
        self.problems = self.judges.problems
        self._settings = self.config.evaluator_settings

    def build(self, head: RunEvent, names: Sequence[str], environ: Mapping[str, str], *, judge: bool) -> RescorePlan:
        self.file.add(head)
        for prompt in self.old.prompts.values():
            self.file.add(prompt)
        for target in self.old.targets.values():
            self.file.add(target)
        for name in names:
            self._bank(name)
        if any(problem.severity is Severity.ERROR for problem in self.problems):
            raise ProjectError(self.problems)
        units, event = self._units(names)
        if not len(units):
            raise UsageError(
                f"Nothing of the run {self.old.run_id} can be scored again: {_why(self.apart)}.",
                hint="Start a new run: `llmctl eval`.",
            )
        if judge:
            for missing in self.judges.missing.values():
                raise missing
            require_keys([one.route for one in self.judges.found.values()], environ)
        if self.embeds:
            embedder_of(self.config, self.config.evaluator_settings).check()
        for judge_event in self.judges.events.values():
            self.file.add(judge_event)
        event = self.redactor.structure(event)
        self.file.add(event)
        Layout(self.config.store).prepare()
        return RescorePlan(
            self.config,
            self.config.evaluator_settings,
            self.old,
            head,
            event,
            self.file,
            units,
            self.apart,
            (*self.problems, *self.warnings),
            embeds=self.embeds,
            waits=self.waits,
            reads=frozenset(self.reads),
            judges=self.judges.found,
            judge_events=tuple(self.judges.events.values()),
            classes=self.classes.found,
        )

    def _bank(self, name: str) -> None:
        """Pair the cases of one bank."""
        tree = WorkingTree(self.config.root)
        if self.source is None and name not in loader.bank_names(self.config, tree):
            self._gone(name, frozenset())
            return
        if self.source is not None:
            bank = self.source(self.old, name)
        else:
            bank = loader.read_bank(self.config, tree, name, registry.names(), self.problems)
        if bank is None:
            return
        self.file.add(BankEvent(bank.name, str(bank.path), bank.digest, self.old.banks[name].targets))
        said, self._last = CaseProblems(), ()
        seen = set(self._cases(bank, said))
        said.close(self.problems, name)
        self._gone(name, seen)

    def _cases(self, bank: Bank, said: CaseProblems) -> Iterator[int]:
        """Plan the cases that can be scored; the numbers of those that the run had."""
        for case in bank.read_cases(self.problems):
            was = self.old.cases.get(case_key(case.bank, case.id))
            if was is None:
                self.apart.new.append((case.bank, case.id))
                continue
            yield was.number
            if not self.questions.same(case, was):
                self.apart.changed.append((case.bank, case.id))
                continue
            built = self._built(case, said)
            if built is not None:
                planned = PlannedCase(case, built, len(self.tags))
                self.case_positions[was.number] = self.file.add(case_event(planned))
                self.tags.append(self._same_tags.setdefault(case.tags, case.tags))

    def _built(self, case: Case, said: CaseProblems) -> tuple[BuiltEvaluator, ...] | None:
        try:
            built = tuple([registry.build(spec, case, self._settings) for spec in case.evaluators])
        except ProjectError as error:
            said.add(error.problems, case)
            return None
        if not same_objects(built, self._last):
            self._note(built, case.bank)
            self._last = built
        for one in built:
            self.classes.add(one, case)
        return built

    def _note(self, built: Sequence[BuiltEvaluator], bank: str) -> None:
        """What evaluators say of themselves, whatever the case."""
        for one in built:
            self.warnings |= dict.fromkeys(one.warnings)
            if one.asks:
                self.judges.add(one, bank)
            self.waits = self.waits or (one.waits and not one.asks)
            self.reads.update(one.reads)
        self.embeds = self.embeds or embeds(built)

    def _gone(self, bank: str, seen: frozenset[int] | set[int]) -> None:
        """Name the cases of the run that the bank does not have any more."""
        lost = [number for number, name in enumerate(self.old.bank_of) if name == bank and number not in seen]
        self.apart.gone += self.questions.names(lost)

    def _units(self, names: Sequence[str]) -> tuple[RescoreUnits, PlanEvent]:
        numbers = {old: new for new, old in enumerate(self.case_positions)}
        units = RescoreUnits()
        by_target: Counter[tuple[int, int]] = Counter()
        by_tag: Counter[str] = Counter()
        bank_numbers = {name: number for number, name in enumerate(names)}
        for unit in self.old.units():
            position = self.case_positions.get(unit.case)
            if position is None:
                continue
            number = numbers[unit.case]
            units.add(RescoreUnit(unit.position, position, number, unit.target, unit.repeat))
            by_target[bank_numbers[self.old.bank_of[unit.case]], unit.target] += 1
            by_tag.update(dict.fromkeys(self.tags[number], 1))
        targets = tuple(self.old.targets)
        planned = tuple(
            PlannedTarget(names[bank], targets[target].prompt, targets[target].model, count)
            for (bank, target), count in by_target.items()
        )
        repeat = self.old.plan.repeat if self.old.plan else 1
        return units, PlanEvent(len(units), len(self.case_positions), repeat, planned, dict(by_tag))


def _why(apart: Apart) -> str:
    """Why nothing is left."""
    parts = [
        f"{len(cases):,} {'case' if len(cases) == 1 else 'cases'} {said}"
        for cases, said in ((apart.gone, "no longer there"), (apart.changed, "that ask something else today"))
        if cases
    ]
    return " and ".join(parts) or "it has no results"
