"""SQL parsed by sqlglot within bounds: its statements, and the tables and columns that they touch."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from llmctl.errors import EvaluatorError
from llmctl.evaluators.structure.sql_faults import token_fault
from llmctl.evaluators.wording import visible

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

__all__ = ["MAX_CHARACTERS", "ColumnUse", "SqlError", "Statement", "TableUse", "dialects", "read_sql"]

MAX_CHARACTERS = 20_000
"""Longer SQL is not read."""

_MAX_BRACKETS = 200  # sqlglot copies all of `a[1][1]...` for each index
_STEPS, _LEAST = 20, 2_000
_EXPLAIN_OPTIONS = re.compile(
    r"^(?:\s|ANALYZE\b|VERBOSE\b|EXTENDED\b|QUERY\s+PLAN\b|FORMAT\s*=\s*\w+|\([^()]*\))+", re.I
)
_UNLIKE_COMMANDS = frozenset({"ALTER", "COMMENT", "CREATE", "DELETE", "DROP", "INSERT", "MERGE", "SELECT", "UPDATE"})
"""What sqlglot has a reader for: as a bare command it was not understood."""


class SqlError(ValueError):
    """The text is not SQL; the message ends a sentence."""


class _TooManyStepsError(Exception):
    """The parser goes back and forth: some nestings take it exponential time."""


@dataclass(frozen=True, slots=True)
class TableUse:
    """A table that a statement touches."""

    action: str
    """`select`, `insert`, `delete` ...: what is done to it."""
    database: str | None
    name: str


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """A column that a statement touches."""

    action: str
    table: str | None
    """The table it is written with, aliases resolved; None: it stands alone."""
    name: str
    """`*` for all."""
    only_table: str | None = None
    """The table it must belong to, where it stands alone and only one table is there."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, and what it does."""

    kinds: tuple[str, ...]
    """`select`, `insert` ...: its own kind first, then those of statements inside it."""
    tables: tuple[TableUse, ...]
    columns: tuple[ColumnUse, ...]
    understood: bool
    """Whether tables and columns are known: they are not of a command that sqlglot only passes on."""


@lru_cache(maxsize=1)
def dialects() -> frozenset[str]:
    """The names of the dialects that sqlglot reads."""
    from sqlglot.dialects.dialect import Dialects

    return frozenset(dialect.value for dialect in Dialects if dialect.value)


@lru_cache(maxsize=64)
def _dialect(name: str) -> Any:
    from sqlglot.dialects.dialect import Dialect

    # It warns where it falls back to a bare command, which is said of the output instead.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    return Dialect.get_or_raise(name or None)


@lru_cache(maxsize=64)
def _bounded_parser(name: str) -> type[Any]:
    base: type[Any] = _dialect(name).parser_class

    class BoundedParser(base):  # type: ignore[misc]
        steps = 0

        def _advance(self, times: int = 1) -> None:
            self.steps -= 1
            if self.steps < 0:
                raise _TooManyStepsError
            super()._advance(times)

    return BoundedParser


def read_sql(text: str, dialect: str) -> list[Statement]:
    """The statements of a text.

    Raises:
        SqlError: it is not SQL of that dialect.
        EvaluatorError: it is too long or too deeply nested for the parser.
    """
    from sqlglot.errors import SqlglotError

    if len(text) > MAX_CHARACTERS:
        raise EvaluatorError(f"the SQL has {len(text):,} characters, and none above {MAX_CHARACTERS:,} is read")
    try:
        tokens = _dialect(dialect).tokenize(text)
        fault = token_fault(tokens, dialect)
        trees = _trees(tokens, text, dialect)
    except SqlglotError as error:
        raise SqlError(_said(error)) from None
    except (RecursionError, _TooManyStepsError):
        raise EvaluatorError("the SQL is nested too deeply for the parser") from None
    if fault:
        raise SqlError(fault)
    return [_explained(tree, dialect) or _statement(tree) for tree in trees]


def _explained(tree: Expression, dialect: str) -> Statement | None:
    """What an EXPLAIN explains, where the dialect's own reader does not say; some databases run it."""
    from sqlglot import exp

    if not isinstance(tree, exp.Command) or str(tree.this).upper() not in ("EXPLAIN", "DESCRIBE"):
        return None
    text = _EXPLAIN_OPTIONS.sub("", str(tree.expression.name if tree.expression else ""))
    if text.upper().startswith("EXPLAIN"):
        raise SqlError("an EXPLAIN explains another one")
    [inner, *_] = read_sql(text, dialect)
    return replace(inner, kinds=("explain", *inner.kinds))


def _trees(tokens: Sequence[Any], text: str, dialect: str) -> list[Expression]:
    if sum(token.text == "[" for token in tokens) > _MAX_BRACKETS:
        raise _TooManyStepsError
    parser = _bounded_parser(dialect)(dialect=_dialect(dialect))
    parser.steps = _STEPS * len(tokens) + _LEAST
    trees = [tree for tree in parser.parse(tokens, text) if tree is not None]
    if not trees:
        raise SqlError("it holds no statement")
    for tree in trees:
        _check(tree)
    return trees


