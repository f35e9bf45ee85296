"""The plan of a run: independent units of work, each with its keys, made in one pass before anything is sent.

The cases go to the run's journal and what is asked to a temporary file, so that a plan of any size fits into memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from llmctl.errors import Problem, ProjectError, Severity, UsageError
from llmctl.evaluators import registry
from llmctl.evaluators.built import BuiltEvaluator
from llmctl.project import templates
from llmctl.project.message_files import MessageFiles
from llmctl.project.models import Bank, Case, Config, EvaluatorSettings
from llmctl.providers.redaction import Redactor
from llmctl.runs.append_file import AppendFile
from llmctl.runs.case_problems import CaseProblems, same_objects
from llmctl.runs.classes import ClassFinder, MetricClasses
from llmctl.runs.head import RunOptions, bank_event, prompt_event, run_head, target_event
from llmctl.runs.judges import JudgeFinder, JudgeModel
from llmctl.runs.plan_file import PlanFile
from llmctl.runs.planned_cases import case_event, embeds
from llmctl.runs.reading import BankRun, ProjectReader
from llmctl.runs.records import JudgeEvent, PlanEvent, RunEvent, TargetName, UnitName
from llmctl.runs.selection import Selection, select_cases
from llmctl.runs.spool import UnitSpool
from llmctl.runs.target import PlannedCase, Target
from llmctl.runs.targets import TargetFinder, require_keys
from llmctl.runs.units import Asked, UnitWriter
from llmctl.store.layout import Layout

if TYPE_CHECKING:
    from llmctl.providers.embeddings import Embedder

__all__ = ["Comparison", "Plan", "PlanBuilder", "PlanWriter", "embedder_of", "make_plan"]


@dataclass(slots=True)
class Plan:
    """Everything a run needs. A context manager: what was not started leaves nothing behind."""

    config: Config
    settings: EvaluatorSettings
    """What its evaluators are built with."""
    head: RunEvent
    event: PlanEvent
    targets: tuple[Target, ...]
    units: UnitSpool
    journal: Path
    """Where the run is recorded."""
    file: PlanFile | AppendFile
    """The head of a new journal, not yet published; or the journal of a run that goes on, locked."""
    warnings: tuple[Problem, ...] = ()
    embeds: bool = False
    """Whether an evaluator needs the embedding model."""
    judges: Mapping[str, JudgeModel] = field(default_factory=dict)
    """The models that evaluators ask, by the name they give."""
    judge_events: tuple[JudgeEvent, ...] = ()
    """Each judge of the evaluators."""
    classes: tuple[MetricClasses, ...] = ()
    """The metrics that sort answers into classes."""
    done: int = 0
    """Results that an earlier part of the run has recorded; they are not among the units."""
    next_call: int = 1
    _begun: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether the run was begun before."""
        return isinstance(self.file, AppendFile)

    def case_file(self) -> Path:
        """Where the cases can be read, also of a plan that is not run.

        Raises:
            StoreError: the disk is full.
        """
        return self.file.flushed() if isinstance(self.file, PlanFile) and not self._begun else self.journal

    def publish(self) -> AppendFile:
        """The journal, open to be continued.

        Raises:
            StoreError: the disk is full.
        """
        self._begun = True
        return self.file.publish() if isinstance(self.file, PlanFile) else self.file

    def __enter__(self) -> Plan:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Delete what is temporary."""
        self.units.close()
        if isinstance(self.file, PlanFile):
            self.file.discard()
        elif not self._begun:
            self.file.close()


@dataclass(frozen=True, slots=True)
class Comparison:
    """A plan to look up what is stored of several versions: nothing is sent, and it lies in a store of its own."""

    read: Callable[[ProjectReader], Iterable[BankRun]]
    """Reads the banks with their prompts, in place of what the selection names."""
    store: Path | None = None
    """Where its journal lies; None: it is to be run, in the project's store."""


