"""Opens sides: a run is looked up, files are planned and their stored answers scored into a temporary database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from llmctl.compare.side import Side, SideKind
from llmctl.compare.sides.context import SideContext
from llmctl.compare.sides.references import SideReference
from llmctl.compare.sides.run_side import RunScope, run_scope, run_side
from llmctl.errors import Problem, StoreError
from llmctl.project.collector import collecting_seldom
from llmctl.runs.importer import import_journals
from llmctl.runs.line_reader import LineReader
from llmctl.runs.records import UnitName
from llmctl.store.layout import Layout

if TYPE_CHECKING:  # two runs are compared without anything that plans
    from llmctl.compare.sides.stored import StoredAnswers, TargetCount
    from llmctl.runs.forecast import Forecast
    from llmctl.runs.head import RunOptions
    from llmctl.runs.plan import Plan

__all__ = ["OpenSides", "open_sides", "side_plan"]


@dataclass(frozen=True, slots=True)
class OpenSides:
    """The sides of a command, as long as they are open. `a, b = sides` takes them apart."""

    sides: tuple[Side, ...]
    context: SideContext
    warnings: tuple[Problem, ...] = ()
    """Of the files that were planned."""
    _plan: Plan | None = None
    _stored: StoredAnswers | None = None

    def __iter__(self) -> Iterator[Side]:
        return iter(self.sides)

    @property
    def incomplete(self) -> bool:
        """Whether an answer or a judgement of files is missing."""
        return self._stored is not None and any(one.missing or one.unjudged for one in self._stored.targets)

    def forecast(self) -> Forecast | None:
        """What sending all that files lack would take; None where no side is of files.

        Raises:
            StoreError: the store cannot be read.
        """
        from llmctl.runs.forecast import forecast

        if self._plan is None or self._stored is None:
            return None
        return forecast(self._plan, self._stored.known, self.context.history, judged=self._stored.judged)

    def lacking(self) -> frozenset[UnitName]:
        """Every result of files whose answer or judgement is missing."""
        stored = self._stored
        if stored is None:
            return frozenset()
        unjudged = frozenset(stored.unjudged)
        missing = (number for number in self._numbers if number not in stored.known or number in unjudged)
        return frozenset(name for name, _ in self._units(missing))

    def call_keys(self) -> dict[UnitName, str]:
        """The key of the call that each result of files is made from, as results have it."""
        return dict(self._units(self._numbers))

    @property
    def _numbers(self) -> range:
        return range(len(self._plan.units) if self._plan else 0)

    def _units(self, numbers: Iterable[int]) -> Iterator[tuple[UnitName, str]]:
        """Some of the plan's results by name, with the key of their call."""
        if self._plan is None:
            return
        units, cases = self._plan.units.reader(), LineReader(self._plan.journal)
        try:
            for number in numbers:
                unit = units.unit(number)
                case = cases.fields_at(unit.case_position).fields
                name = self._plan.targets[unit.target].name
                yield UnitName(case["bank"], case["case_id"], name.prompt, name.model, unit.repeat), unit.key.hex()
        finally:
            cases.close()


@contextmanager
def open_sides(context: SideContext, *references: SideReference) -> Iterator[OpenSides]:
    """The sides, readable until the block ends. Sides of files share one plan and one temporary run.

    Next to a run, files are planned for the banks, cases, prompts and models of that run only; next to a prompt, for
    that prompt only. Nothing is ever sent.

    Raises:
        ProjectError: every mistake in the files that are needed, at once.
        UsageError: an unknown name, or an empty selection.
        ModelError: a model that runs on this machine is missing: without it nobody knows which of its answers count.
        StoreError: the store cannot be read or written.
    """
    context.history.refresh()
    files = [reference for reference in references if reference.of_files]
    with ExitStack() as stack:
        opened = stack.enter_context(_files(context, files, _scope(context, references))) if files else None
        of_files = iter(opened.sides if opened else ())
        sides = tuple(next(of_files) if one.of_files else run_side(one, context) for one in references)
        if opened is None:
            yield OpenSides(sides, context)
        else:
            yield OpenSides(sides, context, opened.plan.warnings, opened.plan, opened.stored)


