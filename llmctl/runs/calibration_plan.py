"""What a calibration asks: the judge that is meant, and each labelled output with its case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llmctl.errors import Problem, ProjectError, Severity, UsageError
from llmctl.evaluators import registry
from llmctl.evaluators.built import BuiltEvaluator
from llmctl.evaluators.judge.judge import Judge
from llmctl.evaluators.judge.scheme import Scheme
from llmctl.evaluators.verdict import Subject
from llmctl.evaluators.wording import quote
from llmctl.project import loader
from llmctl.project.models import Bank, Case, Config, EvaluatorSpec
from llmctl.project.sources import WorkingTree
from llmctl.runs.judges import JudgeFinder, JudgeModel
from llmctl.runs.labels import LabelledOutput, LabelledRow, read_labels, verdicts_of
from llmctl.runs.records import JudgeEvent
from llmctl.runs.targets import require_keys

__all__ = ["CalibrationPlan", "Chosen", "Item", "plan_calibration"]


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled output, ready to be judged."""

    labelled: LabelledOutput
    judge: BuiltEvaluator
    subject: Subject


@dataclass(frozen=True, slots=True)
class CalibrationPlan:
    """Everything that a calibration needs."""

    judge: JudgeEvent
    scheme: Scheme
    models: Mapping[str, JudgeModel]
    items: tuple[Item, ...]
    labels: Path


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which judge is meant; None: the only one there is."""

    bank: str | None = None
    metric: str | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """A judge in a bank, as its first case has it."""

    bank: Bank
    event: JudgeEvent
    spec: EvaluatorSpec


def plan_calibration(config: Config, environ: Mapping[str, str], labels: Path, chosen: Chosen) -> CalibrationPlan:
    """Read the labels, find the judge, and bring both together.

    Raises:
        UsageError: the file cannot be read, or no judge or several are meant.
        ProjectError: mistakes in the bank or in the labels.
        CredentialError: the judge's key is missing.
        ModelError: the judge's model is one of this machine, and missing.
    """
    rows = read_labels(labels)
    problems: list[Problem] = []
    finder = JudgeFinder(config, problems)
    found = _judge(list(_judges(config, finder, chosen.bank)), problems, finder, chosen)
    require_keys([model.route for model in finder.found.values()], environ)
    items = list(_items(config, found, rows, problems))
    _raise(problems)
    judge = items[0].judge.evaluator
    assert isinstance(judge, Judge)
    return CalibrationPlan(found.event, judge.scheme, finder.found, tuple(items), labels)


def _raise(problems: Sequence[Problem]) -> None:
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise ProjectError(errors)


def _judges(config: Config, finder: JudgeFinder, name: str | None) -> Iterator[_Found]:
    """Each judge of the banks, once."""
    tree = WorkingTree(config.root)
    names = [loader.resolve_bank_name(config, name)] if name else loader.bank_names(config, tree)
    for bank_name in names:
        bank = loader.read_bank(config, tree, bank_name, registry.names(), finder.problems)
        if bank is None:
            continue
        for case in bank.read_cases(finder.problems):
            for leaf in _leaves(config, case, finder.problems):
                before = len(finder.events)
                finder.add(leaf, bank.name)
                if len(finder.events) > before:
                    yield _Found(bank, list(finder.events.values())[-1], leaf.spec)


def _leaves(config: Config, case: Case, problems: list[Problem]) -> Iterator[BuiltEvaluator]:
    """The judges of a case."""
    for spec in case.evaluators:
        try:
            built = registry.build(spec, case, config.evaluator_settings)
        except ProjectError as error:
            problems += (problem for problem in error.problems if problem not in problems)
            continue
        yield from (leaf for leaf in built.leaves if isinstance(leaf.evaluator, Judge))


def _judge(found: Sequence[_Found], problems: Sequence[Problem], finder: JudgeFinder, chosen: Chosen) -> _Found:
    """The one that is meant."""
    _raise(problems)
    for missing in finder.missing.values():
        raise missing
    meant = [one for one in found if chosen.metric in (None, one.event.metric)]
    if len(meant) == 1:
        return meant[0]
    if not meant:
        named = f" called {quote(chosen.metric)}" if chosen.metric else ""
        where = f"The bank {chosen.bank} has" if chosen.bank else "The banks have"
        raise UsageError(f"{where} no `judge`{named}.", hint=_choice(found))
    same = {(one.event.bank, one.event.metric) for one in meant}
    if len(same) == 1:
        bank, metric = same.pop()
        raise UsageError(
            f"Cases of the bank {bank} have different judges called {quote(metric)}, and a calibration is of one.",
            hint="Give each its own `metric`.",
        )
    raise UsageError("Several judges can be meant.", hint=_choice(meant))


def _choice(found: Sequence[_Found]) -> str | None:
    names = dict.fromkeys(f"--bank {one.event.bank} --metric {one.event.metric}" for one in found)
    return f"There are: {'; '.join(names)}." if names else None


def _items(config: Config, found: _Found, rows: Sequence[LabelledRow], problems: list[Problem]) -> Iterator[Item]:
    cases = _cases(found.bank, {row.case_id for row in rows if row.case_id is not None})
    for row in rows:
        case = _case(found, row, cases, problems)
        if case is None:
            continue
        try:
            judge = registry.build(found.spec, case, config.evaluator_settings)
        except ProjectError as error:
            problems += error.problems
            continue
        assert isinstance(judge.evaluator, Judge)
        labelled = verdicts_of(row, judge.evaluator.scheme, problems)
        if labelled is not None:
            subject = Subject(row.output, expected=case.expected, has_expected=case.has_expected, vars=case.vars)
            yield Item(labelled, judge, subject)


def _cases(bank: Bank, wanted: set[str]) -> dict[str, Case]:
    """The cases of a bank that labels name."""
    if not wanted:
        return {}
    return {case.id: case for case in bank.read_cases([]) if case.id in wanted}


def _case(found: _Found, row: LabelledRow, cases: Mapping[str, Case], problems: list[Problem]) -> Case | None:
    """The case that a row is about: the bank's, or one made of the row alone."""
    place = row.row.place
    if row.case_id is None:
        case = Case(found.bank.name, f"row {row.row.number}", {}, (found.spec,))
    elif row.case_id in cases:
        case = cases[row.case_id]
    else:
        message = f"The bank {found.bank.name} has no case {quote(row.case_id, 60)}."
        problems.append(Problem(message, row.row.cell("case")))
        return None
    if row.has_expected:
        case = replace(case, expected=row.expected, has_expected=True)
    return replace(case, vars={**case.vars, **row.vars}, place=place)
