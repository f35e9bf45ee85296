"""Checks a whole project without a call: every file, template, evaluator and sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmctl.errors import Problem, ProjectError, Severity
from llmctl.evaluators import registry, samples
from llmctl.project import loader, templates
from llmctl.project.loader import LoadedProject
from llmctl.project.models import Bank, Case, CaseReference, Config, EvaluatorSpec
from llmctl.project.sources import WorkingTree
from llmctl.project.stand_in import stand_in_config
from llmctl.providers import routes
from llmctl.providers.local.grammar import unenforced_keywords
from llmctl.runs.plan import PlanBuilder, Target
from llmctl.runs.reading import BankRun, PromptVersion, names_no_prompt
from llmctl.runs.selection import Selection

__all__ = ["Checked", "check_project"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a project holds, and what is wrong with it."""

    problems: tuple[Problem, ...]
    prompts: tuple[str, ...]
    cases: Mapping[str, int]
    """Cases by bank."""

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
    for bank in loaded.banks.values():
        run = _bank_run(bank, loaded, config)
        builder.add(run)
        builder.problems += _unused_variables(run)
        builder.problems += _failing_samples(bank)
        if not bank.prompts:
            builder.problems.append(names_no_prompt(bank))
    builder.problems += builder.warnings
    builder.problems += (
        Problem(missing.message, None, missing.hint, severity=Severity.WARNING) for missing in builder.missing.values()
    )
    builder.problems += _unenforced(builder.targets.values())
    reached = [target.route for target in builder.targets.values()]
    builder.problems += [_warning(text, None) for text in routes.ignored_variables(reached, environ)]
    cases = {name: len(bank.cases) for name, bank in loaded.banks.items()}
    return Checked(_in_order(builder.problems), tuple(loaded.prompts), cases)


def _bank_run(bank: Bank, loaded: LoadedProject, config: Config) -> BankRun:
    """The bank with those of its prompts that are sound."""
    prompts = [loaded.prompts[name] for name in bank.prompts if name in loaded.prompts]
    sound = [prompt for prompt in prompts if not templates.template_problems(prompt)]
    return BankRun(bank, tuple(PromptVersion(prompt, config.models) for prompt in sound))


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    unique = {(problem.message, problem.place): problem for problem in problems}.values()
    return tuple(sorted(unique, key=_position))


def _position(problem: Problem) -> tuple[str, int, int]:
    place = problem.place
    return (str(place.file), place.line or 0, place.column or 0) if place else ("", 0, 0)


def _warning(message: str, problem_at: Case | None) -> Problem:
    return Problem(message, problem_at.place if problem_at else None, severity=Severity.WARNING)


def _unused_variables(run: BankRun) -> Iterator[Problem]:
    """A variable that neither a prompt nor an evaluator of the bank uses: probably misspelt."""
    if not run.prompts:
        return
    used = frozenset().union(*(templates.prompt_variables(version.prompt) for version in run.prompts))
    said: set[str] = set()
    for case in run.bank.cases:
        scored = {path[1] for spec in case.evaluators for path in _references(spec) if path[0] == "vars"}
        for name in case.vars:
            if name not in used and name not in scored and name not in said:
                said.add(name)
                prompts = ", ".join(version.prompt.name for version in run.prompts)
                yield _warning(f"Nothing uses the variable {name} of the case {case.id} (prompts: {prompts}).", case)


def _references(spec: EvaluatorSpec) -> Iterator[tuple[str, ...]]:
    for child in spec.children:
        yield from _references(child)
    values = [spec.against, *(spec.args.values() if isinstance(spec.args, Mapping) else [spec.args])]
    yield from (value.path for value in values if isinstance(value, CaseReference) and len(value.path) > 1)


def _failing_samples(bank: Bank) -> Iterator[Problem]:
    """`good:` and `bad:` answers that an evaluator judges the other way; each spec once."""
    seen: set[int] = set()
    for case in bank.cases:
        for spec in case.evaluators:
            if id(spec) not in seen and (spec.good or spec.bad):
                seen.add(id(spec))
                yield from samples.check_samples(spec, case)


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