def make_plan(
    config: Config,
    selection: Selection,
    environ: Mapping[str, str],
    options: RunOptions,
    comparison: Comparison | None = None,
) -> Plan:
    """Read what is selected, check all of it, and cross targets with cases.

    With a `comparison`, a prompt of a revision that cannot be rendered for a case of today is left out with a warning.

    Raises:
        ProjectError: every mistake in the files that are needed, at once.
        UsageError: an unknown name, or an empty selection.
        CredentialError: a key is missing; says which variable, and who asks for it.
        ModelError: a model that runs on this machine is missing.
        StoreError: the plan cannot be kept on disk.
    """
    store = comparison.store if comparison else None
    layout = Layout(store or config.store)
    head = run_head(config, selection, options)
    redactor = Redactor(environ, config.key_variables)
    file = PlanFile(layout.journal(head.run_id), redactor)
    units = UnitSpool(layout.scratch)
    try:
        writer = PlanWriter(file, UnitWriter(units), selection.repeat)
        file.add(head)
        with ProjectReader(config, environ) as reader:
            builder = PlanBuilder(config, selection, reader.problems, writer, lenient=comparison is not None)
            for run in comparison.read(reader) if comparison else reader.read(selection):
                builder.add(run)
        builder.finish(environ, sends=store is None)
        layout.prepare()
        event = redactor.structure(writer.finish(builder.judges.events.values()))  # a tag may be anything
    except BaseException:
        units.close()
        file.discard()
        raise
    return Plan(
        config,
        config.evaluator_settings,
        head,
        event,
        tuple(writer.units.targets),
        units,
        file.journal,
        file,
        (*builder.problems, *builder.warnings),
        embeds=builder.embeds,
        judges=builder.judges.found,
        judge_events=tuple(builder.judges.events.values()),
        classes=builder.classes.found,
    )


def embedder_of(config: Config, settings: EvaluatorSettings, *, offline: bool = False) -> Embedder:
    """The project's embedding model; nothing is started yet. `offline`: its weights are never asked of the hub."""
    from llmctl.providers.embeddings import Embedder

    return Embedder(settings.semantic.model, config.store / "embeddings.sqlite", offline=offline)


class PlanWriter:
    """Puts a plan on disk while it is made."""

    def __init__(self, file: PlanFile, units: UnitWriter, repeat: int) -> None:
        self.file = file
        self.units = units
        self.repeat = repeat
        self._said: set[str | TargetName] = set()

    def bank(self, bank: Bank, targets: Sequence[Target]) -> None:
        """A bank begins: what its cases are run on, and what of that is new."""
        for target in targets:
            if target.prompt.label not in self._said:
                self.file.add(prompt_event(target.prompt))
            if target.name not in self._said:
                self.file.add(target_event(target))
            self._said |= {target.prompt.label, target.name}
        self.file.add(bank_event(bank, targets))

    def case(self, planned: PlannedCase, asked: Sequence[Asked]) -> None:
        """A case of that bank."""
        self.units.add(planned, self.file.add(case_event(planned)), asked)

    def finish(self, judges: Iterable[JudgeEvent]) -> PlanEvent:
        """Close the list of cases."""
        for judge in judges:
            self.file.add(judge)
        event = self.units.plan(self.repeat)
        self.file.add(event)
        self.units.units.flush()
        return event


