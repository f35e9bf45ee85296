"""From a case to the commit that broke it: plans every version, reads what is stored of it, and searches."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from llmctl.compare.blame.commits import (
    Commit,
    banks_changed,
    changes_between,
    commits_of_banks,
    commits_of_prompts,
    readable,
)
from llmctl.compare.blame.report import BankChange, BlameReport, Finding, Search, Version, search
from llmctl.compare.blame.stored import CaseStore, Draw
from llmctl.compare.side import SideKind
from llmctl.compare.sides.context import SideContext
from llmctl.compare.sides.opening import OpenSides, open_sides
from llmctl.compare.sides.references import SideReference
from llmctl.errors import UsageError
from llmctl.evaluators import registry
from llmctl.project import loader
from llmctl.project.git import is_shallow
from llmctl.project.models import Bank, Config
from llmctl.project.sources import WorkingTree
from llmctl.runs.history import History
from llmctl.runs.records import ResultEvent, UnitName
from llmctl.runs.selection import Selection

__all__ = ["Blamed", "BlamedCase", "find_case"]

_SHORT = 12
_MOST_REPEATS = 10


@dataclass(frozen=True, slots=True)
class BlamedCase:
    """The case, and the bank that it stands in."""

    bank: Bank
    case_id: str


def find_case(config: Config, text: str, banks: Sequence[str] = ()) -> BlamedCase:
    """The case that `CASE` or `BANK/CASE` names, in the files as they lie here.

    Raises:
        ProjectError: a bank cannot be read.
        UsageError: there is no such case, or several banks have one.
    """
    tree, problems = WorkingTree(config.root), []  # type: ignore[var-annotated]
    names = [loader.resolve_bank_name(config, one) for one in banks] or loader.bank_names(config, tree)
    found, ids = [], []
    for name in names:
        bank = loader.read_bank(config, tree, name, registry.names(), problems)
        for case in bank.read_cases(problems) if bank else ():
            ids.append(case.id)
            if bank and text in (case.id, f"{name}/{case.id}"):
                found.append(BlamedCase(bank, case.id))
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"{one.bank.name}/{one.case_id}" for one in found[:5])
        raise UsageError(f'"{text}" names {len(found)} cases: {listed}.', hint="Write BANK/CASE.")
    from llmctl.runs.run_names import nearest_hint

    hint = nearest_hint(text, ids) or "`llmctl show @last` lists cases."
    raise UsageError(f'There is no case "{text}" in the banks here.', hint=hint)


@dataclass(frozen=True)
class Blamed:
    """One case and prompt, whose versions can be looked at, and asked for, again and again."""

    context: SideContext
    """Its selection: bank, case and model."""
    case: BlamedCase
    prompt: str
    repeat: int
    """Answers that it takes to know a version."""
    most: int
    """Commits that are looked at."""

    @classmethod
    def of(cls, context: SideContext, case: BlamedCase, prompt: str, repeat: int, most: int) -> Blamed:
        """Every stored answer of a version counts, also those beyond `repeat`."""
        store = CaseStore(context.history.layout, case.bank.name, case.case_id)
        draws = min(max(repeat, store.repeats()), max(repeat, _MOST_REPEATS))
        # A pattern that is no glob matches also other cases, which are left out when results are read.
        selection = Selection(
            banks=(case.bank.name,),
            models=context.selection.models,
            pattern=glob.escape(case.case_id),
            repeat=draws,
        )
        return cls(replace(context, selection=selection), case, prompt, repeat, most)

    @cached_property
    def commits(self) -> tuple[Commit, ...]:
        """Those that have the prompt and can be read, the oldest first."""
        config = self.context.config
        found = reversed(self._touched[: self.most])
        return tuple(commit for commit in found if readable(config, commit.id, self.prompt))

    @cached_property
    def _touched(self) -> list[Commit]:
        return commits_of_prompts(self.context.config, self.most)

    @property
    def more_commits(self) -> bool:
        """Whether there are older ones."""
        return len(self._touched) > self.most

    def reference(self, commit: str | None) -> SideReference:
        """The prompt at a commit as a side; None: as it lies here."""
        rev = commit[:_SHORT] if commit else None
        text = f"{self.prompt}@{rev}" if rev else self.prompt
        return SideReference(text, SideKind.PROMPT, prompt=self.prompt, rev=rev, commit=commit)

    def look(self) -> list[BlameReport]:
        """What the store says: a report for each model that the bank names. Nothing is sent.

        Raises:
            ProjectError, UsageError, StoreError: as `open_sides` does.
        """
        references = [*(self.reference(commit.id) for commit in self.commits), self.reference(None)]
        with open_sides(self.context, *references) as sides:
            return list(_Look(self, sides, references).reports())


@dataclass(frozen=True)
class _Look:
    """The versions while their sides are open."""

    blamed: Blamed
    sides: OpenSides
    references: Sequence[SideReference]

    def reports(self) -> Iterator[BlameReport]:
        models = list(dict.fromkeys(unit.model for unit in self._keys))
        several = any(len({unit.model for unit in units}) > 1 for units in self._by_label.values())
        for model in models if several else [None]:
            yield self._report(model)

    @cached_property
    def _keys(self) -> Mapping[UnitName, str]:
        case = self.blamed.case
        keys = self.sides.call_keys()
        found = {unit: key for unit, key in keys.items() if unit.case_id == case.case_id}
        if not found:
            raise UsageError(f"The prompt {self.blamed.prompt} cannot be run on the case {case.case_id}.")
        return found

    @cached_property
    def _by_label(self) -> Mapping[str, list[UnitName]]:
        labels: dict[str, list[UnitName]] = {}
        for unit in self._keys:
            labels.setdefault(unit.prompt, []).append(unit)
        return labels

    @cached_property
    def _history(self) -> History:
        """Of the temporary database, in which today's evaluators have judged what is stored."""
        return History(self.sides.sides[0].database.parent)

    @cached_property
    def _results(self) -> Mapping[UnitName, ResultEvent]:
        case, run_id = self.blamed.case, self.sides.sides[0].run_id
        results = self._history.results(run_id, bank=case.bank.name, case_id=case.case_id)
        return {UnitName(one.bank, one.case_id, one.prompt, one.model, one.repeat): one for one in results}

    @cached_property
    def _store(self) -> CaseStore:
        case = self.blamed.case
        return CaseStore(self.blamed.context.history.layout, case.bank.name, case.case_id)

    @cached_property
    def _digest(self) -> str:
        """Of the case as it lies here: its variables, expected answer and evaluators."""
        case = self.blamed.case
        return self._history.case(self.sides.sides[0].run_id, case.bank.name, case.case_id).digest

    @cached_property
    def _draws(self) -> Mapping[str, list[Draw]]:
        draws: dict[str, list[Draw]] = {}
        for draw in self._store.draws(self._keys.values(), self._digest):
            draws.setdefault(draw.call_key, []).append(draw)
        return draws

    def _report(self, model: str | None) -> BlameReport:
        blamed, config = self.blamed, self.blamed.context.config
        versions = tuple(self._versions(model))
        found = search(versions)
        forecast = self.sides.forecast()
        costs = (
            [row.cost_usd / row.calls for row in forecast.targets if row.calls and row.cost_usd is not None]
            if forecast
            else []
        )
        return BlameReport(
            blamed.case.bank.name,
            blamed.case.case_id,
            blamed.prompt,
            model,
            versions,
            found,
            blamed.repeat,
            self._change(versions, found),
            self._bank_change(versions, found),
            blamed.more_commits,
            max(costs) if costs else None,
            notes=tuple(_notes(config)),
        )

    def _versions(self, model: str | None) -> Iterator[Version]:
        """Each different call, the oldest first; commits in a row that make the same one are one version."""
        commits = {commit.id: commit for commit in self.blamed.commits}
        last: Version | None = None
        for reference in self.references:
            units = [unit for unit in self._by_label.get(reference.text, ()) if model in (None, unit.model)]
            if not units:
                continue
            version = self._version(units, commits.get(reference.commit or ""))
            if last is not None and last.call_key == version.call_key:
                last = replace(last, later=last.later + (reference.commit is not None))
                continue
            if last is not None:
                yield last
            last = version
        if last is not None:
            yield last

    def _version(self, units: Sequence[UnitName], commit: Commit | None) -> Version:
        first = min(units, key=lambda unit: unit.repeat)
        answers: dict[str, bool] = {}
        runs: list[str] = []
        for unit in units:
            for draw in self._draws.get(self._keys[unit], ()):
                runs.append(draw.run_id)
                if draw.passed is not None:
                    answers[draw.call_id] = draw.passed
        shown: ResultEvent | None = None
        for unit in units:
            result = self._results.get(unit)
            if result is None or result.passed is None:
                continue
            # Today's evaluators have the last word on an answer.
            answers[result.call_id or f"{unit}"] = result.passed
            if shown is None or (shown.passed and not result.passed):
                shown = result
        return Version(
            first.prompt,
            first.model,
            self._keys[first],
            commit.id if commit else None,
            commit.subject if commit else "changes that are not committed",
            commit.committed_at if commit else None,
            sum(answers.values()),
            len(answers),
            self.blamed.repeat,
            max(runs, default=None),
            shown.reason if shown else "",
            shown.output if shown else None,
        )

    def _change(self, versions: Sequence[Version], found: Search) -> str:
        if found.good is None or found.bad is None:
            return ""
        before, after = versions[found.bad - 1 if found.finding is Finding.FOUND else found.good], versions[found.bad]
        if before.commit is None:
            return ""
        return changes_between(self.blamed.context.config, before.commit, after.commit, self.blamed.prompt)

    def _bank_change(self, versions: Sequence[Version], found: Search) -> BankChange | None:
        """Where no version passes today: whether the newest one did as the case was before."""
        if found.finding not in (Finding.NEVER, Finding.OPEN) or found.good is not None or found.bad is None:
            return None
        newest = versions[-1]
        keys = [self._keys[unit] for unit in self._by_label[newest.label] if unit.model == newest.model]
        earlier = self._store.earlier_pass(keys, self._digest)
        if earlier is None:
            return None
        config = self.blamed.context.config
        commits = tuple(f"{one.id[:7]} {one.subject}" for one in commits_of_banks(config, earlier.commit))
        return BankChange(earlier.run_id, earlier.commit, commits, banks_changed(config))


def _notes(config: Config) -> Iterator[str]:
    if is_shallow(config.root):
        yield "This clone is shallow: older commits cannot be looked at."
