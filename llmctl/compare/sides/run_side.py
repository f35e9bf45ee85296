"""A run as a side: it is there already, and only looked up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from llmctl.compare.side import Side, SideKind
from llmctl.compare.sides.context import SideContext
from llmctl.compare.sides.references import SideReference
from llmctl.errors import UsageError
from llmctl.project.models import Config
from llmctl.runs.history import History, RunState, RunSummary
from llmctl.runs.records import PromptEvent

__all__ = ["RunScope", "ScopedResult", "run_scope", "run_side"]


def run_side(reference: SideReference, context: SideContext) -> Side:
    """The side of a run.

    Raises:
        UsageError: there is no such run by now.
        StoreError: the store cannot be read.
    """
    history, run_id = context.history, reference.run_id or ""
    run = history.run(run_id)
    labels, notes = _labels(history.prompts(run_id), run_id)
    return Side(
        reference.text,
        f"run {run_id} ({run.label})" if run.label else f"run {run_id}",
        SideKind.RUN,
        history.layout.database,
        run_id,
        commit=run.commit,
        dirty=run.dirty,
        labels=labels,
        planned=run.planned,
        missing=max(0, run.planned - run.done),
        notes=(*_unfinished(run), *notes),
    )


def _unfinished(run: RunSummary) -> Iterable[str]:
    """What is said of a run that has not ended."""
    done = f"{run.done:,} of {run.planned:,} results are there"
    if run.status is RunState.RUNNING:
        yield f"The run {run.run_id} is still going on: {done}."
    elif run.done < run.planned:
        way_out = f"`llmctl eval --resume {run.run_id}` goes on with it."
        yield f"The run {run.run_id} did not come to its end: {done}. {way_out}"


def _labels(prompts: Sequence[PromptEvent], run_id: str) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The labels that count, None for all, and what is said of the others: a cell has one version of a prompt."""
    chosen: dict[str, PromptEvent] = {}
    for prompt in prompts:
        if prompt.name not in chosen or prompt.rev is None:
            chosen[prompt.name] = prompt
    labels = tuple(prompt.label for prompt in chosen.values())
    left = dict.fromkeys(prompt.label for prompt in prompts if prompt.label not in labels)
    if not left:
        return None, ()
    are = "is" if len(left) == 1 else "are"
    note = f"The run {run_id} holds several versions of a prompt; of those, {', '.join(left)} {are} left out here."
    return labels, (note,)


@dataclass(frozen=True, slots=True)
class ScopedResult:
    """What a run has a result of, whatever the repeat."""

    bank: str
    case_id: str
    prompt: str
    """The prompt's name."""
    model: str


@dataclass(frozen=True)
class RunScope:
    """What a run was about, so that files are planned for nothing else."""

    results: tuple[ScopedResult, ...]
    models: tuple[str, ...]
    """Names; applications are none."""
    resolved: frozenset[str]
    """Those among them that are a model string themselves."""

    @cached_property
    def banks(self) -> frozenset[str]:
        """The names of its banks."""
        return frozenset(one.bank for one in self.results)

    @cached_property
    def prompts(self) -> frozenset[str]:
        """The names of its prompts."""
        return frozenset(one.prompt for one in self.results)

    def prompts_of(self, bank: str) -> tuple[str, ...]:
        """The prompts that were run on a bank."""
        return tuple(dict.fromkeys(one.prompt for one in self.results if one.bank == bank))

    def models_of(self, config: Config) -> tuple[str, ...]:
        """The models that the project still knows."""
        return tuple(name for name in self.models if name in config.models or name in self.resolved)


def run_scope(reference: SideReference, history: History) -> RunScope:
    """What the run of a side was about.

    Raises:
        UsageError: it has no result.
        StoreError: the store cannot be read.
    """
    run_id = reference.run_id or ""
    names = {prompt.label: prompt.name for prompt in history.prompts(run_id)}
    results = {
        ScopedResult(one.bank, one.case_id, names.get(one.prompt, one.prompt), one.model): None
        for one in history.units(run_id)
    }
    if not results:
        raise UsageError(f"The run {run_id} has no results.", hint="List the runs with `llmctl runs`.")
    targets = [target for target in history.targets(run_id) if target.transport != "app"]
    return RunScope(
        tuple(results),
        tuple(dict.fromkeys(target.model for target in targets)),
        frozenset(target.model for target in targets if target.model == target.resolved_model),
    )
