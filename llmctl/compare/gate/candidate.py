"""The candidate's side of a gate: which rules its cells have, how it is staged, and what is compared with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from llmctl.compare.blame.commits import commits_of_prompts
from llmctl.compare.cells import Cell
from llmctl.compare.gate.again import Labels
from llmctl.compare.gate.choosing import ChosenBaseline
from llmctl.compare.gate.evidence import CellEvidence
from llmctl.compare.gate.judging import no_rule_error, rules_for
from llmctl.compare.gate.origins import PromptOrigin
from llmctl.compare.gate.planned import CandidateCell
from llmctl.compare.gate.staging import GateStages
from llmctl.compare.gate.watching import WatchSettings, staged_cell
from llmctl.errors import LlmctlError, Problem, UsageError
from llmctl.evaluators import registry
from llmctl.project import loader
from llmctl.project.models import Config, GateRules
from llmctl.project.sources import WorkingTree
from llmctl.runs.reading import ProjectReader
from llmctl.runs.selection import PromptReference

__all__ = ["BankRules", "bank_rules", "baseline_labels", "matched", "require_rules", "stages_of", "tests_of"]

BankRules = Mapping[str, GateRules]
"""By bank; a bank without rules has empty ones."""


def bank_rules(config: Config, banks: Iterable[str]) -> BankRules:
    """The rules of each bank as it lies here; of one that is not here any more, those of `[gate]`."""
    tree, found = WorkingTree(config.root), {}
    here = set(loader.bank_names(config, tree))
    for name in dict.fromkeys(banks):
        problems: list[Problem] = []  # the plan says them
        bank = loader.read_bank(config, tree, name, registry.names(), problems) if name in here else None
        found[name] = rules_for(bank.gate if bank else None, config.gate) or GateRules()
    return found


def require_rules(cells: Sequence[CandidateCell], rules: BankRules) -> None:
    """Said before anything is sent.

    Raises:
        UsageError: no cell has a rule, and no case must pass.
    """
    if not any(rules[one.cell.bank] != GateRules() or any(case.must_pass for case in one.cases) for one in cells):
        raise no_rule_error(list(dict.fromkeys(one.cell.bank for one in cells)))


def stages_of(
    cells: Sequence[CandidateCell], rules: BankRules, baseline: Mapping[Cell, CellEvidence], settings: WatchSettings
) -> GateStages:
    """The cells, each to be stopped as soon as it is decided."""
    return GateStages([staged_cell(one, rules[one.cell.bank], baseline.get(one.cell), settings) for one in cells])


def tests_of(cells: Sequence[CandidateCell], rules: BankRules) -> int:
    """How many tests could fail the gate by chance: alpha is shared by them."""
    return max(1, sum(_tests(rules[one.cell.bank]) for one in cells))


def _tests(rules: GateRules) -> int:
    rate = rules.min_pass_rate
    own = (rules.margin is not None) + (rate is not None and rate.confidence is not None)
    return own + sum(_tests(tagged) for tagged in rules.tags.values())


def matched(
    cells: Iterable[Cell], evidence: Mapping[Cell, CellEvidence], prompt: str | None
) -> dict[Cell, CellEvidence]:
    """The baseline's evidence by the candidate's cells; `prompt`: the one prompt that all are compared with."""
    found = {}
    for cell in cells:
        before = evidence.get(replace(cell, prompt=prompt) if prompt else cell)
        if before is not None:
            found[cell] = before
    return found


_COMMITS = 30


class _UnableError(Exception):
    """A cell of the baseline cannot be asked again; its message says why."""


def baseline_labels(
    reader: ProjectReader,
    cells: Mapping[Cell, str],
    chosen: ChosenBaseline,
    origins: Mapping[Cell, PromptOrigin],
) -> tuple[dict[Cell, Labels], dict[Cell, str]]:
    """Under which label each side of a cell is asked again; and of the others why they cannot be, as a sentence.

    Args:
        reader: of the project.
        cells: the candidate's label in each cell.
        chosen: the baseline.
        origins: where a stored or committed baseline's prompts came from.
    """
    labels, unable = {}, {}
    for cell, label in cells.items():
        try:
            labels[cell] = Labels(label, _label(reader, cell, chosen, origins.get(cell)))
        except _UnableError as reason:
            unable[cell] = str(reason)
    return labels, unable


def _label(reader: ProjectReader, cell: Cell, chosen: ChosenBaseline, origin: PromptOrigin | None) -> str:
    """What the baseline's prompt of a cell is called.

    Raises:
        _UnableError: nobody knows it any more.
    """
    reference = chosen.reference
    if reference is not None and reference.of_files:
        name = reference.prompt or cell.prompt
        return f"{name}@{reference.rev}" if reference.rev else name
    if origin is None or not origin.digest:
        raise _UnableError("The baseline does not say which prompt it was made with, so it cannot be asked again.")
    for rev in _revisions(reader, origin):
        if _digest(reader, PromptReference(cell.prompt, rev)) == origin.digest:
            return f"{cell.prompt}@{rev}" if rev else cell.prompt
    where = f"at {origin.commit[:7]}" if origin.commit else "here"
    raise _UnableError(
        f"The baseline's version of the prompt {cell.prompt} is not {where}, nor in the last {_COMMITS} commits that "
        "touched prompts, so it cannot be asked again."
    )


def _revisions(reader: ProjectReader, origin: PromptOrigin) -> Iterator[str | None]:
    """Where a prompt may be found; None: the files here."""
    yield None
    if origin.commit:
        yield origin.commit[:12]
    # A baseline is often saved before the prompt is committed with it: then the prompt stands in a later commit.
    try:
        later = commits_of_prompts(reader.config, _COMMITS)
    except UsageError:
        return
    yield from (commit.id[:12] for commit in later[:_COMMITS])


def _digest(reader: ProjectReader, reference: PromptReference) -> str | None:
    try:
        version = reader.prompt(reference)
    except LlmctlError:  # no such commit here: the sentence of `_label` says so
        return None
    return version.prompt.digest if version else None
