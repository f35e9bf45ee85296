"""`include:`: tables of cases that lie beside a bank."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path as FilePath
from pathlib import PurePosixPath
from typing import BinaryIO, Literal

from pydantic import Field

from llmctl.errors import Place, Problem, ProjectError
from llmctl.project.case_draft import CaseDraft, CaseKeysShape, draft_of, merge
from llmctl.project.case_merge import merged_drafts
from llmctl.project.case_rows import (
    CASE_COLUMNS,
    VARS_PREFIX,
    ColumnsOf,
    draft_of_full_row,
    draft_of_row,
    holds_full_case,
)
from llmctl.project.evaluator_entry import EvaluatorEntries
from llmctl.project.problem_list import MAX_FILE_PROBLEMS
from llmctl.project.shape_errors import nearest, quoted_list
from llmctl.project.shapes import Maybe, Name, Shape
from llmctl.project.tables import Table, has_header, read_table

__all__ = ["Include", "IncludeShape", "include_of", "included_drafts"]

Path = tuple[str | int, ...]


class IncludeShape(Shape):
    """One table of cases."""

    file: Name
    columns: Maybe[dict[str, Name]] = None
    set: CaseKeysShape = Field(default_factory=CaseKeysShape)
    duplicates: Literal["error", "merge"] = "error"


@dataclass(frozen=True, slots=True)
class NamedColumn:
    """One line of `columns:`, and where the column's name stands."""

    field: str
    column: str
    place: Place
    excerpt: str | None


@dataclass(frozen=True, slots=True)
class Include:
    """A table of cases, ready to be read as often as somebody asks."""

    path: PurePosixPath
    given: CaseDraft
    """What every row begins with."""
    columns: tuple[NamedColumn, ...] | None
    """None: every column by its own name."""
    merges: bool
    sound: bool = True
    """False: a mistake in `columns:` has been said, and only the table is still to be looked at."""

    @property
    def mapping(self) -> dict[str, str] | None:
        """From a field of a case to a column."""
        return None if self.columns is None else {one.field: one.column for one in self.columns}


def include_of(shape: IncludeShape, path: Path, defaults: CaseDraft, entries: EvaluatorEntries) -> Include | None:
    """One include, the bank's defaults merged in; None with every mistake added to the problems of `entries`."""
    given = merge(defaults, draft_of(shape.set, (*path, "set"), entries))
    table = entries.companions.large_file(shape.file, (*path, "file"))
    if shape.columns is None or table is None:
        return None if table is None else Include(table, given, None, shape.duplicates == "merge")
    before = len(entries.problems)
    columns = tuple(_named_columns(shape.columns, (*path, "columns"), entries))
    return Include(table, given, columns, shape.duplicates == "merge", sound=len(entries.problems) == before)


def _named_columns(columns: dict[str, str], path: Path, entries: EvaluatorEntries) -> Iterator[NamedColumn]:
    document = entries.document
    for field, column in columns.items():
        at = (*path, field)
        if field in CASE_COLUMNS or field.startswith(VARS_PREFIX):
            place = document.place(at)
            yield NamedColumn(field, column, place, document.excerpt(place))
        else:
            hint = nearest(field, CASE_COLUMNS) or f"For a variable write `{VARS_PREFIX}{field}`."
            entries.problems.append(document.problem(at, f"A case has no field `{field}`.", hint, key=True))


def included_drafts(include: Include, entries: EvaluatorEntries) -> Iterator[CaseDraft]:
    """The cases of one include in the order of its rows; mistakes go to the problems of `entries`."""
    try:
        if include.merges:
            yield from merged_drafts(lambda: _drafts(include, entries), entries)
        else:
            yield from _drafts(include, entries)
    except ProjectError as error:  # the file is gone, or has become something else
        entries.problems.extend(error.problems)
    except OSError as error:
        entries.problems.append(Problem(f"The file cannot be read: {error.strerror}.", Place(FilePath(include.path))))


def _drafts(include: Include, entries: EvaluatorEntries) -> Iterator[CaseDraft]:
    with entries.companions.source.open(include.path) as stream:
        if include.columns and not has_header(include.path) and not _objects_have(include, stream, entries):
            return
        stream.seek(0)
        table = read_table(stream, include.path, entries.problems)
        with closing(table.rows):
            for row in _rows(include, table, entries):
                yield merge(include.given, row)


def _rows(include: Include, table: Table, entries: EvaluatorEntries) -> Iterator[CaseDraft]:
    mapping = include.mapping
    columns_of = ColumnsOf(mapping)
    sound: bool | None = None
    for row in table.rows:
        if sound is None:
            sound = not _report_missing(include, table, entries) and include.sound
        if not sound:
            continue  # what is wrong with the other rows is said all the same
        if mapping is None and holds_full_case(row):
            draft = draft_of_full_row(row, entries)
        else:
            draft = draft_of_row(row, columns_of(row), entries.problems)
        if draft is not None:
            yield draft
    if sound is None:
        _report_missing(include, table, entries)


def _report_missing(include: Include, table: Table, entries: EvaluatorEntries) -> bool:
    """Say which columns the header of a table lacks."""
    if not table.header:
        return False
    missing = [one for one in include.columns or () if one.column not in table.columns]
    entries.problems.extend(_no_column(one, table) for one in missing)
    return bool(missing)


def _objects_have(include: Include, stream: BinaryIO, entries: EvaluatorEntries) -> bool:
    """Whether every column is a key of some object; they are read until the last of them has come."""
    problems: list[Problem] = []
    columns = include.columns or ()
    table = read_table(stream, include.path, problems)
    missing = {one.column for one in columns}
    with closing(table.rows):
        for _ in table.rows:
            missing.difference_update(table.columns)
            if not missing:
                return True
            del problems[MAX_FILE_PROBLEMS:]
    if not table.columns:
        return True  # what is wrong with the file is said by whoever reads it
    entries.problems.extend(problems)
    entries.problems.extend(_no_column(one, table) for one in columns if one.column in missing)
    return False


def _no_column(named: NamedColumn, table: Table) -> Problem:
    message = f"The table has no column `{named.column}`. It has {quoted_list(table.columns)}."
    return Problem(message, named.place, nearest(named.column, table.columns), named.excerpt)
