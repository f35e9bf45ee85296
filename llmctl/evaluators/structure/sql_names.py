"""Lists of tables and columns that SQL may touch: names, or patterns of the form `select::table::column`."""

from __future__ import annotations

from collections.abc import Callable

from llmctl.evaluators.patterns import Pattern, compile_pattern
from llmctl.evaluators.structure.sql_reading import ColumnUse, TableUse

__all__ = ["ColumnRule", "TableRule", "column_rule", "table_rule"]

TableRule = Callable[[TableUse], bool]
ColumnRule = Callable[[ColumnUse], bool]
_PARTS = 3


def table_rule(text: str) -> TableRule:
    """Whether a table is the one that is meant: `users`, `sales.orders`, `(select|update)::null::users`.

    Raises:
        ValueError: it is neither a name nor such a pattern; ends a sentence that begins with the text.
    """
    if "::" in text:
        pattern = _pattern(text)
        return lambda use: _fits(pattern, use.action, use.database, use.name)
    database, _, name = text.lower().rpartition(".")
    return lambda use: use.name.lower() == name and database in ("", (use.database or "").lower())


def column_rule(text: str) -> ColumnRule:
    """Whether a column is the one that is meant: `name`, `users.name`, `users.*`, `*`, `select::users::name`.

    In a pattern a column that is written alone has the table `null`, and fits any table too.

    Raises:
        ValueError: it is neither a name nor such a pattern; ends a sentence that begins with the text.
    """
    if "::" in text:
        pattern, parts = _pattern(text), text.split("::")
        alone = _pattern(f"{parts[0]}::null::{parts[2]}") if len(parts) == _PARTS else pattern
        return lambda use: _column_fits(pattern, use) or (use.table is None and _column_fits(alone, use))
    table, _, name = text.lower().rpartition(".")
    return lambda use: name in ("*", use.name.lower()) and _of_table(use, table)


def _of_table(use: ColumnUse, table: str) -> bool:
    owner = use.table or use.only_table
    return not table or owner is None or owner.lower() == table


def _column_fits(pattern: Pattern, use: ColumnUse) -> bool:
    # node-sql-parser, from which these patterns come, writes `*` as the text `(.*)`
    return _fits(pattern, use.action, use.table, "(.*)" if use.name == "*" else use.name)


def _fits(pattern: Pattern, action: str, owner: str | None, name: str) -> bool:
    return pattern.search(f"{action}::{owner or 'null'}::{name}", full=True) is not None


def _pattern(text: str) -> Pattern:
    return compile_pattern(text, ignore_case=True)
