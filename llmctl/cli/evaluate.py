"""`llmctl eval`: runs cases and scores them."""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.errors import ExitCode, MissingWeightsError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmctl.cli.session import Session
    from llmctl.report.model import RunReport
    from llmctl.report.tally import Tally
    from llmctl.runs.plan import Plan
    from llmctl.runs.records import ResultEvent
    from llmctl.runs.reuse import KnownAnswer
    from llmctl.runs.run import Run, RunOutcome
    from llmctl.runs.selection import Selection

__all__ = ["evaluate"]

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
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Send also the calls whose answer is stored.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Send nothing to another machine.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 if a case failed.")] = False,
    label: Annotated[str | None, typer.Option("--label", metavar="NAME", help="Name the run.")] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write .json, .jsonl, .csv, .md, .junit.xml. Repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of the report.")] = False,
) -> None:
    """Run cases and score them.

    Without arguments: every bank, with the prompts and models that it names. Ends 0 also when cases fail: `eval`
    measures, `gate` judges. Ends 4 when more results than `max_missing` have no evidence.
    """
    from llmctl.cli.screen import stderr
    from llmctl.report.files import check_output
    from llmctl.report.problems import render_problems
    from llmctl.runs.head import RunOptions
    from llmctl.runs.run import Run
    from llmctl.runs.selection import PromptReference, Selection

    session: Session = ctx.obj
    settings = session.config.eval
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
    options = RunOptions(
        command=shlex.join(["llmctl", *sys.argv[1:]]),
        concurrency=concurrency or settings.concurrency,
        timeout_s=settings.timeout_s,
        label=label,
        offline=offline,
        cache=not no_cache,
    )
    for path in output or []:
        check_output(path)
    plan = _plan(session, selection)
    render_problems(stderr(), plan.warnings)
    run = Run(plan, options, session.environ, _known(session, plan) if options.cache else {})
    tally = _tally(plan)
    outcome = _execute(run, tally)
    report = _show(run, tally, outcome, output or [], as_json=as_json)
    if outcome.warning:
        stderr().print(outcome.warning, style="yellow", soft_wrap=True)
    _import(session)
    raise typer.Exit(_exit_code(report, outcome, session.config.gate.max_missing, strict=strict))


def _known(session: Session, plan: Plan) -> Mapping[str, KnownAnswer]:
    """The stored answers to the plan's calls."""
    from llmctl.runs.history import History
    from llmctl.runs.reuse import known_answers

    history = History(session.config.store)
    try:
        return known_answers(history, plan.units, max_age=session.config.eval.cache_max_age, now=time.time())
    except StoreError as error:
        # Sending everything again unasked could cost more than waiting.
        hint = f"{error.hint or ''} With --no-cache every call is sent, and nothing is looked up.".strip()
        raise StoreError(error.message, hint=hint) from error


def _tally(plan: Plan) -> Tally:
    from llmctl.report.model import TargetKey, case_facts
    from llmctl.report.tally import Tally
    from llmctl.runs.head import case_event

    return Tally(
        case_facts(map(case_event, plan.cases)),
        planned_by_target=Counter(
            TargetKey(unit.planned.case.bank, unit.target.prompt.label, unit.target.model.name) for unit in plan.units
        ),
        planned_by_tag=Counter(tag for unit in plan.units for tag in unit.planned.case.tags),
    )


def _execute(run: Run, tally: Tally) -> RunOutcome:
    """Run the plan under the live progress."""
    from llmctl.cli.screen import stderr
    from llmctl.report.progress import Progress

    with Progress(stderr(), len(run.plan.units)) as progress:

        def on_result(result: ResultEvent) -> None:
            tally.add(result)
            progress.update(result)

        if run.starts_local_model:
            progress.phase("starting the local model")
        return run.execute(on_result)


def _import(session: Session) -> None:
    """Take the journal into the store, after the report is shown: it comes from the journal, and is kept anyway."""
    from llmctl.cli.screen import stderr
    from llmctl.runs.importer import import_journals

    said = import_journals(session.config.store)
    if said.later:
        stderr().print(said.later, style="yellow", soft_wrap=True)
    if said.rebuilt:
        stderr().print(f"The store was damaged and is built anew; the old one is {said.rebuilt}.", soft_wrap=True)


def _plan(session: Session, selection: Selection) -> Plan:
    """The plan; on a terminal, missing weights of the local model are offered for download."""
    from llmctl.runs.plan import make_plan

    try:
        return make_plan(session.config, selection, session.environ)
    except MissingWeightsError as error:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        _offer_weights(error)
        return make_plan(session.config, selection, session.environ)


def _offer_weights(error: MissingWeightsError) -> None:
    from llmctl.cli.models import pull

    typer.echo(error.message, err=True)
    if not typer.confirm("Download it now (93 MB)?", default=True, err=True):
        raise error
    pull(error.model)


def _show(run: Run, tally: Tally, outcome: RunOutcome, outputs: Sequence[Path], *, as_json: bool) -> RunReport:
    """The report: on stdout as tables or as one document, and in every file asked for."""
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.documents import report_json
    from llmctl.report.files import write_report
    from llmctl.report.model import RunHead
    from llmctl.report.terminal import render_report

    report = tally.report(RunHead.of(run.head, outcome.end))
    for path in outputs:
        write_report(path, report, run.results())
    if as_json:
        print_json(report_json(report, run.results()))
    else:
        render_report(stdout(), report)
    return report


def _exit_code(report: RunReport, outcome: RunOutcome, max_missing: float, *, strict: bool) -> ExitCode:
    if outcome.signal is not None:
        return outcome.signal
    coverage = report.total.coverage
    if coverage is None or coverage < 1 - max_missing:
        return ExitCode.UNFINISHED
    return ExitCode.FAILED if strict and (report.total.failed or report.total.errors) else ExitCode.DONE
