"""Which column of a table fills which field of a case: as somebody says, or guessed from the columns' names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from llmctl.errors import UsageError
from llmctl.importers.naming import slug
from llmctl.project.case_rows import CASE_COLUMNS, VARS_PREFIX
from llmctl.project.shape_errors import nearest, quoted_list

__all__ = ["ColumnMap", "checked_map", "guessed_map"]

_WORDS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "case_id", "caseid", "case", "uuid", "uid", "key", "nr", "no"),
    "expected": (
        *("expected", "expected_output", "expected_answer", "ideal", "target", "gold", "golden", "reference"),
        *("ground_truth", "groundtruth", "correct", "correct_answer", "answer", "label", "solution"),
    ),
    "tags": ("tags", "tag", "labels", "categories", "category"),
    "group": ("group", "conversation", "conversation_id", "session", "session_id", "thread", "thread_id"),
    "must_pass": ("must_pass", "mustpass", "critical", "blocker"),
}
"""Names of columns, the surest first."""
_OTHER = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """From the fields of a case to the columns of a table."""

    columns: Mapping[str, str]
    guessed: bool = False
    unused: tuple[str, ...] = field(default=())
    """Columns that fill nothing."""


def checked_map(given: Mapping[str, str], columns: Sequence[str]) -> ColumnMap:
    """A mapping that somebody gave.

    Raises:
        UsageError: it names a field that no case has, or a column that the table lacks.
    """
    for name, column in given.items():
        if name not in CASE_COLUMNS and not (name.startswith(VARS_PREFIX) and name != VARS_PREFIX):
            hint = nearest(name, CASE_COLUMNS) or f"For a variable write --map {VARS_PREFIX}{name}={column}."
            raise UsageError(f"A case has no field `{name}`.", hint=hint)
        if column not in columns:
            said = f"The table has no column `{column}`. It has {quoted_list(columns)}."
            raise UsageError(said, hint=nearest(column, columns))
    used = set(given.values())
    return ColumnMap(given, False, tuple(column for column in columns if column not in used))


def guessed_map(columns: Sequence[str], variables: Iterable[str] = ()) -> ColumnMap:
    """The mapping that the names suggest; `variables` are those of the prompts that the bank is run with."""
    exact = frozenset(variables)
    wanted = {_key(name): name for name in sorted(exact)}
    fields: dict[str, str] = {}
    left = []
    for column in columns:
        if column in CASE_COLUMNS or (column.startswith(VARS_PREFIX) and column != VARS_PREFIX):
            fields[column] = column
        else:
            left.append(column)
    taken = {_key(column): column for column in left}
    for name, words in _WORDS.items():
        found = next((taken[word] for word in words if word in taken and word not in wanted), None)
        if name not in fields and found is not None:
            fields[name] = found
            taken.pop(_key(found))
    rest = [column for column in left if column not in fields.values()]
    named = {f"{VARS_PREFIX}{column}": column for column in rest if column in exact}
    rest = [column for column in rest if column not in exact]
    fields |= named
    return ColumnMap({**fields, **_variables(rest, fields, wanted)}, guessed=True)


def _variables(columns: Sequence[str], fields: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Each remaining column as a variable; a single one is the variable that is still to be filled."""
    have = {field.removeprefix(VARS_PREFIX) for field in fields if field.startswith(VARS_PREFIX)}
    missing = [name for name in wanted.values() if name not in have]
    if len(columns) == 1 and len(missing) == 1:
        return {f"{VARS_PREFIX}{missing[0]}": columns[0]}
    named: dict[str, str] = {}
    for column in columns:
        name = wanted.get(_key(column)) or (column if column.isidentifier() else _key(column))
        name = _key(column) if name in have else name
        number = 2
        while not name or f"{VARS_PREFIX}{name}" in named or name in have:
            name = f"{_key(column) or 'column'}_{number}"
            number += 1
        named[f"{VARS_PREFIX}{name}"] = column
    return named


def _key(text: str) -> str:
    """A name in small letters, digits and underscores; what begins with a digit gets a letter before it."""
    word = slug(text, "").replace("-", "_") or _OTHER.sub("_", text.strip().lower()).strip("_")
    return f"c_{word}" if word[:1].isdigit() else word
