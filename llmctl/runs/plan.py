"""The plan of a run: independent units of work, each with its keys, made before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmctl.errors import CredentialError, ModelError, Place, Problem, ProjectError, Severity, UsageError
from llmctl.evaluators import registry
from llmctl.evaluators.built import BuiltEvaluator
from llmctl.project import templates
from llmctl.project.models import Bank, Case, Config, ModelConfig, Prompt
from llmctl.project.shape_errors import nearest
from llmctl.providers import requests, routes
from llmctl.providers.embeddings import Embedder
from llmctl.providers.records import ChatRequest
from llmctl.providers.routes import Route
from llmctl.runs.reading import BankRun, ProjectReader, PromptVersion
from llmctl.runs.selection import Selection, select_cases

__all__ = ["Plan", "PlanBuilder", "PlannedCase", "Target", "Unit", "embedder_of", "make_plan", "require_keys"]


@dataclass(frozen=True, slots=True)
class Target:
    """One prompt x model, and the way to who answers."""

    prompt: Prompt
    model: ModelConfig
    route: Route

    def request(self, case: Case) -> ChatRequest:
        """What this target asks for a case.

        Raises:
            TemplateError: a template fails on the case's variables.
        """
        return requests.build_request(self.prompt, self.model, templates.render_messages(self.prompt, case.vars))


@dataclass(frozen=True, slots=True)
class PlannedCase:
    """A case with its evaluators, ready to score."""

    case: Case
    evaluators: tuple[BuiltEvaluator, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """One (target, case, repeat): what becomes one result."""

    target: Target
    planned: PlannedCase
    repeat: int
    call_key: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a run needs; nothing in it changes while the run goes on."""

    config: Config
    selection: Selection
    banks: tuple[Bank, ...]
    targets: tuple[Target, ...]
    cases: tuple[PlannedCase, ...]
    units: tuple[Unit, ...]
    warnings: tuple[Problem, ...]

    @property
    def embeds(self) -> bool:
        """Whether an evaluator needs the embedding model."""
        return any(built.evaluator.embeds() for planned in self.cases for built in planned.evaluators)


def make_plan(config: Config, selection: Selection, environ: Mapping[str, str]) -> Plan:
    """Read what is selected, check all of it, and cross targets with cases.

    Raises:
        ProjectError: every mistake in the files that are needed, at once.
        UsageError: an unknown name, or an empty selection.
        CredentialError: a key is missing; says which variable, and who asks for it.
        ModelError: a model that runs on this machine is missing.
    """
    with ProjectReader(config, environ) as reader:
        runs = reader.read(selection)
    builder = PlanBuilder(config, selection, reader.problems)
    for run in runs:
        builder.add(run)
    return builder.finish(environ)


def embedder_of(config: Config, *, offline: bool = False) -> Embedder:
    """The project's embedding model; nothing is started yet. `offline`: its weights are never asked of the hub."""
    return Embedder(config.semantic.model, config.store / "embeddings.sqlite", offline=offline)