def _said(error: Exception) -> str:
    """Where the parser stopped, in one line."""
    first = next(iter(getattr(error, "errors", ())), None)
    if not first:
        return visible(str(error), 120)
    near = visible(f"{first.get('highlight') or ''}", 40)
    missing = str(first.get("description")).startswith("Required keyword")
    what = "something is missing" if missing else "this does not belong"
    return f"{what} at line {first.get('line')}, column {first.get('col')}, near `{near}`"


def _check(tree: Expression) -> None:
    """Refuse what sqlglot reads and no database does."""
    from sqlglot import exp

    if _kind(tree) is None:
        raise SqlError("it is no statement")
    if isinstance(tree, exp.Command) and str(tree.this).upper() in _UNLIKE_COMMANDS:
        raise SqlError(f"what follows {str(tree.this).upper()} is not understood")
    for select in tree.find_all(exp.Select):
        if not select.expressions:
            raise SqlError("a SELECT selects nothing")


def _kind(tree: Expression) -> str | None:
    """`select`, `insert` ...; None: an expression, not a statement."""
    from sqlglot import exp

    if isinstance(tree, exp.Command):
        return str(tree.this).lower()
    if isinstance(tree, exp.Query | exp.Values):
        return "select"
    named = {exp.Describe: "explain", exp.TruncateTable: "truncate"}
    return named.get(type(tree)) or (tree.key if isinstance(tree, _statement_classes()) else None)


@lru_cache(maxsize=1)
def _statement_classes() -> tuple[type[Any], ...]:
    from sqlglot import exp

    names = (
        "DML DDL Drop Alter Show Set Use Transaction Commit Rollback Grant Revoke Merge Pragma Analyze Copy LoadData"
    )
    return tuple(getattr(exp, name) for name in f"{names} Comment Kill Cache Uncache Refresh".split())


def _statement(tree: Expression) -> Statement:
    from sqlglot import exp

    inner = tree.find_all(exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Into)
    kinds = [_kind(tree) or "", *("select_into" if isinstance(node, exp.Into) else node.key for node in inner)]
    tables = tuple(_tables(tree))
    columns = tuple(dict.fromkeys(_columns(tree, tables)))
    return Statement(tuple(dict.fromkeys(kinds)), tables, columns, not isinstance(tree, exp.Command))


def _tables(tree: Expression) -> Iterator[TableUse]:
    from sqlglot import exp

    local = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.name and (table.db or table.name.lower() not in local):
            yield TableUse(_action(table), table.db or None, table.name)


def _action(table: Expression) -> str:
    """What is done to a table: it is read, unless a statement names it as what it changes."""
    from sqlglot import exp

    parent = table.parent
    key = table.arg_key
    while isinstance(parent, exp.Schema | exp.Tuple):
        key, parent = parent.arg_key, parent.parent
    if isinstance(parent, exp.Into):
        return "create"
    changes = exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.Create | exp.Drop | exp.Alter | exp.TruncateTable
    if isinstance(parent, changes) and key in ("this", "tables", "expressions"):
        return _kind(parent) or "select"
    return "select"


def _columns(tree: Expression, tables: Sequence[TableUse]) -> Iterator[ColumnUse]:
    from sqlglot import exp

    aliases = {table.alias.lower(): table.name for table in tree.find_all(exp.Table) if table.alias}
    local = {one.alias_or_name.lower() for one in tree.find_all(exp.CTE, exp.Subquery) if one.alias_or_name}
    names = {table.name for table in tables}
    only = next(iter(names)) if len(names) == 1 else None
    for schema in tree.find_all(exp.Schema):
        if isinstance(schema.parent, exp.Insert):
            yield from (ColumnUse("insert", schema.this.name, column.name) for column in schema.expressions)
    for star in tree.find_all(exp.Star):
        if isinstance(star.parent, exp.Select):
            yield ColumnUse("select", None, "*", only)
    renamed = {
        alias.alias.lower() for select in tree.find_all(exp.Select) for alias in select.expressions if alias.alias
    }
    for column in tree.find_all(exp.Column):
        sorted_by = column.find_ancestor(exp.Order, exp.Group, exp.Having, exp.Select)
        if not column.table and column.name.lower() in renamed and not isinstance(sorted_by, exp.Select | None):
            continue  # the name of a selected column, which is looked at where it is selected
        if column.table.lower() not in local:
            table = aliases.get(column.table.lower(), column.table) or None
            yield ColumnUse(_column_action(column), table, column.name or "*", None if table else only)


def _column_action(column: Expression) -> str:
    from sqlglot import exp

    parent = column.parent
    if isinstance(parent, exp.EQ) and isinstance(parent.parent, exp.Update) and parent.this is column:
        return "update" if parent.arg_key == "expressions" else "select"
    return "select"
