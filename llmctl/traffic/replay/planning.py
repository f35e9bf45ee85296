"""The plan of a replay: logged calls become the cases of a run like any other, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from llmctl.canonical import digest
from llmctl.errors import Problem, ProjectError, Severity, UsageError
from llmctl.evaluators import registry
from llmctl.evaluators.built import BuiltEvaluator
from llmctl.project.message_files import MessageFiles
from llmctl.project.models import Bank, Case, Config, EvaluatorSettings
from llmctl.project.templates import TemplateError
from llmctl.providers.recorded_request import REQUEST
from llmctl.providers.records import ChatRequest
from llmctl.providers.redaction import Redactor
from llmctl.providers.routes import TransportName
from llmctl.runs.case_problems import same_objects
from llmctl.runs.classes import ClassFinder
from llmctl.runs.head import SCORES_LOGS, RunOptions, run_head
from llmctl.runs.judges import JudgeFinder
from llmctl.runs.plan import Plan, PlanWriter, embedder_of
from llmctl.runs.plan_file import PlanFile
from llmctl.runs.planned_cases import embeds
from llmctl.runs.records import RunEvent
from llmctl.runs.selection import Selection
from llmctl.runs.spool import UnitSpool
from llmctl.runs.target import PlannedCase, Target
from llmctl.runs.targets import require_keys
from llmctl.runs.units import Asked, UnitWriter
from llmctl.store.layout import Layout
from llmctl.traffic.replay.logged_prompt import request_of, variables_of
from llmctl.traffic.replay.records import Choice, ChosenCall, Mode
from llmctl.traffic.replay.request import REPLAY, ReplayRequest
from llmctl.traffic.replay.scoring import Scoring, correction_of, with_feedback
from llmctl.traffic.replay.targets import Lanes, LaneSet, LaneTargets, ObservedLanes, UnknownModelError

__all__ = ["Chosen", "ReplayPlan", "ReplayPlanner"]

_NO_VARIABLES = "the variables of its prompt are not known"
_MODEL_HINT = (
    'Say where it runs in llmctl.toml, under the name that the log has: [models."NAME"] model = "PROVIDER/NAME"; '
    "or ask another one: -m MODEL."
)
_IN_THE_WAY = f"it has a variable `{REQUEST}`, which is the name of the logged request"


class Chosen(Protocol):
    """The calls that are to be replayed."""

    @property
    def choice(self) -> Choice:
        """What became of those that were looked at."""

    def calls(self) -> Iterable[ChosenCall]:
        """They, one after the other."""


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """A plan, and what became of the calls on the way to it."""

    plan: Plan
    request: ReplayRequest
    scoring: Scoring
    choice: Choice
    unscored: int = 0
    """Calls that some of the evaluators do not score, as nobody said what was expected."""


@dataclass(frozen=True, slots=True)
class ReplayPlanner:
    """Makes the cases and the requests of a replay, and checks all of it before anything is sent."""

    config: Config
    environ: Mapping[str, str]
    """Where keys are."""
    request: ReplayRequest
    scoring: Scoring
    options: RunOptions
    beside: Mapping[str, object] = field(default_factory=dict)
    """More that the run's head says of the replay."""

    def plan(
        self, chosen: Chosen, lanes: Lanes | None = None, told: Callable[[ChosenCall], None] | None = None
    ) -> ReplayPlan:
        """The plan of these calls.

        Args:
            chosen: the calls.
            lanes: whom each is asked; None: as the request says.
            told: is told of each call that is planned, in the order of the plan.

        Raises:
            ProjectError: mistakes in the files that are needed.
            UsageError: a name is unknown, nothing can be replayed, or nothing can be scored.
            CredentialError: a key is missing.
            ModelError: a model of this machine is missing.
            StoreError: the plan cannot be kept on disk.
        """
        lanes = lanes or LaneTargets.of(self.config, self.environ, self.request)
        layout = Layout(self.config.store)
        head = _head(self, chosen.choice, lanes)
        redactor = Redactor(self.environ, self.config.key_variables)
        file, units = PlanFile(layout.journal(head.run_id), redactor), UnitSpool(layout.scratch)
        writer = PlanWriter(file, UnitWriter(units), self.request.repeat)
        work = _Work(self.config, self.request, self.scoring, lanes, writer, told)
        try:
            file.add(head)
            calls = chosen.calls()
            for one in with_feedback(self.config.store, calls) if self.scoring.needing else calls:
                work.add(one)
            work.finish(self.environ, chosen.choice)
            layout.prepare()
            event = redactor.structure(writer.finish(work.judges.events.values()))
        except BaseException:
            units.close()
            file.discard()
            raise
        plan = Plan(
            self.config,
            self.config.evaluator_settings,
            head,
            event,
            tuple(writer.units.targets),
            units,
            file.journal,
            file,
            tuple(work.warnings),
            embeds=work.embeds,
            judges=work.judges.found,
            judge_events=tuple(work.judges.events.values()),
            classes=work.classes.found,
        )
        return ReplayPlan(plan, self.request, self.scoring, work.choice(chosen.choice), work.unscored)