class PlanBuilder:
    """Gathers targets, cases and units bank by bank, and every problem on the way."""

    def __init__(self, config: Config, selection: Selection, problems: list[Problem]) -> None:
        self.config = config
        self.selection = selection
        self.problems = problems
        self.banks: list[Bank] = []
        self.targets: dict[tuple[str, str], Target] = {}
        self.cases: list[PlannedCase] = []
        self.units: list[Unit] = []
        self.warnings: dict[Problem, None] = {}
        self.missing: dict[str, ModelError] = {}
        """Models of this machine that are not there yet, by what is said of them."""

    def add(self, run: BankRun) -> None:
        """Cross one bank's selected cases with its targets."""
        chosen = [self._plan_case(case) for case in select_cases(run.bank.cases, self.selection)]
        cases = [planned for planned in chosen if planned]
        targets = [
            self._target(version, name, run.bank)
            for version in run.prompts
            if self._renders(version.prompt)
            for name in self._model_names(version, run.bank)
        ]
        self.banks.append(run.bank)
        self.cases += cases
        for target in targets:
            if target:
                self.units += self._cross(target, cases)

    def finish(self, environ: Mapping[str, str]) -> Plan:
        """The plan, or everything that is wrong with it (see `make_plan`)."""
        errors = [problem for problem in self.problems if problem.severity is Severity.ERROR]
        if errors:
            raise ProjectError(self.problems)
        for missing in self.missing.values():
            raise missing
        if not self.units:
            raise UsageError(
                "No case is selected.", hint="Look at -t, -k and the banks named; `llmctl validate` counts the cases."
            )
        targets = tuple(self.targets.values())
        require_keys(targets, environ)
        plan = Plan(
            self.config,
            self.selection,
            tuple(self.banks),
            targets,
            tuple(self.cases),
            tuple(self.units),
            (*self.problems, *self.warnings),
        )
        if plan.embeds:
            embedder_of(self.config).check()
        return plan

    def _plan_case(self, case: Case) -> PlannedCase | None:
        try:
            built = [registry.build(spec, case, self.config.semantic) for spec in case.evaluators]
        except ProjectError as error:
            self.problems += error.problems
            return None
        for one in built:
            self.warnings |= dict.fromkeys(one.warnings)
        return PlannedCase(case, tuple(built))

    def _renders(self, prompt: Prompt) -> bool:
        problems = templates.template_problems(prompt)
        self.problems += (problem for problem in problems if problem not in self.problems)
        return not problems

    def _model_names(self, version: PromptVersion, bank: Bank) -> Sequence[str]:
        if self.selection.models:
            return self.selection.models
        if bank.models:
            return bank.models
        if version.prompt.model:
            return [version.prompt.model]
        self.problems.append(
            Problem(
                f"The prompt {version.prompt.name} names no model.",
                version.prompt.place,
                "Add `model:` to it, `models:` to the bank, or give -m.",
            )
        )
        return []

    def _target(self, version: PromptVersion, name: str, bank: Bank) -> Target | None:
        key = (version.prompt.label, name)
        if key not in self.targets:
            model = version.models.get(name) or ModelConfig(
                name=name, model=name, place=self._asks(name, version, bank)
            )
            if "/" not in name and name not in version.models and (near := nearest(name, version.models)):
                self.problems.append(Problem(f"There is no model `{name}` in llmctl.toml.", model.place, near))
                return None
            try:
                route = routes.resolve(model)
            except ModelError as error:
                self.missing.setdefault(error.message, error)
                return None
            except ProjectError as error:
                self.problems += error.problems
                return None
            except UsageError as error:
                self.problems.append(Problem(error.message, model.place, error.hint))
                return None
            self.targets[key] = Target(version.prompt, model, route)
        return self.targets[key]

    def _asks(self, name: str, version: PromptVersion, bank: Bank) -> Place | None:
        """The file that names a model which `llmctl.toml` does not have; None: the command line does."""
        if name in self.selection.models:
            return None
        return bank.place if name in bank.models else version.prompt.place

    def _cross(self, target: Target, cases: Sequence[PlannedCase]) -> Iterator[Unit]:
        failures = _TemplateFailures(target.prompt)
        for planned in cases:
            try:
                request = target.request(planned.case)
            except templates.TemplateError as error:
                failures.add(error, planned.case)
                continue
            for repeat in range(1, self.selection.repeat + 1):
                yield Unit(target, planned, repeat, requests.call_key(target.route, request, repeat))
        self.problems += failures.problems()


class _TemplateFailures:
    """One problem for each way a prompt's template fails, however many cases it fails on."""

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self.cases: dict[str, list[Case]] = {}

    def add(self, error: templates.TemplateError, case: Case) -> None:
        self.cases.setdefault(str(error), []).append(case)

    def problems(self) -> list[Problem]:
        return [
            Problem(
                f"The prompt {self.prompt.label} cannot be rendered for the case {cases[0].id}"
                f"{_others(len(cases) - 1)}: {message}.",
                cases[0].place,
            )
            for message, cases in self.cases.items()
        ]


def _others(count: int) -> str:
    if count == 0:
        return ""
    return f" and {count} more {'case' if count == 1 else 'cases'}"


def require_keys(targets: Sequence[Target], environ: Mapping[str, str]) -> None:
    """Raise CredentialError for every key that the environment does not hold, with the file that asks for it."""
    missing = routes.missing_keys([target.route for target in targets], environ)
    if missing:
        raise CredentialError(
            "\n".join(key.message for key in missing), hint="Set it in the environment, or give --env-file FILE."
        )
