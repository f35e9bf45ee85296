"""Rows of an included table as cases."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePosixPath

from llmctl.canonical import WrittenBool, written
from llmctl.errors import Place, Problem
from llmctl.project.case_draft import SCALARS, CaseDraft, CaseShape, as_expected, draft_of
from llmctl.project.evaluator_entry import EvaluatorEntries
from llmctl.project.references import Companions
from llmctl.project.shape_errors import check_value, kind_of
from llmctl.project.syntax.document import DataPath, Document
from llmctl.project.tables import Row

__all__ = [
    "CASE_COLUMNS",
    "VARS_PREFIX",
    "Columns",
    "ColumnsOf",
    "draft_of_full_row",
    "draft_of_row",
    "holds_full_case",
]

CASE_COLUMNS = ("id", "expected", "group", "tags", "must_pass")
"""Fields of a case that a column can fill, beside its variables."""
VARS_PREFIX = "vars."
_BETWEEN_TAGS = re.compile("[,;]")
_TRUE = frozenset({"true", "yes", "y", "1", "x"})
_FALSE = frozenset({"false", "no", "n", "0"})


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column fills which field."""

    fields: Mapping[str, str]
    """Of `CASE_COLUMNS`, those that have a column."""
    variables: Mapping[str, str]
    """Variable to column."""


class ColumnsOf:
    """Tells which column of a row fills which field: as an include says, or else every column by its own name."""

    def __init__(self, mapping: Mapping[str, str] | None) -> None:
        self._by_names = lru_cache(maxsize=256)(_columns_by_name)  # rows of objects may each have other keys
        self._named = None if mapping is None else _columns(mapping)

    def __call__(self, row: Row) -> Columns:
        """The columns of one row."""
        return self._named or self._by_names(tuple(row.values))


def _columns_by_name(names: tuple[str, ...]) -> Columns:
    return _columns({_field(name): name for name in names})


def _columns(mapping: Mapping[str, str]) -> Columns:
    return Columns(
        {name: column for name, column in mapping.items() if name in CASE_COLUMNS},
        {name.removeprefix(VARS_PREFIX): column for name, column in mapping.items() if name.startswith(VARS_PREFIX)},
    )


def _field(column: str) -> str:
    return column if column in CASE_COLUMNS else VARS_PREFIX + column.removeprefix(VARS_PREFIX)


def draft_of_row(row: Row, columns: Columns, problems: list[Problem]) -> CaseDraft:
    """The case of one row; a cell that cannot be meant is reported by row and column."""
    cells, filled = _Cells(row, columns, problems), columns.fields
    expected = cells.value("expected")
    return CaseDraft(
        id=cells.text("id") if "id" in filled else None,
        vars={name: row.values[column] for name, column in columns.variables.items() if column in row.values},
        expected=as_expected(expected),
        has_expected=expected is not None,
        tags=cells.tags() if "tags" in filled else (),
        must_pass=cells.truth("must_pass") if "must_pass" in filled else None,
        group=cells.text("group") if "group" in filled else None,
        place=row.place,
    )


@lru_cache(maxsize=256)
def _tags_in(text: str) -> tuple[str, ...]:
    return tuple(tag for part in _BETWEEN_TAGS.split(text) if (tag := part.strip()))


@dataclass(slots=True)
class _Cells:
    """The cells of one row, an empty one as None. Not frozen: one is made for each row."""

    row: Row
    columns: Columns
    problems: list[Problem]

    def value(self, field: str) -> object:
        column = self.columns.fields.get(field)
        value = None if column is None else self.row.values.get(column)
        return None if value == "" and (self.row.text_rows or field != "expected") else value

    def text(self, field: str) -> str | None:
        value = self.value(field)
        if value is None or isinstance(value, SCALARS):
            return None if value is None else written(value)
        self._refuse(field, f"`{field}` must be text, not {kind_of(value)}.")
        return None

    def tags(self) -> tuple[str, ...]:
        value = self.value("tags")
        if value is None:
            return ()
        if isinstance(value, list) and all(isinstance(item, SCALARS) for item in value):
            return tuple(written(item) for item in value)
        if isinstance(value, SCALARS):
            return _tags_in(written(value))
        self._refuse("tags", f"`tags` must be a list of texts, not {kind_of(value)}.")
        return ()

    def truth(self, field: str) -> bool | None:
        value = self.value(field)
        if value is None or isinstance(value, bool | WrittenBool):
            return None if value is None else bool(value)
        word = written(value).strip().casefold()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        self._refuse(field, f"`{field}` must be true or false, not {kind_of(value)}.")
        return None

    def _refuse(self, field: str, message: str) -> None:
        self.problems.append(Problem(message, self.row.cell(self.columns.fields[field])))


def holds_full_case(row: Row) -> bool:
    """Whether a row is written like a case of a bank: `{id, vars: {...}, expected}`."""
    return isinstance(row.values.get("vars"), dict)


def draft_of_full_row(row: Row, entries: EvaluatorEntries) -> CaseDraft | None:
    """The case of a row that is written like one in a bank."""
    document = _RowDocument(row.place.file, "", row.values, row=row)
    path = PurePosixPath(row.place.file)
    companions = Companions(entries.companions.source, path, document, entries.problems)
    shape = check_value(CaseShape, row.values, document, (), entries.problems)
    if shape is None:
        return None
    return draft_of(shape, (), replace(entries, document=document, companions=companions))


@dataclass(frozen=True)
class _RowDocument(Document):
    """One row, seen as a file: every place in it is a cell."""

    row: Row | None = None

    def place(self, path: DataPath = (), *, key: bool = False) -> Place:  # noqa: ARG002
        """The cell that holds the value."""
        if self.row is None:
            return super().place(path)
        return self.row.cell(str(path[0])) if path else self.row.place
