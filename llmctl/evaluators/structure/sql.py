"""The output is SQL of a dialect, and touches only what it may."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import ClassVar, TypeVar

from llmctl.evaluators.base import Context, Evaluator, Score, Text
from llmctl.evaluators.findings import ArgumentError, Finding
from llmctl.evaluators.structure.found_text import candidates
from llmctl.evaluators.structure.names_argument import Names
from llmctl.evaluators.structure.sql_faults import bare_alias
from llmctl.evaluators.structure.sql_names import ColumnRule, TableRule, column_rule, table_rule
from llmctl.evaluators.structure.sql_reading import SqlError, Statement, dialects, read_sql
from llmctl.evaluators.wording import listed, nearest, quote

__all__ = ["Sql"]

_Rule = TypeVar("_Rule")


@dataclass(frozen=True, slots=True)
class Sql(Evaluator):
    """The output is SQL that parses in a dialect; statements, tables and columns may be limited to lists."""

    name: ClassVar = "sql"
    value_field: ClassVar = "dialect"
    reads: ClassVar = ()

    dialect: Text = ""
    """A dialect of sqlglot; default: what most databases understand."""
    statements: Names = ()
    """The kinds that may stand there; default: any."""
    tables: Names = ()
    """The tables that may be touched; default: any."""
    columns: Names = ()
    """The columns that may be touched; default: any."""
    single: bool = False
    """Exactly one statement."""
    bare_aliases: bool = True
    """`false`: a SELECT of nothing but two bare names, `SELECT a b FROM t`, is a missing comma."""
    find: bool = False
    """Look inside fences too: one block that fits is enough."""
    table_rules: tuple[TableRule, ...] = field(init=False, repr=False, compare=False)
    column_rules: tuple[ColumnRule, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if find_spec("sqlglot") is None:
            hint = "Run: pip install 'llmctl-toolkit[text]'"
            raise ArgumentError([Finding("`sql` needs the package sqlglot, which is not installed", (), hint)])
        if self.dialect and self.dialect not in dialects():
            hint = nearest(self.dialect, dialects()) or f"It is one of {', '.join(sorted(dialects()))}."
            raise ArgumentError([Finding(f"there is no SQL dialect {quote(self.dialect, 40)}", ("dialect",), hint)])
        object.__setattr__(self, "table_rules", tuple(_rules("tables", self.tables, table_rule)))
        object.__setattr__(self, "column_rules", tuple(_rules("columns", self.columns, column_rule)))

    def score(self, context: Context) -> Score:
        """Parse the output and compare what it touches with the lists."""
        problem: str | None = None
        for text in candidates(context.output, self._languages) if self.find else [context.output]:
            found = self._problem(text.strip())
            if found is None:
                return Score(1.0, True, f"The output is SQL{self._of}: {quote(text.strip(), 120)}.")
            problem = problem or found
        fenced = context.output.lstrip().startswith("```") and not self.find
        hint = " `find: true` looks inside a fence." if fenced else ""
        return Score(0.0, False, f"The output {problem}: {quote(context.output.strip(), 120)}.{hint}")

    @property
    def _languages(self) -> frozenset[str]:
        return frozenset({"", "sql", self.dialect, *(("postgresql",) if self.dialect == "postgres" else ())})

    @property
    def _of(self) -> str:
        return f" of {self.dialect}" if self.dialect else ""

    def _problem(self, text: str) -> str | None:
        try:
            found = read_sql(text, self.dialect)
        except SqlError as error:
            return f"is no SQL{self._of}: {error}"
        if not self.bare_aliases and bare_alias(text, self.dialect):
            return "selects two names without a comma between them"
        if self.single and len(found) > 1:
            return f"is SQL of {len(found)} statements, and may be only one"
        return next(self._unwanted(found), None)

    def _unwanted(self, statements: Sequence[Statement]) -> Iterator[str]:
        for one in statements:
            allowed = {name.lower() for name in self.statements}
            kinds = [kind for kind in one.kinds if kind not in allowed]
            if allowed and kinds:
                yield f"is SQL with {listed(kinds)}, and may hold only {listed(self.statements)}"
            if (self.tables or self.columns) and not one.understood:
                yield f"is SQL with the command {listed(one.kinds)}, whose tables are not known"
            tables = {use.name: None for use in one.tables if not any(rule(use) for rule in self.table_rules)}
            if self.tables and tables:
                yield f"is SQL on {listed(tables)}, and may touch only {listed(self.tables)}"
            columns = {use.name: None for use in one.columns if not any(rule(use) for rule in self.column_rules)}
            if self.columns and columns:
                yield f"is SQL with the columns {listed(columns)}, and may touch only {listed(self.columns)}"


def _rules(argument: str, names: Sequence[str], rule: Callable[[str], _Rule]) -> Iterator[_Rule]:
    for index, name in enumerate(names):
        try:
            yield rule(name)
        except (ValueError, re.error) as error:
            message = f"{quote(name, 80)} of `{argument}` {error}"
            raise ArgumentError([Finding(message, (argument, index))]) from None
