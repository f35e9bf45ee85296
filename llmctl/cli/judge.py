"""`llmctl judge calibrate`: a judge against what people say of the same outputs."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.errors import ExitCode, UnfinishedError, UsageError

if TYPE_CHECKING:
    from llmctl.cli.session import Session
    from llmctl.report.calibration import CalibrationReport
    from llmctl.runs.calibrate import Calibrated
    from llmctl.runs.calibration_plan import CalibrationPlan
    from llmctl.runs.head import RunOptions

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Compare a judge with people.", rich_markup_mode=None)


@app.callback()
def judge() -> None:
    """Compare a judge with people."""


@app.command("calibrate", short_help="Compare a judge with human labels.")
def calibrate(
    ctx: typer.Context,
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="A table of outputs and what people say of them.")],
    bank: Annotated[str | None, typer.Option("--bank", metavar="BANK", help="The bank whose judge it is.")] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="The judge's metric, where a bank has several.")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("-j", "--concurrency", min=1, max=1024, metavar="N", help="Calls in flight.")
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option("--max-cost", min=0, metavar="USD", help="Stop before the calls cost more than this."),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Send also the calls whose answer is stored.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Send nothing to another machine.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Have a judge judge outputs that people have judged, and say how far they agree.

    LABELS is a CSV, JSONL or XLSX file with a column `output` and a column `label` (or `label.NAME` for each of several
    raters); `case`, `expected` and `vars.NAME` where the judge is shown them. The result is kept below
    testbanks/.calibration, and later runs say whether their judge is still the one that was calibrated.
    """
    from llmctl.runs.calibrate import calibrate as run
    from llmctl.runs.calibration_plan import Chosen, plan_calibration
    from llmctl.runs.judges import price_problems

    session: Session = ctx.obj
    options = _options(session, concurrency, max_cost, cache=not no_cache, offline=offline)
    plan = plan_calibration(session.config, session.environ, labels, Chosen(bank, metric))
    if options.max_cost_usd is not None and (problems := price_problems(plan.models.values())):
        raise UsageError("\n".join(problems))
    done = run(plan, session.config, session.environ, options)
    _import(session)
    if not any(item.judge is not None for item in done.items):
        _nothing(done)
    report = _report(session, plan, done)
    _show(report, as_json=as_json)
    raise typer.Exit(done.code if done.reason else ExitCode.DONE)


def _options(
    session: Session, concurrency: int | None, max_cost: float | None, *, cache: bool, offline: bool
) -> RunOptions:
    from llmctl.runs.head import RunOptions

    settings = session.config.eval
    return RunOptions(
        command=session.redactor.exact(shlex.join(["llmctl", *sys.argv[1:]])),
        concurrency=concurrency or settings.concurrency,
        timeout_s=settings.timeout_s,
        offline=offline,
        cache=cache,
        cache_max_age=settings.cache_max_age,
        max_cost_usd=settings.max_cost if max_cost is None else max_cost,
    )


def _import(session: Session) -> None:
    from llmctl.cli.screen import stderr
    from llmctl.runs.importer import import_journals

    said = import_journals(session.config.store)
    if said.later:
        stderr().print(said.later, style="yellow", soft_wrap=True)


def _nothing(done: Calibrated) -> None:
    """The judge gave not one verdict."""
    first = done.items[0].explanation.rstrip(".") if done.items else done.reason or "it was not asked"
    raise UnfinishedError(f"The judge gave no verdict on any of the outputs: {first}.", hint="Nothing was kept.")


def _report(session: Session, plan: CalibrationPlan, done: Calibrated) -> CalibrationReport:
    """Measure, and keep what was measured to its end."""
    from datetime import UTC, datetime

    from llmctl.report.atomic import atomic_text
    from llmctl.report.calibration import CalibrationReport
    from llmctl.runs.calibration import Calibration, calibration_path, measure

    measured = measure([item.pair for item in done.items], plan.scheme)
    if done.reason:
        return CalibrationReport(plan.judge, done, measured, None)
    labelled = sum(item.people is not None for item in done.items)
    made = {
        "made_on": datetime.now(UTC).date().isoformat(),
        "labels": plan.labels.name,
        "labelled": labelled,
        "judged": sum(map(sum, measured.table)),
    }
    kept = Calibration.of(plan.judge, measured, made)
    path = calibration_path(session.config, plan.judge.bank, plan.judge.metric)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnfinishedError(f"The folder {path.parent} cannot be made: {error.strerror}.") from None
    with atomic_text(path) as file:
        file.write(kept.text())
    return CalibrationReport(plan.judge, done, measured, kept)


def _show(report: CalibrationReport, *, as_json: bool) -> None:
    from llmctl.cli.screen import print_json, stderr, stdout
    from llmctl.report.calibration import calibration_json, calibration_warnings, render_calibration
    from llmctl.safe_text import safe_text

    if as_json:
        print_json(calibration_json(report))
    else:
        render_calibration(stdout(), report)
    for warning in calibration_warnings(report):
        stderr().print(safe_text(warning), style="yellow", soft_wrap=True)
    if report.kept is None:
        said = (
            f"Stopped: {report.calibrated.reason}. {report.calibrated.kept_back} outputs were not judged, and nothing"
        )
        stderr().print(safe_text(f"{said} was kept; the same command goes on from here."), soft_wrap=True)
