"""`llmctl eval`: runs cases and scores them."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.errors import MissingWeightsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmctl.cli.session import Session
    from llmctl.runs.head import RunOptions
    from llmctl.runs.plan import Plan
    from llmctl.runs.selection import Selection

__all__ = ["evaluate", "resumed"]

_SELECTION = "What is run"
_SENDING = "How it is sent"
_AGAIN = "Runs that were made before"

Banks = Annotated[list[str] | None, typer.Argument(metavar="BANK", help="Names or paths; default: all banks.")]
Prompts = Annotated[
    list[str] | None,
    typer.Option("-p", "--prompt", metavar="P[@REV]", help="Run this prompt, at a git revision if given. Repeatable."),
]
Models = Annotated[
    list[str] | None,
    typer.Option("-m", "--model", metavar="M", help="Run on this model instead of the prompts' own. Repeatable."),
]
Tags = Annotated[
    list[str] | None, typer.Option("-t", "--tag", metavar="TAG", help="Only cases with this tag. Repeatable: any of.")
]


def evaluate(
    ctx: typer.Context,
    banks: Banks = None,
    prompts: Prompts = None,
    models: Models = None,
    tags: Tags = None,
    pattern: Annotated[
        str | None, typer.Option("-k", metavar="PATTERN", help="Only case ids that contain this, or match it (* ?).")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="At most this many cases of each bank.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, metavar="N", help="This many cases of each bank, drawn at random.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Draws the same sample again.")] = 0,
    repeat: Annotated[
        int | None, typer.Option("-r", "--repeat", min=1, metavar="N", help="Independent answers to each case.")
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option("-j", "--concurrency", min=1, max=1024, metavar="N", help="Calls in flight for each model."),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option("--max-cost", min=0, metavar="USD", help="Stop before the calls cost more than this."),
    ] = None,
    max_failures: Annotated[
        int | None,
        typer.Option("-x", "--max-failures", min=1, metavar="N", help="Stop when this many results are no pass."),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Send also the calls whose answer is stored.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Send nothing to another machine.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing: say what would be sent, and about what it costs.")
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="[RUN]", help="Run what is missing of a run; default: the last one."),
    ] = None,
    failed: Annotated[
        str | None,
        typer.Option("--failed", metavar="[RUN]", help="Ask again what failed or gave no evidence in a run."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 if a case failed.")] = False,
    label: Annotated[str | None, typer.Option("--label", metavar="NAME", help="Name the run.")] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write .json, .jsonl, .csv, .md, .html, .junit.xml. Repeatable."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of the report.")] = False,
) -> None:
    """Run cases and score them.

    Without arguments: every bank, with the prompts and models that it names. Ends 0 also when cases fail: `eval`
    measures, `gate` judges. Ends 4 when more results than `max_missing` have no evidence, 5 when a budget or -x
    stopped it.
    """
    from llmctl.cli.launch import Ending, launch
    from llmctl.runs.head import RunOptions
    from llmctl.runs.selection import PromptReference, Selection

    session: Session = ctx.obj
    settings = session.config.eval
    ending = Ending(tuple(output or ()), as_json=as_json, strict=strict, dry_run=dry_run)
    ending.check()
    options = RunOptions(
        command=session.redactor.exact(shlex.join(["llmctl", *sys.argv[1:]])),
        concurrency=concurrency or settings.concurrency,
        timeout_s=settings.timeout_s,
        label=session.redactor.exact(label) if label else None,
        offline=offline,
        cache=not no_cache,
        cache_max_age=settings.cache_max_age,
        max_cost_usd=settings.max_cost if max_cost is None else max_cost,
        max_failures=max_failures,
    )
    if resume is not None:
        chosen = (banks, prompts, models, tags, pattern, limit, sample, repeat, failed, label, no_cache or None)
        _refuse_selection(chosen)
        given = {"concurrency": concurrency, "max_cost_usd": max_cost, "max_failures": max_failures}
        launch(session, *resumed(session, resume, options, given), ending)
        return
    selection = Selection(
        banks=tuple(banks or ()),
        prompts=tuple(PromptReference.parse(text) for text in prompts or ()),
        models=tuple(models or ()),
        tags=tuple(tags or ()),
        pattern=pattern,
        limit=limit,
        sample=sample,
        seed=seed,
        repeat=repeat or settings.repeat,
    )
    if failed is not None:
        selection, options = _failed(session, failed, selection, options)
    launch(session, _plan(session, selection, options), options, ending)


def _refuse_selection(given: Iterable[object]) -> None:
    """A run is resumed as it was planned."""
    if any(value is not None for value in given):
        raise UsageError(
            "--resume takes the plan of a run as it is: nothing can be selected, named or left out beside it.",
            hint="To choose again, start a new run: what is stored is not sent again.",
        )


def resumed(session: Session, run: str, options: RunOptions, given: Mapping[str, object]) -> tuple[Plan, RunOptions]:
    """What is missing of a run, and its own options but for those given now; ends the command if nothing is."""
    from llmctl.runs.head import RunOptions
    from llmctl.runs.history import History
    from llmctl.runs.resume import resume_plan

    run_id = History(session.config.store).find(run)
    plan = resume_plan(session.config, session.environ, run_id, options.command)
    if len(plan.units) == 0:
        plan.close()
        typer.echo(f"Nothing is missing of the run {run_id}: its report is at `llmctl show {run_id}`.", err=True)
        raise typer.Exit
    wanted = {name: value for name, value in given.items() if value is not None}
    was = RunOptions.from_data(options.command, plan.head.label, plan.head.options)
    return plan, replace(was, offline=options.offline, **wanted)  # type: ignore[arg-type]


def _failed(session: Session, run: str, selection: Selection, options: RunOptions) -> tuple[Selection, RunOptions]:
    """What failed in a run, of what is selected; its calls are sent again, as asked for."""
    from llmctl.project import loader
    from llmctl.project.sources import WorkingTree
    from llmctl.runs.history import History
    from llmctl.runs.selection import failed_selection

    history = History(session.config.store)
    try:
        run_id = history.find(run)
    except UsageError:
        # `--failed triage`: the word behind it is a bank, and the run is the last one.
        if run not in loader.bank_names(session.config, WorkingTree(session.config.root)):
            raise
        run_id = history.find("@last")
        selection = replace(selection, banks=(run, *selection.banks))
    units = history.failed(run_id)
    if not units:
        typer.echo(f"Nothing failed in the run {run_id}.", err=True)
        raise typer.Exit
    return failed_selection(selection, units), replace(options, cache=False)


def _plan(session: Session, selection: Selection, options: RunOptions) -> Plan:
    """The plan; on a terminal, missing weights of the local model are offered for download."""
    from llmctl.runs.plan import make_plan

    try:
        return make_plan(session.config, selection, session.environ, options)
    except MissingWeightsError as error:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        _offer_weights(error)
        return make_plan(session.config, selection, session.environ, options)


def _offer_weights(error: MissingWeightsError) -> None:
    from llmctl.cli.models import pull

    typer.echo(error.message, err=True)
    if not typer.confirm("Download it now (93 MB)?", default=True, err=True):
        raise error
    pull(error.model)
