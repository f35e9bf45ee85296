"""`llmctl export`: what the store holds as Parquet, CSV or JSON, for other tools."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.errors import UsageError

if TYPE_CHECKING:
    from llmctl.cli.session import Session
    from llmctl.report.exported import ExportedFile
    from llmctl.runs.store_reader import StoreReader
    from llmctl.store.layout import Layout

__all__ = ["export"]


class Format(StrEnum):
    """A kind of file, where a directory is written."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


def export(
    ctx: typer.Context,
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Id, @last, @last~1, or a label. Default: @last.")
    ] = None,
    all_runs: Annotated[bool, typer.Option("--all", help="Every run of the store.")] = False,
    what: Annotated[
        list[str] | None,
        typer.Option(
            "--what", metavar="VIEW", help="results, scores, calls ... as `sql --tables` lists them (repeatable)."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR|FILE", help="A file (.csv, .json, .jsonl, .parquet) or a directory."
        ),
    ] = None,
    kind: Annotated[
        Format | None, typer.Option("--format", help="Of the files in a directory. Default: parquet.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write what the store holds as Parquet, CSV or JSON. Default: the results of the last run.

    A directory gets a file for each view that is asked for. Rows are those of `llmctl sql`; `calls` and `attempts` hold
    also the calls of other runs that the run's results refer to; `traffic` and `feedback` alone need no run. Secrets
    stay redacted. In CSV, text that a spreadsheet would run as a formula begins with an apostrophe.
    """
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.exported import exported_json, render_exported
    from llmctl.runs.run_names import find_run
    from llmctl.runs.store_reader import StoreReader
    from llmctl.store.export import is_of_no_run
    from llmctl.store.views import known_view

    session: Session = ctx.obj
    if all_runs and run is not None:
        raise UsageError("Give a run, or --all.")
    if output is None:
        raise UsageError("Say where to: -o FILE or -o DIR.", hint="For example: llmctl export @last -o results.parquet")
    views = [known_view(name) for name in dict.fromkeys(what or ["results"])]
    reader = StoreReader(session.config.store)
    whole = all_runs or (run is None and all(map(is_of_no_run, views)))
    run_id = None if whole else find_run(reader.rows, run or "@last")
    places = _places(session.directory / output, views, kind)
    files = [_write(reader, view, run_id, path) for view, path in zip(views, places, strict=True)]
    if as_json:
        print_json(exported_json(run_id, files))
    else:
        render_exported(stdout(), files)


def _places(output: Path, views: Sequence[str], kind: Format | None) -> list[Path]:
    """A file for each view; a directory is made where it is missing."""
    from llmctl.report.data_files import ENDINGS, check_place

    if output.suffix.lower() in ENDINGS and not output.is_dir():
        if len(views) > 1:
            raise UsageError("One file holds one view.", hint="Name a directory: it gets a file for each.")
        if kind is not None and output.suffix.lower() != f".{kind}":
            raise UsageError(f"{output.name} and --format {kind} do not agree.")
        check_place(output)
        return [output]
    if output.suffix and not output.is_dir():
        raise UsageError(
            f'No data format has the ending of "{output.name}".',
            hint=f"A file ends with {', '.join(ENDINGS)}; a directory whose name has a dot must be there.",
        )
    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"The directory {output} cannot be made: {error.strerror}.") from None
    return [output / f"{view}.{kind or Format.PARQUET}" for view in views]


def _write(reader: StoreReader, view: str, run_id: str | None, path: Path) -> ExportedFile:
    from llmctl.report.atomic import atomic_path
    from llmctl.report.data_files import PARQUET, ending_of, write_text_file
    from llmctl.report.exported import ExportedFile
    from llmctl.store.export import view_rows

    ending = ending_of(path)

    def write(layout: Layout) -> int:
        if not layout.database.exists():
            raise UsageError("There is no run yet.", hint="Make one with `llmctl eval`.")
        with atomic_path(path) as temporary, view_rows(layout, view, run_id) as found:
            if ending == PARQUET:
                return found.write_parquet(temporary)
            return write_text_file(temporary, ending, found)

    rows = reader.look(write)
    return ExportedFile(view, path, rows, path.stat().st_size)
