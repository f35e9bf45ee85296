"""`llmctl bank import`: a table of any kind as a bank, or as new and edited cases of one that is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TextIO

from llmctl.errors import Place, Problem, ProjectError, UsageError
from llmctl.evaluators.registry import names
from llmctl.importers.bank.cells import json_text, unprotected
from llmctl.importers.bank.columns import ColumnMap, checked_map, guessed_map
from llmctl.importers.conversion import Notes
from llmctl.importers.dataset_rows import note_warnings
from llmctl.importers.samples import ANSWERED, no_reference
from llmctl.project.case_draft import CaseDraft, case_id, content_digest
from llmctl.project.case_rows import ColumnsOf, draft_of_full_row, draft_of_row, holds_full_case
from llmctl.project.evaluator_entry import EvaluatorEntries
from llmctl.project.problem_list import has_errors
from llmctl.project.references import Companions
from llmctl.project.sources import WorkingTree
from llmctl.project.syntax.document import Document
from llmctl.project.tables import TABLE_SUFFIXES, Row, has_header, read_table

__all__ = [
    "RowCount",
    "RowReader",
    "TableSource",
    "column_map",
    "new_case",
    "open_table",
    "row_reader",
    "table_rows",
    "write_rows",
]

_LOOKED_AT = 200
"""How many rows of objects are read to know their keys."""


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table on disk, wherever it lies."""

    path: Path
    apostrophe: bool = False
    """Whether apostrophes were put before formulas when it was exported."""

    def rows(self, problems: list[Problem]) -> Iterator[Row]:
        """Its rows, read anew; what is wrong goes to the problems."""
        inside = PurePosixPath(self.path.name)
        with WorkingTree(self.path.parent).open(inside) as stream:
            table = read_table(stream, inside, problems)
            with closing(table.rows):
                for row in table.rows:
                    yield _unprotected(row) if self.apostrophe else row

    def columns(self) -> list[str]:
        """The columns of a header, or the keys of the first rows.

        Raises:
            ProjectError: not one row can be read.
        """
        inside, problems = PurePosixPath(self.path.name), list[Problem]()
        with WorkingTree(self.path.parent).open(inside) as stream:
            table = read_table(stream, inside, problems)
            with closing(table.rows):
                count = sum(1 for _ in islice(table.rows, 1 if has_header(inside) else _LOOKED_AT))
        if not count:
            raise ProjectError(problems or [Problem("The table has no rows.", Place(Path(inside)))])
        return list(table.columns)


def _unprotected(row: Row) -> Row:
    values = {column: unprotected(value) for column, value in row.values.items()}
    return Row(values, row.number, row.place, row.text_rows)


def open_table(path: Path, *, apostrophe: bool = False) -> TableSource:
    """A table that can be imported.

    Raises:
        UsageError: there is no such file, or it is of another kind.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise UsageError(f"{path.name} is no table that llmctl reads.", hint=f"It reads {', '.join(TABLE_SUFFIXES)}.")
    return TableSource(path, apostrophe)


def column_map(table: TableSource, given: Mapping[str, str], variables: frozenset[str], notes: Notes) -> ColumnMap:
    """Which column fills which field, as given or guessed; it is noted.

    Raises:
        UsageError: what is given cannot be meant.
    """
    columns = table.columns()
    found = checked_map(given, columns) if given else guessed_map(columns, variables)
    for name, column in found.columns.items():
        notes.converted(f"column `{column}`", f"{name}{' (guessed)' if found.guessed else ''}")
    for column in found.unused:
        notes.left_out(f"column `{column}`", "--map does not name it.")
    return found


@dataclass(slots=True)
class RowReader:
    """Makes cases of rows; what is wrong goes to its problems."""

    columns: ColumnsOf
    may_expect: bool
    """Whether the table has a place for expected answers."""
    by_name: bool
    """Whether rows that are written like cases of a bank are read as such."""
    entries: EvaluatorEntries

    def draft(self, row: Row) -> CaseDraft | None:
        """The case of a row; None where it cannot be read."""
        if self.by_name and holds_full_case(row):
            return draft_of_full_row(_without_references(row), self.entries)
        return draft_of_row(row, self.columns(row), self.entries.problems)


def _without_references(row: Row) -> Row:
    """Nobody's table names files of this project: `{file: ...}` is a value like any other."""
    values = {name: no_reference(value) for name, value in row.values.items()}
    given = values.get("vars")
    if isinstance(given, dict):
        values["vars"] = {name: no_reference(value) for name, value in given.items()}
    return Row(values, row.number, row.place, row.text_rows)


