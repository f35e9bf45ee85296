"""Edited and new rows of a table into a bank that is there: only what was edited changes, in the file where it stands.

All new texts are made first, and the bank is read from them before anything is written: a case that did not become what
the table says, or one that nobody edited and that became another, stops the import.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from llmctl.canonical import digest
from llmctl.errors import Place, Problem, ProjectError, UsageError
from llmctl.evaluators.registry import names
from llmctl.importers.bank.cells import Absent, Cell, cell_text, edited, field_value
from llmctl.importers.bank.columns import ColumnMap
from llmctl.importers.bank.edits import BankTexts, Edit, Overlay, edit_all
from llmctl.importers.bank.table_source import RowReader, TableSource, new_case, table_rows
from llmctl.importers.bank.text import UneditableError
from llmctl.importers.conversion import Notes
from llmctl.importers.writer import PlannedFile
from llmctl.project.case_draft import CaseDraft, as_text, case_id
from llmctl.project.case_rows import CASE_COLUMNS, VARS_PREFIX, holds_full_case
from llmctl.project.loader import read_bank
from llmctl.project.models import Bank, Case, Config
from llmctl.project.problem_list import has_errors
from llmctl.project.sources import WorkingTree
from llmctl.project.tables import Row

__all__ = ["OpenedBank", "Update", "case_content", "opened_bank", "updated_bank"]


@dataclass(frozen=True, slots=True)
class OpenedBank:
    """A bank with its cases."""

    bank: Bank
    cases: Mapping[str, Case]
    """By their ids."""

    @property
    def variables(self) -> frozenset[str]:
        """Those that any case has."""
        return frozenset(name for case in self.cases.values() for name in case.vars)


def opened_bank(config: Config, name: str) -> OpenedBank:
    """Read a bank of the project.

    Raises:
        ProjectError: it holds mistakes.
    """
    bank = _bank(config, WorkingTree(config.root), name)
    return OpenedBank(bank, {case.id: case for case in _cases(bank)})


@dataclass(frozen=True, slots=True)
class Update:
    """What an import changes in a bank."""

    files: tuple[PlannedFile, ...]
    """The files that change, whole."""
    changed: int
    added: int
    unchanged: int
    cases: int
    """Of the bank, afterwards."""


@dataclass(slots=True)
class _Found:
    """What the rows of the table say."""

    edits: list[Edit] = field(default_factory=list)
    new: dict[str, dict[str, object]] = field(default_factory=dict)
    unchanged: int = 0
    places: dict[str, Place] = field(default_factory=dict)


def updated_bank(
    config: Config, opened: OpenedBank, table: TableSource, found: ColumnMap, reader: RowReader, notes: Notes
) -> Update:
    """The files of a bank with the rows of a table in it; nothing is written.

    Raises:
        ProjectError: bank or table hold mistakes.
        UsageError: an edited case stands where it cannot be changed.
    """
    tree, bank, cases = WorkingTree(config.root), opened.bank, opened.cases
    rows = _sorted_out(table_rows(table, reader, notes), cases, found)
    texts = BankTexts(tree, bank, {})
    try:
        edit_all(rows.edits, texts)
        if rows.new:
            texts.add(list(rows.new.values()))
    except UneditableError as error:
        said = f"The bank {bank.path} cannot be changed here: {error}."
        raise UsageError(said, hint="Change these cases in the file itself.") from None
    _check(config, bank.name, texts, cases, rows)
    _note(rows, cases, notes)
    files = tuple(PlannedFile(config.root / path, text, added_to=True) for path, text in texts.changed())
    return Update(files, len(rows.edits), len(rows.new), rows.unchanged, len(cases) + len(rows.new))


def _bank(config: Config, tree: WorkingTree | Overlay, name: str) -> Bank:
    problems: list[Problem] = []
    bank = read_bank(config, tree, name, names(), problems)
    if bank is None:
        raise ProjectError(problems)
    return bank


def _cases(bank: Bank) -> list[Case]:
    problems: list[Problem] = []
    cases = list(bank.read_cases(problems))
    if has_errors(problems):
        raise ProjectError(problems)
    return cases


def _sorted_out(rows: Iterator[tuple[Row, CaseDraft]], cases: Mapping[str, Case], found: ColumnMap) -> _Found:
    """Which rows edit a case, which bring one, and which say what the bank says."""
    result = _Found()
    problems: list[Problem] = []
    for row, draft in rows:
        name = draft.id or case_id(draft.vars)
        if name in result.places:
            said = f"The id `{name}` stands twice, at {result.places[name].cell or result.places[name]} before."
            problems.append(Problem(said, row.place, "Give each case its own id."))
            continue
        result.places[name] = row.place
        if name not in cases:
            result.new[name] = new_case(row, draft)
            continue
        try:
            changes = _changes(cases[name], row, found)
        except ProjectError as error:
            problems += error.problems
            continue
        if changes:
            result.edits.append(Edit(cases[name], changes, row.place))
        else:
            result.unchanged += 1
    if problems:
        raise ProjectError(problems[:100])
    return result


def _changes(case: Case, row: Row, found: ColumnMap) -> dict[str, object]:
    changes = {}
    for name, column, value in _given(row, found):
        new = edited(case, name, Cell(value, row.cell(column), row.text_rows))
        if new is not None:
            changes[name] = new
    return changes


def _given(row: Row, found: ColumnMap) -> Iterator[tuple[str, str, object]]:
    """Each field that a row fills, its column and the cell."""
    if found.guessed and holds_full_case(row):
        given = row.values["vars"]
        for name, value in given.items() if isinstance(given, dict) else ():
            yield f"{VARS_PREFIX}{name}", "vars", value
        yield from ((name, name, row.values[name]) for name in CASE_COLUMNS if name in row.values and name != "id")
        return
    for name, column in found.columns.items():
        if name != "id" and column in row.values:
            yield name, column, row.values[column]


def _check(config: Config, name: str, texts: BankTexts, before: Mapping[str, Case], rows: _Found) -> None:
    """Read the bank as it will be, and compare.

    Raises:
        UsageError: it is not what the table says.
    """
    overlay = Overlay(texts.tree, texts.new)
    try:
        after = {case.id: case for case in _cases(_bank(config, overlay, name))}
    except ProjectError as error:
        first = error.problems[0]
        said = f"The bank would hold a mistake: {first.message} Nothing was changed."
        raise UsageError(said, hint=first.hint) from None
    edits = {edit.case.id: edit for edit in rows.edits}
    for case_name, case in before.items():
        edit, now = edits.get(case_name), after.get(case_name)
        if now is None or not _as_wanted(case, now, edit):
            where = f" ({edit.place})" if edit else ""
            said = f"The case {case_name}{where} cannot be changed to what the table says; nothing was changed."
            raise UsageError(said, hint="Part of it may come from the bank's `defaults`. Change it in the file itself.")
    if len(after) != len(before) + len(rows.new):
        raise UsageError("The new cases cannot be added; nothing was changed.")


def _as_wanted(old: Case, now: Case, edit: Edit | None) -> bool:
    if edit is None:
        return case_content(old) == case_content(now)
    names = {*(f"{VARS_PREFIX}{name}" for name in (*old.vars, *now.vars)), *CASE_COLUMNS, *edit.changes}
    return all(_same(now, name, edit.changes.get(name, field_value(old, name))) for name in names)


def _same(now: Case, name: str, wanted: object) -> bool:
    got = field_value(now, name)
    if isinstance(wanted, Absent) or isinstance(got, Absent):
        return isinstance(wanted, Absent) and isinstance(got, Absent)
    if name == "tags" and isinstance(got, list) and isinstance(wanted, list):
        return sorted(map(str, got)) == sorted(map(str, wanted))
    return as_text(got) == as_text(wanted)


def case_content(case: Case) -> str:
    """Equal for two cases that say the same, wherever they stand."""
    fields = [cell_text(case, name) for name in CASE_COLUMNS]
    specs = [str((spec.name, spec.args, spec.weight, spec.metric)) for spec in case.evaluators]
    return digest(as_text(case.vars), fields, as_text(case.expected), case.has_expected, specs, case.pass_score)


def _note(rows: _Found, cases: Mapping[str, Case], notes: Notes) -> None:
    for edit in rows.edits:
        for name in edit.changes:
            notes.converted("edited cell", f"`{name}`", edit.place)
    for name in rows.new:
        notes.converted("new row", "a case of its own", rows.places[name])
    for name, case in cases.items():
        if name not in rows.places:
            why = "They stay in the bank as they are: to take a case out, delete it in its file."
            notes.changed("cases that the table does not have", why, case.place)