def _head(planner: ReplayPlanner, choice: Choice, lanes: Lanes) -> RunEvent:
    request, observed = planner.request, isinstance(lanes, ObservedLanes)
    head = run_head(planner.config, Selection(repeat=request.repeat), planner.options)
    said: dict[str, object] = {
        "mode": (Mode.OUTPUT_ONLY if observed else request.mode).value,
        "sources": list(request.sources),
        "models": list(request.models),
        "prompts": [f"{one.name}@{one.rev}" if one.rev else one.name for one in request.prompts],
        "params": dict(request.params),
        "rerun": request.rerun,
        "candidates": len(lanes.candidates) or int(request.has_candidate),
        "scored_by": request.scored_by.as_data(),
        "choice": _choice_data(choice),
        **planner.beside,
    }
    sends_nothing = {SCORES_LOGS: True} if said["mode"] == Mode.OUTPUT_ONLY else {}
    return replace(head, options={**head.options, **sends_nothing, REPLAY: said})


def _choice_data(choice: Choice) -> dict[str, object]:
    return {
        "looked_at": choice.looked_at,
        "chosen": choice.chosen,
        "set_aside": dict(choice.set_aside),
        "duplicates": choice.duplicates,
        "not_sampled": choice.not_sampled,
    }


@dataclass(slots=True)
class _Work:
    """Makes one case after the other; keeps none."""

    config: Config
    request: ReplayRequest
    scoring: Scoring
    lanes: Lanes
    writer: PlanWriter
    told: Callable[[ChosenCall], None] | None
    embeds: bool = False
    unscored: int = 0
    corrected: int = 0
    warnings: dict[Problem, None] = field(default_factory=dict)
    set_aside: dict[str, int] = field(default_factory=dict)
    unknown_models: bool = False
    judges: JudgeFinder = field(init=False)
    classes: ClassFinder = field(default_factory=ClassFinder)
    _settings: EvaluatorSettings = field(init=False)
    _files: MessageFiles = field(init=False)
    _said: set[str] = field(default_factory=set)
    """Banks that are in the journal."""
    _last: dict[str, tuple[BuiltEvaluator, ...]] = field(default_factory=dict)
    _cases: int = 0

    def __post_init__(self) -> None:
        self._settings = self.config.evaluator_settings
        self._files = MessageFiles(self.config.root)
        self.judges = JudgeFinder(self.config, [])

    def add(self, chosen: ChosenCall) -> None:
        """Plan a call, or set it aside with the reason."""
        try:
            lanes = self.lanes.of_call(chosen.call)
            planned = self._planned(chosen, lanes.bank)
            asked = [self._asked(target, planned) for target in lanes.targets]
        except (_SetAsideError, UnknownModelError) as reason:
            self.unknown_models = self.unknown_models or isinstance(reason, UnknownModelError)
            self.set_aside[str(reason)] = self.set_aside.get(str(reason), 0) + 1
            return
        if lanes.bank not in self._said:
            self._said.add(lanes.bank)
            self.writer.bank(self._bank(lanes), lanes.targets)
        self._note(planned)
        self._cases += 1
        self.writer.case(planned, asked)
        if self.told is not None:
            self.told(chosen)

    def choice(self, choice: Choice) -> Choice:
        """The choice, less what was set aside here."""
        lost = sum(self.set_aside.values())
        both = choice.set_aside + type(choice.set_aside)(self.set_aside)
        return replace(choice, chosen=choice.chosen - lost, set_aside=both)

    def finish(self, environ: Mapping[str, str], choice: Choice) -> None:
        """Raise what is wrong with the whole."""
        if any(problem.severity is Severity.ERROR for problem in self.judges.problems):
            raise ProjectError(self.judges.problems)
        for missing in self.judges.missing.values():
            raise missing
        if self._cases == 0:
            raise _nothing(self.choice(choice), _MODEL_HINT if self.unknown_models else None)
        if self.scoring and not self.scoring.reference_free and not self.corrected:
            raise self.scoring.no_correction()
        sent = [one.route for one in self.writer.units.targets if one.route.transport is not TransportName.LOGGED]
        require_keys([*sent, *(one.route for one in self.judges.found.values())], environ)
        if self.embeds:
            embedder_of(self.config, self._settings).check()

    def _planned(self, chosen: ChosenCall, bank: str) -> PlannedCase:
        case = self._case(chosen, bank)
        try:
            built = tuple([registry.build(spec, case, self._settings) for spec in case.evaluators])
        except ProjectError as error:
            first = error.problems[0].message.rstrip(".")
            raise _SetAsideError(f"an evaluator needs what the log does not hold: {first}") from None
        return PlannedCase(case, built, self._cases)

    def _case(self, chosen: ChosenCall, bank: str) -> Case:
        call, expected = chosen.call, correction_of(chosen.call)
        return Case(
            bank=bank,
            id=chosen.id,
            vars=self._variables(chosen),
            evaluators=self.scoring.of(expected),
            expected=expected,
            has_expected=expected is not None,
            tags=tuple(_tags(chosen)),
            group=call.session_id or call.trace_id,
            weight=chosen.weight,
            pass_score=self.scoring.pass_score,
        )

    def _variables(self, chosen: ChosenCall) -> Mapping[str, object]:
        if self.request.mode is not Mode.TEMPLATE:
            return variables_of(chosen.call)
        if chosen.variables is None:
            raise _SetAsideError(_NO_VARIABLES)
        if not self.request.rerun:
            return chosen.variables
        if REQUEST in chosen.variables:
            raise _SetAsideError(_IN_THE_WAY)
        return {**chosen.variables, REQUEST: request_of(chosen.call)}

    def _asked(self, target: Target, planned: PlannedCase) -> Asked:
        if target.route.transport is TransportName.LOGGED:
            nothing = ChatRequest(target.route.model, (), payload={"logged": planned.case.id})
            return Asked(target, nothing, (1,))
        try:
            request = target.request(planned.case.vars, self._files)
        except TemplateError as error:
            raise _SetAsideError(f"the prompt {target.prompt.label} cannot be rendered for it: {error}") from None
        return Asked(target, request, range(1, self.request.repeat + 1))

    def _note(self, planned: PlannedCase) -> None:
        """What evaluators say of themselves, once for those of the same kind."""
        case, built = planned.case, planned.evaluators
        self.corrected += case.has_expected
        self.unscored += bool(self.scoring.needing) and not case.has_expected
        if not same_objects(built, self._last.get(case.bank, ())):
            self._last[case.bank] = built
            for one in built:
                self.warnings |= dict.fromkeys(one.warnings)
                if one.asks:
                    self.judges.add(one, case.bank)
            self.embeds = self.embeds or embeds(built)
        for one in built:
            self.classes.add(one, case)

    def _bank(self, lanes: LaneSet) -> Bank:
        described = digest("traffic", self.scoring.digest, self.request.mode.value)
        return Bank(lanes.bank, Path(), lambda _problems: iter(()), digest=described)


class _SetAsideError(Exception):
    """A call cannot be replayed; the message says why."""


def _tags(chosen: ChosenCall) -> Sequence[str]:
    call = chosen.call
    prompt = [f"prompt:{call.prompt_name}"] if call.prompt_name else []
    model = call.model or call.served_model
    return [*prompt, *([f"model:{model}"] if model else [])]


def _nothing(choice: Choice, hint: str | None) -> UsageError:
    """That no call is left."""
    if not choice.looked_at:
        return UsageError(
            "There is no logged call to replay.",
            hint="Name a log: llmctl replay FILE; or look at what is there: llmctl traffic list.",
        )
    reasons = "; ".join(f"{reason} x {count:,}" for reason, count in choice.set_aside.most_common(5))
    return UsageError(f"None of the {choice.looked_at:,} logged calls can be replayed: {reasons}.", hint=hint)
