"""The plan of a run that did not end, read from its journal: what is missing, whatever the files say today."""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from llmctl.errors import UsageError
from llmctl.project.message_files import MessageFiles
from llmctl.project.models import Config, EvaluatorSettings, JudgeSettings, SemanticSettings
from llmctl.project.prompt_data import model_from_data, prompt_from_data
from llmctl.providers import routes
from llmctl.providers.app import app_route
from llmctl.runs.append_file import AppendFile, FileCalls
from llmctl.runs.classes import ClassFinder
from llmctl.runs.codec import UnknownEvent
from llmctl.runs.head import SCORES_LOGS
from llmctl.runs.journal_reader import JournalLine, read_journal
from llmctl.runs.judges import judge_models
from llmctl.runs.plan import Plan
from llmctl.runs.planned_cases import CaseReader, embeds
from llmctl.runs.records import (
    BankEvent,
    CallEvent,
    CaseEvent,
    Event,
    JudgeEvent,
    PlanEvent,
    PromptEvent,
    ResultEvent,
    RunEvent,
    TargetEvent,
    TargetName,
)
from llmctl.runs.rescore.plan import RESCORED_FROM
from llmctl.runs.spool import UnitSpool
from llmctl.runs.target import PlannedCase, Target
from llmctl.runs.targets import require_keys
from llmctl.runs.units import Asked, UnitWriter
from llmctl.store.layout import Layout

__all__ = ["resume_plan"]


@dataclass(slots=True)
class _Journal:
    """What the journal of a run says, cases and results by number only."""

    head: RunEvent | None = None
    plan: PlanEvent | None = None
    prompts: dict[str, PromptEvent] = field(default_factory=dict)
    targets: list[TargetEvent] = field(default_factory=list)
    banks: list[BankEvent] = field(default_factory=list)
    judges: list[JudgeEvent] = field(default_factory=list)
    indexes: dict[TargetName, int] = field(default_factory=dict)
    """Of the targets, by name."""
    case_positions: array[int] = field(default_factory=lambda: array("Q"))
    done: set[int] = field(default_factory=set)
    """Units that have a result, by `unit`."""
    calls: int = 0

    def take(self, event: Event, position: int) -> None:
        """Note one event."""
        match event:
            case RunEvent():
                self.head = self.head or event
            case PlanEvent():
                self.plan = event
            case PromptEvent():
                self.prompts[event.label] = event
            case TargetEvent():
                self.indexes[TargetName(event.prompt, event.model)] = len(self.targets)
                self.targets.append(event)
            case BankEvent():
                self.banks.append(event)
            case JudgeEvent():
                self.judges.append(event)
            case CaseEvent():
                self.case_positions.append(position)
            case ResultEvent() if event.case_number is not None:
                self.done.add(self.unit(event.case_number, TargetName(event.prompt, event.model), event.repeat))
            case CallEvent():
                self.calls = max(self.calls, _number(event.call_id))
            case _:
                return

    def unit(self, case_number: int, target: TargetName, repeat: int) -> int:
        """One number for a unit; all targets stand before the first result."""
        repeats = self.plan.repeat if self.plan else 1
        return (case_number * len(self.targets) + self.indexes.get(target, 0)) * repeats + repeat


def resume_plan(config: Config, environ: Mapping[str, str], run_id: str, command: str) -> Plan:
    """The units of a run that have no result yet.

    Raises:
        UsageError: the run has ended, or its journal does not hold its whole plan.
        StoreError: another process is running it, or the journal cannot be read.
        CredentialError: a key is missing.
        ModelError: a model of this machine is missing.
    """
    layout = Layout(config.store)
    path = layout.journal(run_id)
    if not path.exists():
        raise UsageError(f"The journal of the run {run_id} is not here: {path}.", hint="Start a new run.")
    file = AppendFile(path, FileCalls())
    units = UnitSpool(layout.scratch)
    try:
        return _resumed(config, environ, _Source(path, file, units), command)
    except BaseException:
        units.close()
        file.close()
        raise


@dataclass(frozen=True, slots=True)
class _Source:
    path: Path
    file: AppendFile
    units: UnitSpool


