"""`llmctl bank export`: the cases of a bank as a table for people who live in spreadsheets."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from llmctl.errors import Problem, ProjectError, UnfinishedError, UsageError
from llmctl.importers.bank.cells import Absent, cell_text, column_name, field_value, json_text, protected
from llmctl.importers.conversion import Notes
from llmctl.project.case_rows import CASE_COLUMNS, VARS_PREFIX
from llmctl.project.models import Bank, Case
from llmctl.project.problem_list import has_errors

__all__ = ["EXPORT_ENDINGS", "ExportPlan", "export_plan", "write_csv", "write_jsonl", "write_xlsx"]

EXPORT_ENDINGS = (".csv", ".xlsx", ".jsonl")
_MAX_CELL_CHARACTERS = 32_767
_MAX_ROWS = 1_048_575
_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\r\x0e-\x1f\ufffe\uffff]")
_ORDER = ("id", *(name for name in CASE_COLUMNS if name != "id"))


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """A bank that can be written as a table."""

    bank: Bank
    fields: tuple[str, ...]
    """In the order of the columns."""
    cases: int
    apostrophe: bool = False

    def rows(self) -> Iterator[Case]:
        """The cases, read anew."""
        problems: list[Problem] = []
        yield from self.bank.read_cases(problems)
        if has_errors(problems):
            raise ProjectError(problems)

    def cells(self, case: Case) -> list[str]:
        """One row."""
        texts = [cell_text(case, field) for field in self.fields]
        return [protected(text) for text in texts] if self.apostrophe else texts

    @property
    def header(self) -> list[str]:
        """The first row."""
        return [column_name(field) for field in self.fields]


def export_plan(bank: Bank, notes: Notes, *, apostrophe: bool = False) -> ExportPlan:
    """Read the bank once: which columns there are, and what of its cases no column can hold.

    Raises:
        ProjectError: the bank holds mistakes.
    """
    problems: list[Problem] = []
    used: Counter[str] = Counter()
    variables: dict[str, None] = {}
    count = 0
    for case in bank.read_cases(problems):
        count += 1
        variables.update(dict.fromkeys(case.vars))
        used.update(name for name in _ORDER if not isinstance(field_value(case, name), Absent))
        _note_unwritten(case, bank, notes)
    if has_errors(problems):
        raise ProjectError(problems)
    _refuse_names(variables)
    named = [f"{VARS_PREFIX}{name}" for name in variables]
    fields = ("id", *named, *(name for name in _ORDER[1:] if used[name]))
    return ExportPlan(bank, fields, count, apostrophe)


def _note_unwritten(case: Case, bank: Bank, notes: Notes) -> None:
    shared = getattr(bank.reader, "shared", ())
    if case.evaluators != shared:
        why = "No column holds them. They stay in the bank: `bank import --into` changes only what was edited."
        notes.left_out("a case's own evaluators", why, case.place)
    if case.pass_score is not None and case.pass_score != getattr(bank.reader, "pass_score", None):
        notes.left_out("a case's own pass_score", "No column holds it. It stays in the bank.", case.place)


def _refuse_names(variables: dict[str, None]) -> None:
    bad = next((name for name in variables if name != name.strip() or not name or not name.isprintable()), None)
    if bad is not None:
        raise UsageError(f"The variable {bad!r} cannot be the name of a column.", hint="Rename it.")


def write_csv(plan: ExportPlan, out: TextIO, *, mark: bool = True) -> None:
    """UTF-8 text with commas; with the byte order mark by which spreadsheets know UTF-8."""
    if mark:
        out.write("\ufeff")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(plan.header)
    for case in plan.rows():
        cells = plan.cells(case)
        if any("\0" in cell for cell in cells):
            raise UsageError(f"The case {case.id} holds a NUL character.", hint="Export it to .jsonl or .xlsx.")
        writer.writerow(cells)


def write_jsonl(plan: ExportPlan, out: TextIO) -> None:
    """A row for each case as it stands in a bank."""
    for case in plan.rows():
        values = {field: field_value(case, field) for field in plan.fields if not field.startswith(VARS_PREFIX)}
        row = {"id": values.pop("id"), "vars": dict(case.vars)}
        row |= {name: value for name, value in values.items() if not isinstance(value, Absent)}
        out.write(f"{json_text(row)}\n")


def write_xlsx(plan: ExportPlan, path: Path) -> None:
    """A workbook with one sheet. Every cell is text, so that no program takes one for a formula, a number or a date.

    Raises:
        UsageError: a cell or the sheet is larger than a workbook can hold.
        UnfinishedError: the file cannot be written.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    if plan.cases > _MAX_ROWS:
        raise UsageError(f"A sheet has no room for {plan.cases:,} rows.", hint="Export to .csv or .jsonl.")
    # All before the first row: a sheet that is left half written complains when it is thrown away.
    _refuse_long_cells(plan)
    book = Workbook(write_only=True)
    sheet = book.create_sheet("cases")
    sheet.freeze_panes = "A2"

    def cell(text: str) -> Any:
        one = WriteOnlyCell(sheet, _escaped(text))
        one.data_type = "s"  # "=1+1" would be a formula
        one.number_format = "@"
        return one

    sheet.append([cell(name) for name in plan.header])
    for case in plan.rows():
        sheet.append([cell(text) for text in plan.cells(case)])
    _saved(book.save, path)


def _refuse_long_cells(plan: ExportPlan) -> None:
    for case in plan.rows():
        for field, text in zip(plan.fields, plan.cells(case), strict=True):
            if len(_escaped(text)) > _MAX_CELL_CHARACTERS:
                said = f"`{column_name(field)}` of the case {case.id} is longer than a cell can be (32,767 characters)."
                raise UsageError(said, hint="Export to .csv or .jsonl.")


def _saved(save: Callable[[Path], None], path: Path) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        save(temporary)
        temporary.replace(path)
    except OSError as error:
        raise UnfinishedError(f"The file {path} cannot be written: {error.strerror}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _escaped(text: str) -> str:
    """Characters that XML cannot hold, as workbooks write them: `_x0001_`."""
    escaped = _ESCAPE.sub("_x005F_", text)
    return _CONTROL.sub(lambda match: f"_x{ord(match[0]):04X}_", escaped)
