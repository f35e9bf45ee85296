"""`llmctl sql`: one query over the store, read-only and sandboxed."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.cli.assignments import assignments
from llmctl.errors import UsageError

if TYPE_CHECKING:
    from llmctl.cli.session import Session
    from llmctl.report.query_table import Row as Cells
    from llmctl.store.layout import Layout
    from llmctl.store.query import Query
    from llmctl.store.sandbox import Limits
    from llmctl.store.shapes import Column

__all__ = ["sql"]

_SHOWN_ROWS = 100
_LARGEST_QUERY_BYTES = 2**20


def sql(
    ctx: typer.Context,
    query: Annotated[
        str | None, typer.Argument(metavar="QUERY", help="One SELECT; - reads it from standard input.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", metavar="FILE", help="Read the query from here.")] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="A text for $NAME in the query (repeatable)."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=0, metavar="N", help=f"At most so many rows. Default: {_SHOWN_ROWS} in a table, else all."
        ),
    ] = None,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, max=86_400, metavar="S", help="Stop the query after so long.")
    ] = 60,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help=".csv, .json, .jsonl or .parquet.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of row objects.")] = False,
    tables: Annotated[
        bool, typer.Option("--tables", help="List the views, their columns and what they mean; QUERY may name one.")
    ] = False,
) -> None:
    """Query the store with DuckDB's SQL.

    The views runs, results, scores, calls, attempts, cases, prompts, targets, banks and judges may be relied on; their
    columns are listed by --tables. A query can only read them: no file, no network, no setting, nothing is changed.
    """
    from llmctl.store.query import Query
    from llmctl.store.sandbox import Limits

    session: Session = ctx.obj
    if tables:
        _list_views(query, as_json=as_json)
        return
    if sum([as_csv, as_json, output is not None]) > 1:
        raise UsageError("Give one of --json, --csv and -o.")
    text, source = _text(session, query, file)
    wanted = Query(text, assignments("--param", parameters or ()), limit, source)
    limits = Limits(time_s=timeout_s)
    store = session.config.store
    if output is not None:
        _write(store, wanted, limits, session.directory / output)
    elif as_csv or as_json:
        _print_data(store, wanted, limits, ".csv" if as_csv else ".json")
    else:
        _print_table(store, wanted, limits)


def _print_table(store: Path, query: Query, limits: Limits) -> None:
    from llmctl.cli.screen import stdout
    from llmctl.report.query_table import render_rows
    from llmctl.runs.store_reader import StoreReader
    from llmctl.store.query import running
    from llmctl.store.shapes import Shape

    limit = _SHOWN_ROWS if query.limit is None else query.limit
    one_more = replace(query, limit=limit + 1)

    def read(layout: Layout) -> tuple[Sequence[Column], list[Cells]]:
        with running(layout, one_more, limits) as found:
            return found.columns, list(found.rows(Shape.CELLS))

    columns, rows = StoreReader(store).look(read)
    render_rows(stdout(), columns, rows, limit=limit)


def _print_data(store: Path, query: Query, limits: Limits, ending: str) -> None:
    """Through a file: however slowly somebody reads what is printed, the store is let go of at once."""
    from llmctl.report.data_files import write_text_rows
    from llmctl.runs.store_reader import StoreReader
    from llmctl.store.query import running

    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as spool:

        def read(layout: Layout) -> None:
            spool.seek(0)
            spool.truncate()
            with running(layout, query, limits) as found:
                write_text_rows(spool, ending, found)

        StoreReader(store).look(read)
        spool.seek(0)
        sys.stdout.writelines(spool)


def _write(store: Path, query: Query, limits: Limits, path: Path) -> None:
    from llmctl.cli.screen import stderr
    from llmctl.report.atomic import atomic_path
    from llmctl.report.data_files import PARQUET, check_place, ending_of, write_text_file
    from llmctl.report.numbers import count
    from llmctl.runs.store_reader import StoreReader
    from llmctl.store.query import running

    ending = ending_of(path)
    check_place(path)

    def read(layout: Layout) -> int:
        with atomic_path(path) as temporary:
            output = temporary if ending == PARQUET else None
            with running(layout, query, limits, output=output) as found:
                return found.write_parquet(temporary) if output else write_text_file(temporary, ending, found)

    rows = StoreReader(store).look(read)
    stderr().print(f"{count(rows)} {'row' if rows == 1 else 'rows'} in {path}", markup=False)


def _text(session: Session, query: str | None, file: Path | None) -> tuple[str, Path]:
    """The query and where it stands."""
    if (query is None) == (file is None):
        raise UsageError(
            "Give a query, or - or --file FILE to read one.", hint='For example: llmctl sql "SELECT * FROM runs"'
        )
    if file is not None:
        path = session.directory / file
        try:
            with path.open("rb") as opened:
                return _decoded(opened.read(_LARGEST_QUERY_BYTES + 1), file), file
        except OSError as error:
            raise UsageError(f"The file {path} cannot be read: {error.strerror}.") from None
    if query == "-":
        name = Path("standard input")
        return _decoded(sys.stdin.buffer.read(_LARGEST_QUERY_BYTES + 1), name), name
    return str(query), Path("query")


def _decoded(content: bytes, source: Path) -> str:
    if len(content) > _LARGEST_QUERY_BYTES:
        raise UsageError(f"The query in {source} is larger than 1 MB.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"The query in {source} is not UTF-8 text.") from None


def _list_views(name: str | None, *, as_json: bool) -> None:
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.views import render_views, views_json
    from llmctl.store.views import VIEWS, known_view

    names = list(VIEWS) if name is None else [known_view(name)]
    if as_json:
        print_json(views_json(names))
    else:
        render_views(stdout(), names)
