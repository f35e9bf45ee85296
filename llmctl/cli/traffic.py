"""`llmctl traffic`: logged calls, imported, listed, shown and counted."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmctl.cli.session import Session
    from llmctl.traffic.filters import TrafficFilter
    from llmctl.traffic.importing import TrafficImport
    from llmctl.traffic.readers.base import Reader
    from llmctl.traffic.statistics import Every, GroupBy

__all__ = ["app", "traffic_filter"]

app = typer.Typer(name="traffic", help="Logged calls: import, list, show, count.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="From then on: 2026-11-01, 2026-11-01T12:00 (UTC), or 7d.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before then.")]
Models = Annotated[
    list[str] | None, typer.Option("--model", "-m", metavar="M", help="As asked for or as served (repeatable).")
]
Prompts = Annotated[list[str] | None, typer.Option("--prompt", "-p", metavar="P", help="As logged (repeatable).")]
Statuses = Annotated[
    list[str] | None,
    typer.Option("--status", metavar="S", help="ok, error, an outcome (refused) or HTTP status (429). Repeatable."),
]
Tags = Annotated[list[str] | None, typer.Option("--tag", "-t", metavar="T", help="One of these tags (repeatable).")]
Imports = Annotated[
    list[str] | None, typer.Option("--import", metavar="ID", help="Of this import or recording (repeatable).")
]
Where = Annotated[
    str | None,
    typer.Option("--where", metavar="SQL", help="A condition on the columns of `sql --tables traffic`."),
]


@app.command("import", short_help="Import logged calls.")
def import_(
    ctx: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files, patterns, folders; - is standard input.")],
    log_format: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="Of all files. Default: what each document says.")
    ] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=PATH", help="Where a field stands in a log of your own (repeatable)."),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option("--encoding", metavar="NAME", help="Of text that is not UTF-8: latin-1, cp1252 ...")
    ] = None,
    redact: Annotated[
        bool, typer.Option("--redact", help="Replace emails, phones, cards, IBANs and IPs by <EMAIL_1> ...")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import logged calls from any tool's log: JSON, JSONL, CSV, Parquet, SQLite; also .gz and .zst.

    What a document is, its content says. Importing again adds nothing. Keys never reach the store. What cannot be read
    is set aside with its line and reason, and the last line says how many: then the command ends 4, else 0.
    """
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.traffic import import_json, render_import
    from llmctl.traffic.importing import Importing, import_traffic
    from llmctl.traffic.sources import sources_of

    session: Session = ctx.obj
    check_encoding(encoding)
    reader = _reader(log_format, maps or ())
    sources = sources_of(files, directory=session.directory)
    store = session.config.store
    done = import_traffic(
        store, sources, Importing(reader, encoding, redact), session.redactor, progress=_progress(as_json=as_json)
    )
    if as_json:
        print_json(import_json(done))
    else:
        render_import(stdout(), done)
    _end(done)


def _end(done: TrafficImport) -> None:
    if done.unreadable:
        raise typer.Exit(ExitCode.UNFINISHED)


def check_encoding(name: str | None) -> None:
    """Say at once that there is no such encoding. Raises UsageError."""
    import codecs

    if name is None:
        return
    try:
        codecs.getincrementaldecoder(name)("replace").decode(b"a")
    except (LookupError, TypeError, ValueError, AssertionError):
        raise UsageError(
            f'There is no text encoding "{name}".', hint="For example latin-1, cp1252 or utf-16."
        ) from None


def _reader(log_format: str | None, maps: Sequence[str]) -> Reader | None:
    if maps:
        if log_format is not None:
            raise UsageError("Give --format or --map, not both.")
        from llmctl.traffic.readers.mapped import mapped_reader

        return mapped_reader(maps)
    if log_format is None:
        return None
    from llmctl.traffic.readers.registry import reader_named

    return reader_named(log_format)


def _progress(*, as_json: bool) -> Callable[[int], None] | None:
    """Tells on a terminal how far an import is."""
    if as_json or not sys.stderr.isatty():
        return None
    began = time.monotonic()

    def told(number: int) -> None:
        rate = number / max(time.monotonic() - began, 0.001)
        sys.stderr.write(f"\r{number:,} read, {rate:,.0f}/s ")
        sys.stderr.flush()

    return told


