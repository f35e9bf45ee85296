"""`include:`: tables of cases that lie beside a bank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from pydantic import Field

from llmctl.project.case_draft import CaseDraft, CaseKeysShape, content_digest, draft_of, merge
from llmctl.project.case_rows import (
    CASE_COLUMNS,
    VARS_PREFIX,
    columns_of,
    draft_of_full_row,
    draft_of_row,
    holds_full_case,
)
from llmctl.project.evaluator_entry import EvaluatorEntries
from llmctl.project.shape_errors import nearest, quoted_list
from llmctl.project.shapes import Maybe, Name, Shape
from llmctl.project.tables import Table, read_table

__all__ = ["IncludeShape", "included_drafts"]

Path = tuple[str | int, ...]


class IncludeShape(Shape):
    """One table of cases."""

    file: Name
    columns: Maybe[dict[str, Name]] = None
    set: CaseKeysShape = Field(default_factory=CaseKeysShape)
    duplicates: Literal["error", "merge"] = "error"


def included_drafts(shape: IncludeShape, path: Path, defaults: CaseDraft, entries: EvaluatorEntries) -> list[CaseDraft]:
    """The cases of one include, the bank's defaults merged in; mistakes go to the problems of `entries`."""
    given = merge(defaults, draft_of(shape.set, (*path, "set"), entries))
    found = entries.companions.file(shape.file, (*path, "file"))
    if found is None:
        return []
    table = read_table(found.data, found.path)
    entries.problems.extend(table.problems)
    if shape.columns is not None and table.columns and not _columns_exist(shape.columns, table, path, entries):
        return []
    drafts = [merge(given, draft) for draft in _rows(shape, table, entries)]
    return _merged(drafts) if shape.duplicates == "merge" else drafts


def _rows(shape: IncludeShape, table: Table, entries: EvaluatorEntries) -> Iterator[CaseDraft]:
    columns = columns_of(shape.columns, table.columns)
    for row in table.rows:
        if shape.columns is None and holds_full_case(row):
            draft = draft_of_full_row(row, entries)
        else:
            draft = draft_of_row(row, columns, entries.problems)
        if draft is not None:
            yield draft


def _columns_exist(columns: dict[str, str], table: Table, path: Path, entries: EvaluatorEntries) -> bool:
    """Whether every field of `columns` is one of a case and every column stands in the table."""
    document, before = entries.document, len(entries.problems)
    for field, name in columns.items():
        at = (*path, "columns", field)
        if field not in CASE_COLUMNS and not field.startswith(VARS_PREFIX):
            near = nearest(field, CASE_COLUMNS)
            hint = near or f"For a variable write `{VARS_PREFIX}{field}`."
            entries.problems.append(document.problem(at, f"A case has no field `{field}`.", hint, key=True))
        elif name not in table.columns:
            near = nearest(name, table.columns)
            message = f"The table has no column `{name}`. It has {quoted_list(table.columns)}."
            entries.problems.append(document.problem(at, message, near))
    return len(entries.problems) == before


def _merged(drafts: list[CaseDraft]) -> list[CaseDraft]:
    """Cases with the same variables and expected answer as one, weighted; it keeps the first one's id and group."""
    kept: dict[str, CaseDraft] = {}
    for draft in drafts:
        key = content_digest(draft)
        first = kept.get(key)
        if first is None:
            kept[key] = draft
        else:
            kept[key] = replace(
                first,
                weight=first.weight + draft.weight,
                tags=tuple(dict.fromkeys((*first.tags, *draft.tags))),
                must_pass=first.must_pass or draft.must_pass,
            )
    return list(kept.values())
