"""`llmctl quality`: how good users find the answers, by prompt version and over time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.cli.traffic import AsJson, Models, Prompts, Since, Until
from llmctl.errors import UsageError

if TYPE_CHECKING:
    from llmctl.cli.session import Session
    from llmctl.traffic.feedback.quality import By, Period

__all__ = ["quality"]


def quality(
    ctx: typer.Context,
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="prompt-version, prompt or model.")
    ] = "prompt-version",
    every: Annotated[
        str | None, typer.Option("--every", metavar="STEP", help="Also over time: day, week or month.")
    ] = None,
    since: Since = None,
    until: Until = None,
    prompts: Prompts = None,
    models: Models = None,
    names: Annotated[
        list[str] | None, typer.Option("--name", metavar="N", help="Only what was said under this name (repeatable).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how good users find the answers: what they say and what they do, with intervals, by prompt version.

    A call counts once, with the last that was said of it. Below ten calls nothing is concluded.
    """
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.quality import quality_json, render_quality
    from llmctl.traffic.feedback.quality import QualityFilter
    from llmctl.traffic.feedback.quality import quality as counted
    from llmctl.traffic.times import point_in_time

    session: Session = ctx.obj
    now = time.time()
    chosen = QualityFilter(
        None if since is None else point_in_time("--since", since, now),
        None if until is None else point_in_time("--until", until, now),
        tuple(prompts or ()),
        tuple(models or ()),
        tuple(names or ()),
    )
    found = counted(session.config.store, *_grouping(by, every), chosen)
    if as_json:
        print_json(quality_json(found))
    else:
        render_quality(stdout(), found)


def _grouping(by: str, every: str | None) -> tuple[By, Period | None]:
    from llmctl.traffic.feedback.quality import By, Period

    if by not in set(By):
        raise UsageError(f'Calls cannot be put together by "{by}".', hint=f"Give one of {', '.join(By)}.")
    if every is not None and every not in set(Period):
        raise UsageError(f'There is no step "{every}".', hint=f"Give one of {', '.join(Period)}.")
    return By(by), Period(every) if every is not None else None