@dataclass(slots=True)
class PlanBuilder:
    """Checks targets, cases and templates bank by bank; with a writer, keeps what is sound."""

    config: Config
    selection: Selection
    problems: list[Problem]
    writer: PlanWriter | None = None
    """None: only check."""
    lenient: bool = False
    """Whether a prompt of a revision may be one that cannot be rendered for a case of today."""
    cases: int = 0
    embeds: bool = False
    warnings: dict[Problem, None] = field(default_factory=dict)
    targets: TargetFinder = field(init=False)
    judges: JudgeFinder = field(init=False)
    classes: ClassFinder = field(init=False, default_factory=ClassFinder)
    _files: MessageFiles = field(init=False)
    _settings: EvaluatorSettings = field(init=False)
    _last: tuple[BuiltEvaluator, ...] = ()
    """The evaluators that were noted last, in this bank."""
    _looked_at: int = 0
    _broken: bool = False

    def __post_init__(self) -> None:
        self.targets = TargetFinder(self.config, self.selection.models, self.problems)
        self._files = MessageFiles(self.config.root)
        self._settings = self.config.evaluator_settings
        self.judges = JudgeFinder(self.config, self.problems)

    def add(self, run: BankRun) -> None:
        """Cross one bank's selected cases with its targets."""
        targets = list(self.targets.of(run))
        said, self._last = CaseProblems(), ()
        failures = {target.name: _TemplateFailures(target) for target in targets}
        if self.writer and not self._is_broken():
            self.writer.bank(run.bank, targets)
        for case in select_cases(run.bank, self.selection, self.problems):
            planned = self._planned(case, said) if self._is_wanted(case, targets) else None
            if planned is None:
                continue
            asked = [one for target in targets if (one := self._asked(target, planned, failures[target.name]))]
            if self.writer and not self._is_broken():
                self.writer.case(planned, asked)
        said.close(self.problems, run.bank.name)
        for failure in failures.values():
            if self.lenient and failure.prompt.rev:
                self.warnings |= {replace(one, severity=Severity.WARNING): None for one in failure.problems()}
            else:
                self.problems += failure.problems()

    def finish(self, environ: Mapping[str, str], *, sends: bool = True) -> None:
        """Raise everything that is wrong with the plan (see `make_plan`); without `sends` no key is needed."""
        if self._is_broken():
            raise ProjectError(self.problems)
        for missing in (*self.targets.missing.values(), *self.judges.missing.values()):
            raise missing
        if self.cases == 0:
            raise UsageError(
                "No case is selected.", hint="Look at -t, -k and the banks named; `llmctl validate` counts the cases."
            )
        targets, judges = self.targets.found.values(), self.judges.found.values()
        if sends:
            require_keys([*(one.route for one in targets), *(one.route for one in judges)], environ)
        if self.embeds:
            embedder_of(self.config, self._settings).check()

    def _is_broken(self) -> bool:
        """Whether an error has been found; only problems that came since the last look are looked at."""
        if not self._broken:
            new = self.problems[self._looked_at :]
            self._looked_at = len(self.problems)
            self._broken = any(problem.severity is Severity.ERROR for problem in new)
        return self._broken

    def _planned(self, case: Case, said: CaseProblems) -> PlannedCase | None:
        try:
            built = tuple([registry.build(spec, case, self._settings) for spec in case.evaluators])
        except ProjectError as error:
            said.add(error.problems, case)
            self._broken = True  # though it is said only when the bank was read
            return None
        if not same_objects(built, self._last):
            self._note(built, case.bank)
            self._last = built
        for one in built:
            self.classes.add(one, case)
        planned = PlannedCase(case, built, self.cases)
        self.cases += 1
        return planned

    def _note(self, built: Sequence[BuiltEvaluator], bank: str) -> None:
        """What evaluators say of themselves, whatever the case."""
        for one in built:
            self.warnings |= dict.fromkeys(one.warnings)
            if one.asks:
                self.judges.add(one, bank)
        self.embeds = self.embeds or embeds(built)

    def _asked(self, target: Target, planned: PlannedCase, failures: _TemplateFailures) -> Asked | None:
        try:
            request = target.request(planned.case.vars, self._files)
        except templates.TemplateError as error:
            failures.add(str(error), planned.case)
            return None
        except ProjectError as error:  # prompt and model do not go together: said once
            self.problems += (problem for problem in error.problems if problem not in self.problems)
            return None
        return Asked(target, request, tuple(self._repeats(target, planned.case)))

    def _is_wanted(self, case: Case, targets: Sequence[Target]) -> bool:
        """Whether any result of a case is selected."""
        return self.selection.only is None or any(True for target in targets for _ in self._repeats(target, case))

    def _repeats(self, target: Target, case: Case) -> Iterable[int]:
        """Which draws of a case are selected."""
        only, name = self.selection.only, target.name
        draws = range(1, self.selection.repeat + 1)
        if only is None:
            return draws
        return [draw for draw in draws if UnitName(case.bank, case.id, name.prompt, name.model, draw) in only]


@dataclass(slots=True)
class _Failure:
    """One way in which a template fails."""

    first: Case
    more: int = 0


class _TemplateFailures:
    """One problem for each way a prompt's template fails, however many cases it fails on."""

    def __init__(self, target: Target) -> None:
        self.prompt = target.prompt
        self._failures: dict[str, _Failure] = {}

    def add(self, message: str, case: Case) -> None:
        """Count a failure."""
        if message in self._failures:
            self._failures[message].more += 1
        else:
            self._failures[message] = _Failure(case)

    def problems(self) -> Iterator[Problem]:
        """What is said of them."""
        for message, failure in self._failures.items():
            yield Problem(
                f"The prompt {self.prompt.label} cannot be rendered for the case {failure.first.id}"
                f"{_others(failure.more)}: {message}.",
                failure.first.place,
            )


def _others(count: int) -> str:
    if count == 0:
        return ""
    return f" and {count} more {'case' if count == 1 else 'cases'}"