def row_reader(table: TableSource, found: ColumnMap, root: Path, problems: list[Problem]) -> RowReader:
    """A reader of the table's rows."""
    document = Document(Path(table.path.name), "")
    companions = Companions(WorkingTree(root), PurePosixPath(table.path.name), document, problems)
    entries = EvaluatorEntries(document, companions, names(), problems)
    return RowReader(ColumnsOf(found.columns), "expected" in found.columns, found.guessed, entries)


def table_rows(table: TableSource, reader: RowReader, notes: Notes) -> Iterator[tuple[Row, CaseDraft]]:
    """Every row with its case.

    Raises:
        ProjectError: rows hold mistakes; all of them at once, at the end.
    """
    problems = reader.entries.problems
    for row in table.rows(problems):
        draft = reader.draft(row)
        if draft is not None and not has_errors(problems):
            yield row, draft
    note_warnings(problems, notes)


@dataclass(slots=True)
class RowCount:
    """What was written."""

    written: int = 0
    expected: int = 0
    """Those with an expected answer."""
    variables: set[str] = field(default_factory=set)


def write_rows(rows: Iterator[tuple[Row, CaseDraft]], out: TextIO, notes: Notes, *, exact: bool = False) -> RowCount:
    """Each case as a line of JSONL; rows that are equal once.

    `exact`: the bank compares with the expected answer, so that a case without one is judged by itself.

    Raises:
        ProjectError: two rows have one id, or the same variables and different answers.
    """
    count, seen = RowCount(), _Seen()
    for row, draft in rows:
        if seen.knows(row, draft, notes):
            continue
        count.written += 1
        count.expected += draft.has_expected
        count.variables.update(draft.vars)
        case = new_case(row, draft)
        if exact and not draft.has_expected and "evaluators" not in case:
            why = "It must only be answered. Where you add an answer, delete the case's `evaluators` and `inherit`."
            notes.changed("row without an expected answer", why, row.place)
            case |= {"inherit": False, "evaluators": [ANSWERED]}
        out.write(f"{json_text(case)}\n")
    if seen.problems:
        raise ProjectError(seen.problems)
    return count


@dataclass(slots=True)
class _Seen:
    """Ids and contents of the rows so far: about 150 bytes a row."""

    rows: dict[str, tuple[int, str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def knows(self, row: Row, draft: CaseDraft, notes: Notes) -> bool:
        """Whether the same row has come before; one that contradicts it is a problem."""
        name = draft.id or case_id(draft.vars)
        content = content_digest(draft)[:16]
        before = self.rows.setdefault(name, (row.number, content))
        if before == (row.number, content):
            return False
        if before[1] == content:
            notes.changed(
                "duplicate row", "It is the same case as another row, and stands in the bank once.", row.place
            )
            return True
        same = f"the id `{name}`" if draft.id else "the same variables"
        said = f"Rows {before[0]} and {row.number} have {same} and say different things."
        if len(self.problems) < 100:
            self.problems.append(Problem(said, row.place, "Give each case its own id."))
        return True


def new_case(row: Row, draft: CaseDraft) -> dict[str, object]:
    """A case as a row of a bank's JSONL table."""
    case: dict[str, object] = {} if draft.id is None else {"id": draft.id}
    case["vars"] = {name: no_reference(value) for name, value in draft.vars.items()}
    if draft.has_expected:
        case["expected"] = no_reference(draft.expected)
    if draft.tags:
        case["tags"] = list(draft.tags)
    if draft.must_pass is not None:
        case["must_pass"] = draft.must_pass
    if draft.group is not None:
        case["group"] = draft.group
    for name in ("inherit", "evaluators", "pass_score"):
        if holds_full_case(row) and name in row.values:
            case[name] = row.values[name]
    return case
