"""`llmctl diff`: what a change did, case by case, with the evidence for it. Sends nothing."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.cli.options import BankOption, ModelOption, PromptOption, TagOption
from llmctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmctl.cli.session import Session
    from llmctl.compare.diff.compare import Comparison
    from llmctl.compare.sides.context import SideContext
    from llmctl.compare.sides.references import SideReference
    from llmctl.project.models import Config
    from llmctl.runs.forecast import Forecast
    from llmctl.runs.selection import Selection

__all__ = ["diff"]

_SIDE = "A run, a label, a prompt, or a git revision"


def diff(
    ctx: typer.Context,
    a: Annotated[str | None, typer.Argument(metavar="A", help=f"{_SIDE}; default: HEAD.")] = None,
    b: Annotated[str | None, typer.Argument(metavar="B", help=f"{_SIDE}; default: the files here.")] = None,
    banks: BankOption = None,
    prompts: PromptOption = None,
    models: ModelOption = None,
    tags: TagOption = None,
    pattern: Annotated[
        str | None, typer.Option("-k", metavar="PATTERN", help="Only case ids that contain this, or match it (* ?).")
    ] = None,
    repeat: Annotated[
        int | None,
        typer.Option("-r", "--repeat", min=1, metavar="N", help="Answers to each case, of sides that are files."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, metavar="N", help="List this many regressions, and as many fixes.")
    ] = 10,
    run_missing: Annotated[
        bool, typer.Option("--run-missing", help="Send the calls of files whose answers are missing, then compare.")
    ] = False,
    max_cost: Annotated[
        float | None,
        typer.Option(
            "--max-cost", min=0, metavar="USD", help="With --run-missing: stop before it costs more than this."
        ),
    ] = None,
    output: Annotated[
        list[Path] | None, typer.Option("-o", "--output", metavar="FILE", help="Write .json, .md, .html. Repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of the report.")] = False,
) -> None:
    """Compare two sides, case by case.

    A side is a run (its id, @last, a label), the prompts of the project at a git revision or as they lie here, or one
    prompt (triage, triage@main). `llmctl diff` shows what your edit does, `llmctl diff main` what your branch does.
    Nothing is sent: where answers are missing, it says so and ends with 4. Ends with 0 however the comparison turns
    out: `gate` judges.
    """
    from llmctl.compare.sides.context import SideContext
    from llmctl.compare.sides.references import resolve_pair
    from llmctl.runs.selection import PromptReference, Selection

    session: Session = ctx.obj
    outputs = tuple(output or ())
    for path in outputs:
        from llmctl.report.diff_files import check_diff_output

        check_diff_output(path)
    if max_cost is not None and not run_missing:
        raise UsageError("--max-cost bounds what --run-missing sends; without it nothing is sent.")
    config = session.config
    selection = Selection(
        banks=tuple(banks or ()),
        prompts=tuple(PromptReference.parse(text) for text in prompts or ()),
        models=tuple(models or ()),
        tags=tuple(tags or ()),
        pattern=pattern,
        repeat=repeat or config.eval.repeat,
    )
    command = session.redactor.exact(shlex.join(["llmctl", *sys.argv[1:]]))
    context = SideContext(config, session.environ, selection, command)
    references = resolve_pair(a, b, context)
    if run_missing:
        _run_missing(session, context, references, max_cost)
    _compare(session, context, references, limit, outputs, as_json=as_json)


def _run_missing(
    session: Session, context: SideContext, references: Sequence[SideReference], max_cost: float | None
) -> None:
    """Send what the sides lack; where that did not come to its end, the command ends as the run did."""
    from llmctl.cli.run_missing import ending_of, run_missing
    from llmctl.runs.head import RunOptions

    settings = session.config.eval
    options = RunOptions(
        context.command,
        settings.concurrency,
        settings.timeout_s,
        max_cost_usd=settings.max_cost if max_cost is None else max_cost,
    )
    ran = run_missing(session, context, references, options)
    code = ending_of(ran, session.config.gate.max_missing) if ran else None
    if code is not None:
        from llmctl.cli.screen import stderr

        stderr().print("Not all that was missing could be had: nothing is compared. What came is kept.", style="yellow")
        raise typer.Exit(code)


def _compare(
    session: Session,
    context: SideContext,
    references: Sequence[SideReference],
    limit: int,
    outputs: Sequence[Path],
    *,
    as_json: bool,
) -> None:
    from functools import partial

    from llmctl.cli.screen import stderr
    from llmctl.compare.diff.compare import comparing
    from llmctl.compare.diff.request import DiffRequest
    from llmctl.compare.margins import bank_margin
    from llmctl.compare.sides.opening import open_sides
    from llmctl.report.problems import render_problems

    with open_sides(context, *references) as sides:
        render_problems(stderr(), sides.warnings)
        side_a, side_b = sides
        forecast = sides.forecast() if sides.incomplete else None
        selection = _by_name(session.config, context.selection)
        margin = partial(bank_margin, session.config)
        request = DiffRequest(session.config, session.environ, selection, limit, margin)
        with comparing(side_a, side_b, request) as comparison:
            _write(comparison, outputs, forecast)
            _show(comparison, forecast, as_json=as_json)
    if forecast is not None:
        raise typer.Exit(ExitCode.UNFINISHED)


def _by_name(config: Config, selection: Selection) -> Selection:
    """With the names of banks and prompts that were given as paths."""
    from dataclasses import replace

    from llmctl.project import loader

    def is_path(text: str) -> bool:
        return text.endswith((".yaml", ".yml"))

    banks = (loader.resolve_bank_name(config, text) if is_path(text) else text for text in selection.banks)
    prompts = (
        replace(one, name=loader.resolve_prompt_name(config, one.name)) if is_path(one.name) else one
        for one in selection.prompts
    )
    return replace(selection, banks=tuple(banks), prompts=tuple(prompts))


def _write(comparison: Comparison, outputs: Sequence[Path], forecast: Forecast | None) -> None:
    for path in outputs:
        from llmctl.report.diff_files import write_diff

        write_diff(path, comparison.report, comparison.cases(), forecast)


def _show(comparison: Comparison, forecast: Forecast | None, *, as_json: bool) -> None:
    from llmctl.cli.screen import print_json, stdout

    report = comparison.report
    if as_json:
        from llmctl.report.diff_document import diff_json

        print_json(diff_json(report, forecast))
        return
    from llmctl.report.diff_missing import render_missing
    from llmctl.report.diff_terminal import render_diff

    render_diff(stdout(), report)
    if forecast is not None:
        render_missing(stdout(), report, forecast)
