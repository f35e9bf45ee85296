"""`llmctl feedback`: what users say of answers, and what they make of them."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.cli.traffic import AsJson, Since, check_encoding
from llmctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from llmctl.cli.session import Session
    from llmctl.traffic.feedback.importing import FeedbackImport
    from llmctl.traffic.feedback.store import FeedbackFilter
    from llmctl.traffic.readers.base import Reader

__all__ = ["app"]

app = typer.Typer(name="feedback", help="What users say of answers: add, import, list.", no_args_is_help=True)

Encoding = Annotated[
    str | None, typer.Option("--encoding", metavar="NAME", help="Of text that is not UTF-8: latin-1, cp1252 ...")
]
Redact = Annotated[bool, typer.Option("--redact", help="Replace emails, phones, cards, IBANs and IPs by <EMAIL_1> ...")]
_STDIN = "-"
_LARGEST_CORRECTION_BYTES = 10 * 2**20
_KINDS = ("rating", "score", "label", "correction", "comment", "edit")


@app.command("add", short_help="Say something of one call.")
def add(
    ctx: typer.Context,
    call: Annotated[
        str, typer.Argument(metavar="CALL", help="Its id, the log's own id, a trace of one call, or RUN.12.")
    ],
    up: Annotated[bool, typer.Option("--up", help="The answer was good.")] = False,
    down: Annotated[bool, typer.Option("--down", help="The answer was bad.")] = False,
    score: Annotated[float | None, typer.Option("--score", metavar="X", help="A number on a scale of yours.")] = None,
    label: Annotated[str | None, typer.Option("--label", metavar="L", help="A word, as billing.")] = None,
    correction: Annotated[
        str | None, typer.Option("--correction", metavar="FILE", help="What should have come; - is standard input.")
    ] = None,
    comment: Annotated[str | None, typer.Option("--comment", metavar="TEXT", help="In your words.")] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="N", help="What was judged: helpfulness ...")] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who says it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say something of one call: thumbs, a score, a label, the right answer, a comment; several at once."""
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.feedback import given_json, render_given
    from llmctl.traffic.feedback.giving import Opinion, give

    session: Session = ctx.obj
    if up and down:
        raise UsageError("Give --up or --down, not both.")
    thumb = True if up else False if down else None
    corrected = None if correction is None else _text_of(session.directory, correction)
    opinion = Opinion(thumb, score, label, corrected, comment, name, by)
    call_id, events = give(session.config.store, call, opinion, session.redactor, now=time.time())
    if as_json:
        print_json(given_json(call_id, events))
    else:
        render_given(stdout(), call_id, events)


def _text_of(directory: Path, name: str) -> str:
    """A file's text without the newline at its end."""
    try:
        if name == _STDIN:
            data = sys.stdin.buffer.read(_LARGEST_CORRECTION_BYTES + 1)
        else:
            with (directory / name).open("rb") as file:
                data = file.read(_LARGEST_CORRECTION_BYTES + 1)
    except OSError as error:
        raise UsageError(f"The correction {name} cannot be read: {error.strerror}.") from None
    if len(data) > _LARGEST_CORRECTION_BYTES:
        raise UsageError(f"The correction {name} is larger than 10 MB.", hint="Is it the right file?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"The correction {name} is not UTF-8 text.") from None
    return text.replace("\r\n", "\n").removesuffix("\n")


@app.command("import", short_help="Import what another tool kept.")
def import_(
    ctx: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files, patterns, folders; - is standard input.")],
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=PATH",
            help="In a table of your own: id, rating, score, label, correction, comment, name, source, at.",
        ),
    ] = None,
    encoding: Encoding = None,
    redact: Redact = False,
    as_json: AsJson = False,
) -> None:
    """Import feedback: Langfuse scores, LangSmith feedback, Vellum actuals, or any CSV, JSONL or Parquet by --map.

    Importing again adds nothing. What is of a call that is not known here is kept, and counts when the call is.
    """
    from llmctl.traffic.feedback.importing import import_feedback
    from llmctl.traffic.importing import Importing
    from llmctl.traffic.sources import sources_of

    session: Session = ctx.obj
    check_encoding(encoding)
    options = Importing(_reader(maps), encoding, redact)
    sources = sources_of(files, directory=session.directory)
    _told(import_feedback(session.config.store, sources, options, session.redactor), as_json=as_json)


def _reader(maps: list[str] | None) -> Reader | None:
    if not maps:
        return None
    from llmctl.traffic.feedback.mapped import mapped_feedback

    return mapped_feedback(maps)


