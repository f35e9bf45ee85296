"""`llmctl compare`: all targets of a run side by side. Sends nothing."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.cli.options import BankOption, ModelOption, PromptOption, TagOption
from llmctl.errors import ExitCode

if TYPE_CHECKING:
    from llmctl.cli.session import Session

__all__ = ["compare"]


def compare(
    ctx: typer.Context,
    side: Annotated[
        str, typer.Argument(metavar="RUN|SIDE", help="A run, a label, a prompt, or a git revision; default: @last.")
    ] = "@last",
    banks: BankOption = None,
    prompts: PromptOption = None,
    models: ModelOption = None,
    tags: TagOption = None,
    output: Annotated[
        list[Path] | None, typer.Option("-o", "--output", metavar="FILE", help="Write .md, .json, .svg. Repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of the report.")] = False,
) -> None:
    """Compare all targets of a run (prompts x models) on quality, cost and latency.

    On the cases that every target has evidence on. Says which target is best, and against which of the others that
    could be chance, corrected for the number of targets. Nothing is sent.
    """
    from llmctl.cli.screen import print_json, stderr, stdout
    from llmctl.compare.sides.context import SideContext
    from llmctl.compare.sides.opening import open_sides
    from llmctl.compare.sides.references import resolve
    from llmctl.compare.targets.measure import compare_targets
    from llmctl.report.compare import comparison_json, render_comparison
    from llmctl.report.compare_files import check_compare_output, write_comparison
    from llmctl.report.problems import render_problems
    from llmctl.runs.selection import PromptReference, Selection

    session: Session = ctx.obj
    for path in output or ():
        check_compare_output(path)
    chosen = tuple(PromptReference.parse(text) for text in prompts or ())
    repeat = session.config.eval.repeat
    selection = Selection(tuple(banks or ()), chosen, tuple(models or ()), tuple(tags or ()), repeat=repeat)
    command = session.redactor.exact(shlex.join(["llmctl", *sys.argv[1:]]))
    context = SideContext(session.config, session.environ, selection, command)
    with open_sides(context, resolve(side, context)) as sides:
        render_problems(stderr(), sides.warnings)
        report = compare_targets(sides.sides[0], session.config.store, selection, session.config.gate.alpha)
        incomplete = sides.incomplete
    for path in output or ():
        write_comparison(path, report)
    if as_json:
        print_json(comparison_json(report))
    else:
        render_comparison(stdout(), report)
    if incomplete:
        stderr().print("Answers are missing: `llmctl eval` sends them.", style="yellow", soft_wrap=True)
        raise typer.Exit(ExitCode.UNFINISHED)
