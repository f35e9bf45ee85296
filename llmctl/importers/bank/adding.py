"""New cases into a bank's own file, or a small bank made for them: read as it will be before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from llmctl.errors import Problem, Severity, UsageError
from llmctl.evaluators.registry import names
from llmctl.importers.bank.block_yaml import block_item
from llmctl.importers.bank.edits import BankTexts, Overlay
from llmctl.importers.bank.text import UneditableError, YamlEdits
from llmctl.importers.bank.update import OpenedBank, case_content
from llmctl.importers.samples import ANSWERED, no_reference
from llmctl.importers.writer import PlannedFile
from llmctl.importers.yaml_text import yaml_text
from llmctl.project.case_draft import as_expected, as_text
from llmctl.project.loader import load_project, read_bank
from llmctl.project.models import Bank, Case, Config, Message
from llmctl.project.names import folder_of
from llmctl.project.problem_list import has_errors
from llmctl.project.sources import WorkingTree
from llmctl.project.syntax.yaml_reader import read_yaml
from llmctl.project.templates import TemplateError, prompt_variables
from llmctl.runs.plan import PlanBuilder
from llmctl.runs.reading import BankRun, PromptVersion
from llmctl.runs.selection import Selection
from llmctl.safe_text import replace_surrogates

if TYPE_CHECKING:
    from llmctl.project.models import Prompt
    from llmctl.traffic.to_bank.new_case import NewCase

__all__ = ["Addition", "added_to", "bank_defaults", "new_bank_with"]

_NOTHING_CHANGED = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class Addition:
    """Cases that a bank gets."""

    bank: str
    path: Path
    """The bank's file, below the project's root."""
    file: PlannedFile
    cases: tuple[NewCase, ...]
    tables: tuple[Path, ...] = ()
    """The tables in which other cases of the bank stand; they stay as they are."""


def bank_defaults(config: Config, opened: OpenedBank) -> Mapping[str, object]:
    """The variables that a bank gives to every case."""
    texts = BankTexts(WorkingTree(config.root), opened.bank, {})
    data = read_yaml(texts.text(texts.path).encode(), Path(texts.path)).data
    defaults = data.get("defaults") if isinstance(data, dict) else None
    given = defaults.get("vars") if isinstance(defaults, dict) else None
    return given if isinstance(given, dict) else {}


def added_to(config: Config, opened: OpenedBank, cases: Sequence[NewCase]) -> Addition:
    """The bank's file with the cases at the end of its `cases:`; comments, order and tables stay. Nothing is written.

    Raises:
        UsageError: the bank would hold a mistake then, or is written in a way that cannot be edited.
    """
    bank = opened.bank
    defaults = bank_defaults(config, opened)
    wanted = [_prepared(case, defaults) for case in cases]
    texts = BankTexts(WorkingTree(config.root), bank, {})
    try:
        for case in wanted:
            edits = YamlEdits(texts.text(texts.path))
            edits.append_block("cases", partial(_written, case))
            text = edits.result()
            texts.new[texts.path] = text if text.endswith("\n") else f"{text}\n"
    except UneditableError as error:
        raise UsageError(
            f"The bank {bank.path} cannot be changed here: {error}.", hint="Add the case to the file itself."
        ) from None
    new = texts.text(texts.path)
    addition = Addition(
        bank.name,
        bank.path,
        PlannedFile(config.root / texts.path, next(iter(texts.changed()))[1], added_to=True),
        tuple(wanted),
        tuple(Path(include.path) for include in texts.stream.includes),
    )
    _check(config, bank.name, {texts.path: new}, opened.cases, wanted)
    return addition


def new_bank_with(config: Config, name: str, prompts: Sequence[str], cases: Sequence[NewCase]) -> Addition:
    """A bank of these cases, with the evaluator that fits what they all expect; else they must only be answered.

    Raises:
        UsageError: a prompt does not exist, or cannot be rendered with the cases.
    """
    wanted = [_prepared(case, {}) for case in cases]
    head = yaml_text({"prompts": list(prompts), "evaluators": [_evaluator(wanted)]})
    text = f"{head}cases:\n" + "".join(f"{_written(case, 2)}\n" for case in wanted)
    path = PurePosixPath(folder_of(config, config.testbanks) / f"{name}.yaml")
    _check(config, name, {path: text}, {}, wanted)
    return Addition(name, Path(path), PlannedFile(config.root / path, text), tuple(wanted))


def _evaluator(cases: Sequence[NewCase]) -> object:
    kinds = {_kind(case) for case in cases}
    return kinds.pop() if len(kinds) == 1 and None not in kinds else ANSWERED


def _kind(case: NewCase) -> str | None:
    """The evaluator that compares with what a case expects; None: it expects nothing."""
    match case.expected:
        case _ if not case.has_expected:
            return None
        case [{"name": str()}, *_]:
            return "tool_calls"
        case Mapping() | list():
            return "json"
        case _:
            return "exact"


def _prepared(case: NewCase, defaults: Mapping[str, object]) -> NewCase:
    """As it can stand in a file: nothing that names a file, and nothing that the bank says already."""
    own = {
        replace_surrogates(name): no_reference(_encodable(value))
        for name, value in case.vars.items()
        if name not in defaults or as_text(defaults[name]) != as_text(value)
    }
    return replace(
        case,
        id=replace_surrogates(case.id),
        vars=own,
        expected=no_reference(_encodable(case.expected)),
        tags=tuple(map(replace_surrogates, case.tags)),
    )


def _written(case: NewCase, column: int) -> str:
    return block_item(case.data(), column, case.comment)


def _check(
    config: Config,
    name: str,
    new: Mapping[PurePosixPath, str],
    before: Mapping[str, Case],
    wanted: Sequence[NewCase],
) -> None:
    """Read the bank as it will be.

    Raises:
        UsageError: it would hold a mistake, or not what is wanted.
    """
    bank, cases = _read(config, name, Overlay(WorkingTree(config.root), new))
    kept = all(one in cases and case_content(cases[one]) == case_content(case) for one, case in before.items())
    if not kept or len(cases) != len(before) + len(wanted):
        raise UsageError(
            f"The bank {bank.path} cannot be changed here. {_NOTHING_CHANGED}", hint="Add the case to the file itself."
        )
    for case in wanted:
        if not _as_wanted(cases.get(case.id), case):
            raise UsageError(
                f"The case {case.id} cannot be written exactly as it is. {_NOTHING_CHANGED}",
                hint="Add it to the file itself.",
            )
    _refuse_problems(config, bank, [cases[case.id] for case in wanted], wanted)


def _read(config: Config, name: str, tree: WorkingTree | Overlay) -> tuple[Bank, dict[str, Case]]:
    problems: list[Problem] = []
    bank = read_bank(config, tree, name, names(), problems)
    cases = {case.id: case for case in bank.read_cases(problems)} if bank else {}
    if bank is None or has_errors(problems):
        first = next(one for one in problems if one.severity is Severity.ERROR)
        raise UsageError(f"The bank would hold a mistake: {first.message} {_NOTHING_CHANGED}", hint=first.hint)
    return bank, cases


def _as_wanted(now: Case | None, case: NewCase) -> bool:
    if now is None:
        return False
    got = {name: as_text(now.vars.get(name)) for name in case.vars}
    same = got == {name: as_text(value) for name, value in case.vars.items()}
    if case.has_expected:
        same &= now.has_expected and as_text(now.expected) == as_text(as_expected(case.expected))
    return same and set(case.tags) <= set(now.tags) and now.must_pass >= case.must_pass


def _encodable(value: object) -> object:
    """The value without half surrogate pairs, which have no bytes."""
    match value:
        case str():
            return replace_surrogates(value)
        case Mapping():
            return {replace_surrogates(str(key)): _encodable(one) for key, one in value.items()}
        case list() | tuple():
            return [_encodable(one) for one in value]
        case _:
            return value


def _refuse_problems(config: Config, bank: Bank, cases: Iterable[Case], wanted: Sequence[NewCase]) -> None:
    """Whether the prompts can be rendered with the new cases, and the evaluators can judge them.

    Only the new cases are looked at: what else is wrong was wrong before.
    """
    loaded = load_project(config, WorkingTree(config.root), names())
    prompts = [loaded.prompts[name] for name in bank.prompts if name in loaded.prompts]
    new = list(cases)
    for prompt in prompts:
        for case in new:
            _refuse_missing(prompt, case)
    builder = PlanBuilder(config, Selection(), [])
    only_new = replace(bank, reader=lambda _: iter(new))
    builder.add(BankRun(only_new, tuple(PromptVersion(prompt, config.models) for prompt in prompts)))
    found = [one for one in builder.problems if one.severity is Severity.ERROR]
    if found:
        hint = found[0].hint
        if any(not case.has_expected for case in wanted):
            hint = "The case has no expected answer: give it with --expected FILE, or as a correction in feedback."
        raise UsageError(f"{found[0].message} {_NOTHING_CHANGED}", hint=hint)


def _refuse_missing(prompt: Prompt, case: Case) -> None:
    try:
        needed = prompt_variables(prompt)
    except TemplateError:  # said by `validate`
        return
    optional = {one.name for one in prompt.messages if not isinstance(one, Message)}
    missing = sorted(needed - optional - case.vars.keys())
    if missing:
        shown = ", ".join(f"`{name}`" for name in missing)
        raise UsageError(
            f"The prompt `{prompt.name}` needs {shown}, which is not known of {case.id}. {_NOTHING_CHANGED}",
            hint=f"Give it with --var {missing[0]}=TEXT, or --map {missing[0]}=PATH where the log holds it.",
        )