@app.command("formats", short_help="List the log formats that are known.")
def formats(as_json: AsJson = False) -> None:
    """List the log formats that `traffic import` knows."""
    from llmctl.cli.screen import print_json
    from llmctl.traffic.readers.registry import readers

    if as_json:
        listed = [{"name": reader.name, "title": reader.title} for reader in readers()]
        print_json({"schema": "llmctl/traffic-formats/1", "formats": listed})
        return
    for reader in readers():
        typer.echo(f"{reader.name.ljust(24)}{reader.title}")


@app.command("list", short_help="List logged calls.")
def list_(
    ctx: typer.Context,
    since: Since = None,
    until: Until = None,
    models: Models = None,
    prompts: Prompts = None,
    statuses: Statuses = None,
    tags: Tags = None,
    imports: Imports = None,
    where: Where = None,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="How many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List logged calls, newest first."""
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.traffic import calls_json, render_calls
    from llmctl.traffic.store import TrafficStore

    session: Session = ctx.obj
    chosen = traffic_filter(since, until, models, prompts, statuses, tags, imports, where)
    store = TrafficStore(session.config.store)
    calls = store.latest(chosen, limit)
    total = store.count(chosen) if len(calls) >= limit else len(calls)
    if as_json:
        print_json(calls_json(calls, total=total))
    else:
        render_calls(stdout(), calls, total=total)


def traffic_filter(
    since: str | None,
    until: str | None,
    models: list[str] | None,
    prompts: list[str] | None,
    statuses: list[str] | None,
    tags: list[str] | None,
    imports: list[str] | None,
    where: str | None,
) -> TrafficFilter:
    """What the options of this page say of logged calls."""
    from llmctl.traffic.filters import TrafficFilter
    from llmctl.traffic.times import point_in_time

    now = time.time()
    return TrafficFilter(
        since=None if since is None else point_in_time("--since", since, now),
        until=None if until is None else point_in_time("--until", until, now),
        models=tuple(models or ()),
        prompts=tuple(prompts or ()),
        statuses=tuple(statuses or ()),
        tags=tuple(tags or ()),
        imports=tuple(imports or ()),
        where=where,
    )


@app.command("show", short_help="Show one logged call.")
def show(
    ctx: typer.Context,
    call: Annotated[str, typer.Argument(metavar="ID", help="Id (6 characters or more), or the log's own id.")],
    payload: Annotated[bool, typer.Option("--payload", help="Also the line exactly as it was logged.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one logged call: messages, answer, figures, feedback, and the exact payload."""
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.traffic import call_json, render_call
    from llmctl.traffic.feedback.store import FeedbackStore
    from llmctl.traffic.store import TrafficStore

    session: Session = ctx.obj
    store = TrafficStore(session.config.store)
    stored = store.find(call)
    said = FeedbackStore(session.config.store, store.reader).of_calls([stored.id])
    stored.call.feedback = tuple(said.get(stored.id, ()))
    if as_json:
        print_json(call_json(stored, store.raw(stored)))
    else:
        render_call(stdout(), stored, store.raw(stored) if payload else None)


@app.command("stats", short_help="Count logged calls.")
def stats(
    ctx: typer.Context,
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="model, prompt, status, provider or format.")
    ] = "model",
    every: Annotated[
        str | None, typer.Option("--every", metavar="STEP", help="minute, hour, day, week or month. Default: fitting.")
    ] = None,
    since: Since = None,
    until: Until = None,
    models: Models = None,
    prompts: Prompts = None,
    statuses: Statuses = None,
    tags: Tags = None,
    imports: Imports = None,
    where: Where = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page with charts.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tokens, latency, errors and cost of logged calls, by model and over time."""
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.traffic_stats import render_stats, stats_json, write_stats_html
    from llmctl.traffic.statistics import traffic_stats

    session: Session = ctx.obj
    chosen = traffic_filter(since, until, models, prompts, statuses, tags, imports, where)
    grouped, step = _grouping(by, every)
    found = traffic_stats(session.config.store, chosen, grouped, step)
    if html is not None:
        write_stats_html(session.directory / html, found)
    if as_json:
        print_json(stats_json(found))
    else:
        render_stats(stdout(), found)


def _grouping(by: str, every: str | None) -> tuple[GroupBy, Every | None]:
    from llmctl.traffic.statistics import Every, GroupBy

    if by not in set(GroupBy):
        raise UsageError(f'Calls cannot be put together by "{by}".', hint=f"Give one of {', '.join(GroupBy)}.")
    if every is not None and every not in set(Every):
        raise UsageError(f'There is no step "{every}".', hint=f"Give one of {', '.join(Every)}.")
    return GroupBy(by), Every(every) if every is not None else None