def side_plan(
    context: SideContext, references: Sequence[SideReference], options: RunOptions, lacking: frozenset[UnitName]
) -> Plan:
    """A plan of nothing but what sides of files lack, to be run like any other: it sends calls.

    Raises:
        ProjectError, UsageError, CredentialError, ModelError, StoreError: see `make_plan`.
    """
    from llmctl.compare.sides.chosen import Chosen
    from llmctl.runs.plan import Comparison, make_plan

    chosen = Chosen(context, [one for one in references if one.of_files], _scope(context, references))
    selection = replace(chosen.selection(), only=lacking)
    return make_plan(context.config, selection, context.environ, options, Comparison(chosen.read))


def _scope(context: SideContext, references: Sequence[SideReference]) -> RunScope | None:
    runs = [reference for reference in references if not reference.of_files]
    return run_scope(runs[0], context.history) if runs and len(runs) < len(references) else None


@dataclass(frozen=True, slots=True)
class _Files:
    """Sides of files that were scored."""

    plan: Plan
    stored: StoredAnswers
    sides: tuple[Side, ...]


@contextmanager
def _files(context: SideContext, references: Sequence[SideReference], scope: RunScope | None) -> Iterator[_Files]:
    """Plan files, score what is stored of them and import that, in a folder that goes with the block."""
    from llmctl.compare.sides.chosen import Chosen
    from llmctl.compare.sides.stored import find_stored, score_stored
    from llmctl.runs.plan import Comparison, make_plan

    chosen = Chosen(context, references, scope)
    with ExitStack() as stack:
        layout = Layout(Path(stack.enter_context(_scratch(context))))
        with collecting_seldom():
            comparison = Comparison(chosen.read, layout.root)
            plan = make_plan(context.config, chosen.selection(), context.environ, _options(context), comparison)
            stack.enter_context(plan)
            stored = find_stored(plan, context)
            stack.callback(stored.close)
            score_stored(plan, stored, context)
        import_journals(layout.root)
        labels = [tuple(one) for one in chosen.labels]
        sides = (_side(*one, plan, stored, layout) for one in zip(references, labels, strict=True))
        yield _Files(plan, stored, tuple(sides))


def _scratch(context: SideContext) -> TemporaryDirectory[str]:
    layout = Layout(context.config.store)
    layout.prepare()
    try:
        return TemporaryDirectory(dir=layout.scratch, prefix="sides-", ignore_cleanup_errors=True)
    except OSError as error:
        raise StoreError(f"The folder {layout.scratch} cannot be written: {error.strerror or error}.") from None


def _options(context: SideContext) -> RunOptions:
    from llmctl.runs.head import RunOptions

    settings = context.config.eval
    return RunOptions(context.command, settings.concurrency, settings.timeout_s, offline=True)


def _side(reference: SideReference, labels: tuple[str, ...], plan: Plan, stored: StoredAnswers, layout: Layout) -> Side:
    counts = [
        count for target, count in zip(plan.targets, stored.targets, strict=True) if target.prompt.label in labels
    ]
    return Side(
        reference.text,
        _title(reference),
        reference.kind,
        layout.database,
        plan.head.run_id,
        commit=reference.commit if reference.rev else plan.head.commit,
        dirty=False if reference.rev else plan.head.dirty,
        labels=labels,
        planned=sum(count.planned for count in counts),
        missing=sum(count.missing for count in counts),
        unjudged=sum(count.unjudged for count in counts),
        prompt=reference.prompt,
        rev=reference.rev,
        stale=sum(count.stale for count in counts),
        oldest=_oldest(counts),
    )


def _oldest(counts: Sequence[TargetCount]) -> datetime | None:
    times = [count.oldest for count in counts if count.oldest is not None]
    return datetime.fromtimestamp(min(times), UTC) if times else None


def _title(reference: SideReference) -> str:
    """What a side of files is called by people."""
    commit = f" ({reference.commit[:7]})" if reference.commit else ""
    if reference.branched_from == "HEAD":
        where = f"HEAD{commit}"
    elif reference.branched_from:
        where = f"the commit where this branch left {reference.branched_from}{commit}"
    elif reference.rev:
        where = f"{reference.rev}{commit}"
    else:
        where = "the files here"
    if reference.kind is SideKind.PROMPT:
        return f"{reference.prompt} at {where}" if reference.rev else f"{reference.prompt} as it lies here"
    return where
