"""`llmctl power`: how many cases a comparison needs, and the smallest change that a bank can show. Sends nothing."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.cli.options import BankOption, ModelOption, PromptOption
from llmctl.errors import UsageError

if TYPE_CHECKING:
    from llmctl.cli.session import Session

__all__ = ["power"]

_SIDE = "A run, a label, a prompt, or a git revision"


def power(
    ctx: typer.Context,
    a: Annotated[str | None, typer.Argument(metavar="A", help=f"{_SIDE}; default: the files here.")] = None,
    b: Annotated[str | None, typer.Argument(metavar="B", help="A second side, whose answers differ from A's.")] = None,
    banks: BankOption = None,
    prompts: PromptOption = None,
    models: ModelOption = None,
    margins: Annotated[
        list[float] | None,
        typer.Option("--margin", metavar="SHARE", help="0.05 is 5 points; default: the bank's own. Repeatable."),
    ] = None,
    power: Annotated[
        float, typer.Option("--power", metavar="SHARE", help="How often the answer is to be found.")
    ] = 0.8,
    alpha: Annotated[
        float | None, typer.Option("--alpha", metavar="SHARE", help="How often it may be wrong; default: the gate's.")
    ] = None,
    discordance: Annotated[
        float | None,
        typer.Option("--discordance", metavar="SHARE", help="Share of pairs that differ, instead of measuring it."),
    ] = None,
    icc: Annotated[
        float | None, typer.Option("--icc", metavar="SHARE", help="How alike the cases of a group are: 0 to 1.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say how many cases a comparison needs, and the smallest drop that this bank can show.

    How much answers differ is measured: between two sides; else between distinct answers to equal calls (repeats,
    --no-cache). Two results that share a call are one answer. Nothing is sent.
    """
    from llmctl.cli.screen import print_json, stderr, stdout
    from llmctl.compare.diff.request import DiffRequest
    from llmctl.compare.margins import bank_margin
    from llmctl.compare.power.measure import PowerRequest, measure_power
    from llmctl.compare.power.sizes import Question
    from llmctl.compare.sides.context import SideContext
    from llmctl.compare.sides.opening import open_sides
    from llmctl.compare.sides.references import resolve
    from llmctl.report.power import power_json, render_power
    from llmctl.report.problems import render_problems
    from llmctl.runs.selection import PromptReference, Selection

    session: Session = ctx.obj
    config = session.config
    question = Question(config.gate.alpha if alpha is None else alpha, power)
    _check(question.alpha, question.power, margins or (), discordance, icc)
    chosen = tuple(PromptReference.parse(text) for text in prompts or ())
    selection = Selection(tuple(banks or ()), chosen, tuple(models or ()), repeat=config.eval.repeat)
    command = session.redactor.exact(shlex.join(["llmctl", *sys.argv[1:]]))
    context = SideContext(config, session.environ, selection, command)
    references = [resolve(text, context) for text in (a, b)[: 1 if b is None else 2]]
    with open_sides(context, *references) as sides:
        render_problems(stderr(), sides.warnings)
        compared = DiffRequest(config, session.environ, selection, gate_margin=partial(bank_margin, config))
        request = PowerRequest(compared, question, tuple(margins or ()), discordance, icc)
        report = measure_power(sides.sides[0], sides.sides[1] if b is not None else None, request)
    if as_json:
        print_json(power_json(report))
    else:
        render_power(stdout(), report)


def _check(
    alpha: float, power: float, margins: list[float] | tuple[float, ...], discordance: float | None, icc: float | None
) -> None:
    """Say which number is no share."""
    named = [("--alpha", alpha), ("--power", power), *(("--margin", margin) for margin in margins)]
    for name, value in named:
        if not 0 < value < 1:
            raise UsageError(f"{name} lies between 0 and 1, not {value:g}.", hint="5 % or 5 points are written 0.05.")
    for name, share in (("--discordance", discordance), ("--icc", icc)):
        if share is not None and not 0 <= share <= 1:
            raise UsageError(f"{name} lies between 0 and 1, not {share:g}.", hint="5 % are written 0.05.")
