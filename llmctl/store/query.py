"""One query that somebody wrote, checked and carried out in the sandbox.

It must be a single SELECT; DuckDB counts FROM, VALUES, PIVOT, DESCRIBE, SHOW and SUMMARIZE among them. It is carried
out inside `FROM (...)`, where nothing that writes could be parsed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from llmctl.errors import Place, Problem, ProjectError, UnfinishedError, UsageError
from llmctl.store.found_rows import BEFORE, FoundRows, bracketed
from llmctl.store.interruptible import interruptible
from llmctl.store.query_errors import mistake_in, told
from llmctl.store.sandbox import Limits, open_sandbox
from llmctl.store.views import VIEWS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Error

    from llmctl.store.layout import Layout

__all__ = ["Query", "running"]

_READING = ("SELECT", "MULTI")  # MULTI: a PIVOT that has to look for its columns first


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked."""

    text: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    """By name, for `$name` in the text."""
    limit: int | None = None
    """At most so many rows; None: all."""
    source: Path = Path("query")
    """Where the text stands, for messages."""
    head: str = ""
    """How the text begins that its author has not written; messages leave it out."""
    tail: str = ""
    """How it ends that its author has not written."""

    @property
    def own(self) -> str:
        """What its author has written."""
        return self.text[len(self.head) : len(self.text) - len(self.tail)]


@contextmanager
def running(layout: Layout, query: Query, limits: Limits, *, output: Path | None = None) -> Iterator[FoundRows]:
    """The query in a sandbox of its own; keep the block short: nobody can write the store meanwhile.

    Raises:
        ProjectError: something is wrong with the query, and where.
        UnfinishedError: it took too long, or too much memory.
        StoreError: the store cannot be read.
    """
    import duckdb

    with open_sandbox(layout, limits, output=output) as con, interruptible(con, time_s=limits.time_s) as calls:
        try:
            yield FoundRows(calls, _single_statement(con, query), query.parameters, query.limit)
        except duckdb.OutOfMemoryException:
            raise UnfinishedError(
                f"The query needs more than {limits.memory_mb:,} MB of memory.",
                hint="Name the columns that you need, sort or group less, or add a WHERE.",
            ) from None
        except (
            duckdb.ProgrammingError,
            duckdb.DataError,
            duckdb.NotSupportedError,
            duckdb.IntegrityError,
            duckdb.PermissionException,
            duckdb.TransactionException,
        ) as error:
            raise _wrong(query, error) from None
        except duckdb.Error as error:
            # The store's, not the query's: to be told as DuckDB tells it without `errors_as_json`.
            raise type(error)(told(error)["exception_message"]) from None


def _single_statement(con: DuckDBPyConnection, query: Query) -> str:
    """The text of the query's one statement, without the semicolon behind it."""
    statements = con.extract_statements(query.text)
    if not statements:
        raise UsageError("The query is empty.", hint='For example: llmctl sql "SELECT * FROM runs"')
    if len(statements) > 1:
        raise _located(query, len(statements[0].query.encode()), "There is more than one statement.", "Give one.")
    kind = statements[0].type.name
    text = _without_semicolon(query.text)
    if kind not in _READING or not _is_subquery(con, text):
        raise _located(query, 0, f"The store is read only: {_kind(kind)} is refused.", "Write a SELECT.")
    return text


def _is_subquery(con: DuckDBPyConnection, text: str) -> bool:
    """Whether it can stand in brackets: a COPY of a PIVOT is one MULTI statement too."""
    import duckdb

    try:
        wrapped = con.extract_statements(bracketed(text))
    except duckdb.ParserException:
        return False
    return len(wrapped) == 1 and wrapped[0].type.name in _READING


def _kind(name: str) -> str:
    return "this statement" if name in _READING else name.replace("_", " ")


def _without_semicolon(text: str) -> str:
    import duckdb

    content = text.encode()
    end = len(content)
    for offset, kind in reversed(duckdb.tokenize(text)):
        if kind == duckdb.token_type.comment:
            continue
        if content[offset : offset + 1] != b";":
            break
        end = offset
    return content[:end].decode()


def _wrong(query: Query, error: Error) -> ProjectError | UsageError:
    mistake = mistake_in(error, [column for view in VIEWS.values() for column in view.columns])
    offset = mistake.offset
    if offset is not None and not str(error).startswith("Parser Error"):
        offset -= len(BEFORE)  # all but the parser saw the query in its brackets
    if offset is None or not 0 <= offset <= len(query.text.encode()):
        return UsageError(mistake.message, hint=mistake.hint)
    return _located(query, offset, mistake.message, mistake.hint)


def _located(query: Query, offset: int, message: str, hint: str | None) -> ProjectError:
    """The mistake with the line that it stands in; `offset`: bytes before it."""
    before = query.own.encode()[: max(0, offset - len(query.head.encode()))].decode(errors="ignore")
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    excerpt = query.own.split("\n")[line - 1]
    return ProjectError([Problem(message, Place(query.source, line, column), hint, excerpt)])