def _resumed(config: Config, environ: Mapping[str, str], source: _Source, command: str) -> Plan:
    journal = _read(source.path)
    head, plan = _whole(journal)
    settings = _settings(head, config)
    targets = _targets(journal, config)
    judges = judge_models(journal.judges)
    require_keys([*(one.route for one in targets), *(one.route for one in judges.values())], environ)
    writer = UnitWriter(source.units)
    for target in targets:
        writer.index(target)
    classes = ClassFinder()
    with closing(CaseReader(source.path, settings)) as cases:
        uses_embeddings = _write_missing(journal, plan, writer, _cases(journal, cases, classes), config)
    source.units.flush()
    return Plan(
        config,
        settings,
        replace(head, command=command, started_at=time.time(), pid=os.getpid()),
        plan,
        tuple(targets),
        source.units,
        source.path,
        source.file,
        embeds=uses_embeddings,
        done=len(journal.done),
        next_call=journal.calls + 1,
        judges=judges,
        judge_events=tuple(journal.judges),
        classes=classes.found,
    )


def _read(path: Path) -> _Journal:
    journal = _Journal()
    for line in read_journal(path):
        if isinstance(line, JournalLine) and not isinstance(line.event, UnknownEvent):
            journal.take(line.event, line.offset)
    return journal


def _whole(journal: _Journal) -> tuple[RunEvent, PlanEvent]:
    """Head and plan, if everything is there that the plan counts."""
    head, plan = journal.head, journal.plan
    if head is not None and (source := head.options.get(RESCORED_FROM)):
        raise UsageError(
            f"The run {head.run_id} scores the answers of run {source} again, and sends nothing.",
            hint=f"Make it anew: llmctl rescore {source}",
        )
    if head is not None and head.options.get(SCORES_LOGS):
        raise UsageError(
            f"The run {head.run_id} scores logged answers, and sends nothing.",
            hint=f"Make it anew: {head.command}",
        )
    if head is None or plan is None or len(journal.case_positions) != plan.cases:
        raise UsageError(
            "The journal of this run does not hold its whole plan.",
            hint="Start a new run: what is stored of this one is not sent again.",
        )
    return head, plan


def _settings(head: RunEvent, config: Config) -> EvaluatorSettings:
    """What evaluators are built with, as it was; whether code may run is for the config of today to say."""
    kept = head.options.get("semantic")
    if not isinstance(kept, Mapping):
        return config.evaluator_settings
    semantic = SemanticSettings(model=str(kept["model"]), threshold=float(kept["threshold"]))
    judge = head.options.get("judge")
    named = judge.get("model") if isinstance(judge, Mapping) else None
    settings = replace(config.evaluator_settings, semantic=semantic)
    return replace(settings, judge=JudgeSettings(named)) if isinstance(named, str) else settings


def _targets(journal: _Journal, config: Config) -> list[Target]:
    found = []
    for event in journal.targets:
        prompt = prompt_from_data(journal.prompts[event.prompt].source)
        model = model_from_data(event.config)
        route = app_route(prompt, model, config) if prompt.target else routes.resolve(model)
        found.append(Target(prompt, model, route))
    return found


def _cases(journal: _Journal, cases: CaseReader, classes: ClassFinder) -> Iterator[PlannedCase]:
    """All cases, each looked at for the classes that the run's metrics have."""
    for number, position in enumerate(journal.case_positions):
        planned = cases.at(position, number)
        for built in planned.evaluators:
            classes.add(built, planned.case)
        yield planned


def _write_missing(
    journal: _Journal, plan: PlanEvent, writer: UnitWriter, cases: Iterable[PlannedCase], config: Config
) -> bool:
    """Write the units without a result; whether one of their cases needs the embedding model."""
    files = MessageFiles(config.root)
    names = {bank.name: [journal.indexes[name] for name in bank.targets] for bank in journal.banks}
    uses_embeddings = False
    for number, planned in enumerate(cases):
        asked = []
        for index in names[planned.case.bank]:
            target = writer.targets[index]
            repeats = [
                repeat
                for repeat in range(1, plan.repeat + 1)
                if journal.unit(number, target.name, repeat) not in journal.done
            ]
            if repeats:
                asked.append(Asked(target, target.request(planned.case.vars, files), repeats))
        if asked:
            writer.add(planned, journal.case_positions[number], asked)
            uses_embeddings = uses_embeddings or embeds(planned.evaluators)
    return uses_embeddings


def _number(call_id: str) -> int:
    """The number in `RUN.12`."""
    number = call_id.rpartition(".")[2]
    return int(number) if number.isascii() and number.isdigit() else 0
