"""Checks a whole project without a call: every file, template, evaluator and sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from llmctl.errors import Problem, ProjectError, Severity
from llmctl.evaluators import registry
from llmctl.evaluators.samples import EvaluatorSamples
from llmctl.project import loader, templates
from llmctl.project.loader import LoadedProject
from llmctl.project.models import Bank, Config
from llmctl.project.sources import WorkingTree
from llmctl.project.stand_in import stand_in_config
from llmctl.providers.app import app_problems
from llmctl.providers.environment import ignored_variables
from llmctl.providers.local.grammar import unenforced_keywords
from llmctl.runs.case_counts import CaseCounter
from llmctl.runs.case_watch import CaseWatch
from llmctl.runs.judges import JudgeModel
from llmctl.runs.plan import PlanBuilder
from llmctl.runs.reading import BankRun, PromptVersion, names_no_prompt
from llmctl.runs.records import JudgeEvent
from llmctl.runs.selection import Selection
from llmctl.runs.target import Target

__all__ = ["Checked", "check_project", "in_order"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a project holds, and what is wrong with it."""

    problems: tuple[Problem, ...]
    prompts: tuple[str, ...]
    cases: Mapping[str, int]
    """How many cases each sound bank has."""
    config: Config
    """The project's; a stand-in where its file has mistakes."""
    samples: tuple[EvaluatorSamples, ...] = ()
    """Samples that wait for a model, or for code of the project: `try_samples` judges them."""
    judges: Mapping[str, JudgeModel] = field(default_factory=dict)
    """The models that evaluators ask, by the name they give."""
    judge_events: tuple[JudgeEvent, ...] = ()
    """Each judge of the evaluators."""
    counters: Mapping[str, CaseCounter] = field(default_factory=dict)
    """The sound banks with their cases counted, for the rules of their gates."""

    @property
    def errors(self) -> list[Problem]:
        """What keeps a run from starting."""
        return [problem for problem in self.problems if problem.severity is Severity.ERROR]

    @property
    def warnings(self) -> list[Problem]:
        """What a run can live with."""
        return [problem for problem in self.problems if problem.severity is Severity.WARNING]


def check_project(path: Path, environ: Mapping[str, str]) -> Checked:
    """Read and check everything that the `llmctl.toml` at `path` leads to; all problems of all files at once."""
    try:
        config, problems = loader.load_config(path, environ), []
    except ProjectError as error:
        config, problems = stand_in_config(path), error.problems
    return _check(config, environ, problems)


def _check(config: Config, environ: Mapping[str, str], problems: Sequence[Problem]) -> Checked:
    loaded = loader.load_project(config, WorkingTree(config.root), registry.names())
    builder = PlanBuilder(config, Selection(), [*problems, *loaded.problems])
    for prompt in loaded.prompts.values():
        builder.problems += templates.template_problems(prompt)
        builder.problems += app_problems(prompt, config) if prompt.target else []
    cases: dict[str, int] = {}
    samples: list[EvaluatorSamples] = []
    counters: dict[str, CaseCounter] = {}
    for bank in loaded.banks.values():
        run = _bank_run(bank, loaded, config)
        counter = CaseCounter(bank)
        watch = CaseWatch(counter.bank, [version.prompt for version in run.prompts], config.evaluator_settings)
        builder.add(replace(run, bank=watch.bank))
        builder.problems += watch.problems
        samples += watch.samples
        if watch.sound:
            cases[bank.name] = watch.count
            counters[bank.name] = counter
        if not bank.prompts:
            builder.problems.append(names_no_prompt(bank))
    builder.problems += builder.warnings
    targets = builder.targets
    builder.problems += (
        Problem(missing.message, None, missing.hint, severity=Severity.WARNING)
        for missing in (*targets.missing.values(), *builder.judges.missing.values())
    )
    builder.problems += _unenforced(targets.found.values())
    judges = builder.judges
    reached = [*(one.route for one in targets.found.values()), *(one.route for one in judges.found.values())]
    builder.problems += [Problem(text, severity=Severity.WARNING) for text in ignored_variables(reached, environ)]
    return Checked(
        in_order(builder.problems),
        tuple(loaded.prompts),
        cases,
        config,
        tuple(samples),
        judges.found,
        tuple(judges.events.values()),
        counters,
    )


def _bank_run(bank: Bank, loaded: LoadedProject, config: Config) -> BankRun:
    """The bank with those of its prompts that are sound."""
    prompts = [loaded.prompts[name] for name in bank.prompts if name in loaded.prompts]
    sound = [prompt for prompt in prompts if not templates.template_problems(prompt)]
    return BankRun(bank, tuple(PromptVersion(prompt, config.models) for prompt in sound))


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each once, by file and line."""
    unique = {(problem.message, problem.place): problem for problem in problems}.values()
    return tuple(sorted(unique, key=_position))


def _position(problem: Problem) -> tuple[str, int, int]:
    place = problem.place
    return (str(place.file), place.line or 0, place.column or 0) if place else ("", 0, 0)


def _unenforced(targets: Iterable[Target]) -> Iterator[Problem]:
    """Schema keywords that the local model's constrained output cannot keep."""
    said: set[str] = set()
    for target in targets:
        prompt = target.prompt
        if target.route.transport != "local" or prompt.schema is None or prompt.name in said:
            continue
        said.add(prompt.name)
        for keyword in unenforced_keywords(prompt.schema):
            yield Problem(
                f"The local model cannot enforce `{keyword.keyword}` at {keyword.pointer or '/'} of the output schema.",
                prompt.place,
                "Keep a json_schema evaluator in the bank: it checks the answer.",
                severity=Severity.WARNING,
            )