def _told(done: FeedbackImport, *, as_json: bool) -> None:
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.feedback import feedback_import_json, render_feedback_import

    if as_json:
        print_json(feedback_import_json(done))
    else:
        render_feedback_import(stdout(), done)
    if done.unreadable:
        raise typer.Exit(ExitCode.UNFINISHED)


@app.command("implicit", short_help="Compare drafts with what was sent.")
def implicit(
    ctx: typer.Context,
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE", help="Rows with the final text; - is standard input.")
    ] = None,
    drafts: Annotated[
        list[str] | None, typer.Option("--drafts", metavar="FILE", help="Drafts in a file apart (repeatable).")
    ] = None,
    finals: Annotated[
        list[str] | None, typer.Option("--finals", metavar="FILE", help="The same as FILE (repeatable).")
    ] = None,
    id_column: Annotated[str, typer.Option("--id", metavar="COL", help="Where the call's id stands.")] = "id",
    final: Annotated[
        str, typer.Option("--final", metavar="COL", help="Where the text stands that was sent.")
    ] = "final",
    draft: Annotated[
        str | None,
        typer.Option("--draft", metavar="COL", help="Where the draft stands. Default: the logged answer is the draft."),
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="COL", help="Where the time of its use stands.")] = None,
    encoding: Encoding = None,
    redact: Redact = False,
    as_json: AsJson = False,
) -> None:
    """Read off how far people edited the answers: accepted unedited, edited (how far), or abandoned (no final text).

    The id is that of a logged call: its id here, the log's own id, or that of a trace of one call. With --drafts,
    drafts and finals lie in two files with the same ids; a draft without a final was abandoned.
    """
    from llmctl.traffic.feedback.implicit import Columns, import_edits
    from llmctl.traffic.importing import Importing
    from llmctl.traffic.sources import sources_of

    session: Session = ctx.obj
    check_encoding(encoding)
    named = [*(files or ()), *(finals or ())]
    if not named:
        raise UsageError("Nothing is given to compare.", hint="Give FILE, or --drafts A --finals B.")
    directory = session.directory
    done = import_edits(
        session.config.store,
        sources_of(named, directory=directory),
        Columns(id_column, final, draft, at),
        session.redactor,
        options=Importing(encoding=encoding, redact=redact),
        drafts=sources_of(drafts or (), directory=directory),
    )
    _told(done, as_json=as_json)


@app.command("list", short_help="List feedback.")
def list_(
    ctx: typer.Context,
    call: Annotated[str | None, typer.Argument(metavar="CALL", help="Only of this call.")] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", metavar="KIND", help=f"{', '.join(_KINDS)} (repeatable).")
    ] = None,
    explicit: Annotated[bool, typer.Option("--explicit", help="Only what somebody said.")] = False,
    only_implicit: Annotated[bool, typer.Option("--implicit", help="Only what was read off edits.")] = False,
    unknown: Annotated[bool, typer.Option("--unknown", help="Only what is of no call that is known here.")] = False,
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="How many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List feedback, newest first."""
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.feedback import feedback_json, render_feedback
    from llmctl.traffic.feedback.store import FeedbackFilter, FeedbackStore
    from llmctl.traffic.times import point_in_time

    session: Session = ctx.obj
    store = FeedbackStore(session.config.store)
    chosen = FeedbackFilter(
        call_id=None if call is None else store.call_named(call),
        kinds=_kinds(kinds or []),
        since=None if since is None else point_in_time("--since", since, time.time()),
        unknown=unknown,
    )
    chosen = _given(chosen, explicit=explicit, implicit=only_implicit)
    listed = store.latest(chosen, limit)
    total = store.count(chosen) if len(listed) >= limit else len(listed)
    if as_json:
        print_json(feedback_json(listed, total=total))
    else:
        render_feedback(stdout(), listed, total=total)


def _kinds(kinds: list[str]) -> tuple[str, ...]:
    for kind in kinds:
        if kind not in _KINDS:
            raise UsageError(f'There is no feedback of the kind "{kind}".', hint=f"Give one of {', '.join(_KINDS)}.")
    return tuple(kinds)


def _given(chosen: FeedbackFilter, *, explicit: bool, implicit: bool) -> FeedbackFilter:
    from dataclasses import replace

    from llmctl.traffic.feedback.events import Given

    if explicit and implicit:
        raise UsageError("Give --explicit or --implicit, not both.")
    return replace(chosen, given=Given.EXPLICIT if explicit else Given.IMPLICIT if implicit else None)
