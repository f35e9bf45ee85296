"""From a plan to its report: looks up what is stored, runs the rest under the live progress, shows and imports it."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from llmctl.errors import ExitCode, StoreError

if TYPE_CHECKING:
    from llmctl.cli.session import Session
    from llmctl.report.model import RunReport
    from llmctl.report.tally import Tally
    from llmctl.runs.forecast import Forecast
    from llmctl.runs.head import RunOptions
    from llmctl.runs.judged_calls import JudgedCalls
    from llmctl.runs.plan import Plan
    from llmctl.runs.records import ResultEvent
    from llmctl.runs.reuse import KnownAnswers, Rules
    from llmctl.runs.run import Run, RunOutcome
    from llmctl.runs.stages import Stages

__all__ = ["Ending", "Ran", "exit_code", "launch", "plan_forecast", "run_plan", "take_in"]


@dataclass(frozen=True, slots=True)
class Ending:
    """What is made of a run when it has ended."""

    outputs: tuple[Path, ...] = ()
    as_json: bool = False
    strict: bool = False
    dry_run: bool = False

    def check(self) -> None:
        """Say before anything is sent that a file could not be written.

        Raises:
            UsageError: no format has its ending, or it cannot stand there.
        """
        for path in self.outputs:
            from llmctl.report.files import check_output  # every format's own modules: only where one is asked for

            check_output(path)


@dataclass(frozen=True, slots=True)
class Ran:
    """A plan that was run, and what came of it."""

    run: Run
    report: RunReport
    outcome: RunOutcome


def launch(session: Session, plan: Plan, options: RunOptions, ending: Ending) -> None:
    """Run a plan and end the command; a dry run only says what would be sent."""
    from llmctl.cli.screen import stderr

    with plan:
        if ending.dry_run:
            _show_estimate(plan_forecast(session, plan, options), as_json=ending.as_json)
            return
        ran = run_plan(session, plan, options)
        _show(ran, ending)
        for warning in ran.outcome.warnings:
            stderr().print(warning, style="yellow", soft_wrap=True)
    take_in(session)
    raise typer.Exit(exit_code(ran.report, ran.outcome.code, session.config.gate.max_missing, strict=ending.strict))


def run_plan(
    session: Session,
    plan: Plan,
    options: RunOptions,
    stages: Stages | None = None,
    known: KnownAnswers | None = None,
) -> Ran:
    """Run a plan under the live progress. Its journal holds everything when this returns; `take_in` imports it.

    `stages`: which units are run, one stage after the other; None: all of them at once. `known`: the answers that are
    there already; None: they are looked up.

    Raises:
        UsageError: a budget is set, and a model has no price.
        StoreError: what is stored cannot be looked up, or the journal cannot be written.
        ModelError: a model on this machine cannot be started.
    """
    from llmctl.runs.run import Run

    known = known or _prepared(session, plan, options)
    run = Run(plan, options, session.environ, known, _judged(session, plan, options), stages)
    tally = _tally(run)
    outcome = _execute(run, tally)
    return Ran(run, _report(run, tally, outcome), outcome)


def _prepared(session: Session, plan: Plan, options: RunOptions) -> KnownAnswers:
    """Say what is wrong with the plan, and look up what is stored."""
    from llmctl.cli.screen import stderr
    from llmctl.report.problems import render_problems
    from llmctl.runs.targets import require_prices

    render_problems(stderr(), plan.warnings)
    if options.max_cost_usd is not None:
        require_prices(plan.targets, plan.units, plan.judges.values())
    return _known(session, plan, options)


def _known(session: Session, plan: Plan, options: RunOptions) -> KnownAnswers:
    """The stored answers to the plan's calls; without a cache only those of the run that goes on."""
    from llmctl.runs.history import History
    from llmctl.runs.reuse import KnownAnswers

    known = KnownAnswers(session.config.store)
    if not options.cache and not plan.goes_on:
        return known
    rules = _rules(plan, options)
    try:
        known.find(History(session.config.store).calls, plan.units, plan.targets, rules)
    except StoreError as error:
        # Sending everything again unasked could cost more than waiting.
        hint = f"{error.hint or ''} With --no-cache every call is sent, and nothing is looked up.".strip()
        raise StoreError(error.message, hint=hint) from error
    return known


def _judged(session: Session, plan: Plan, options: RunOptions) -> JudgedCalls:
    """The same of what the judges have answered."""
    from llmctl.runs.history import History
    from llmctl.runs.judged_calls import JudgedCalls
    from llmctl.store.layout import Layout

    judged = JudgedCalls(Layout(session.config.store))
    if plan.judges:
        judged.find(History(session.config.store).calls, plan.judges.values(), _rules(plan, options))
    return judged


def _rules(plan: Plan, options: RunOptions) -> Rules:
    from llmctl.runs.reuse import Rules

    own = plan.head.run_id if plan.goes_on else None
    return Rules(options.cache_max_age, time.time(), others=options.cache, own=own)


def plan_forecast(session: Session, plan: Plan, options: RunOptions) -> Forecast:
    """What running a plan would send. Says what is wrong with the plan.

    Raises:
        UsageError: a budget is set, and a model has no price.
        StoreError: what is stored cannot be looked up.
    """
    from llmctl.runs.forecast import forecast
    from llmctl.runs.history import History

    known = _prepared(session, plan, options)
    history = History(session.config.store)
    return forecast(plan, known, history, options.max_cost_usd, _judged(session, plan, options))


def _show_estimate(expected: Forecast, *, as_json: bool) -> None:
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.dry_run import dry_run_json, render_dry_run

    if as_json:
        print_json(dry_run_json(expected))
    else:
        render_dry_run(stdout(), expected)


def _tally(run: Run) -> Tally:
    """Counts what comes, after what an earlier part of the run has recorded."""
    from llmctl.report.model import TargetKey
    from llmctl.report.tally import Tally

    event = run.plan.event
    tally = Tally(
        planned_by_target={TargetKey(one.bank, one.prompt, one.model): one.planned for one in event.targets},
        planned_by_tag=event.tags,
        classes=run.plan.classes,
    )
    if run.plan.goes_on:
        for result in run.results():
            tally.add(result)
    return tally


def _execute(run: Run, tally: Tally) -> RunOutcome:
    """Run the plan under the live progress."""
    from llmctl.cli.screen import stderr
    from llmctl.project.collector import collecting_seldom
    from llmctl.report.progress import Progress

    with collecting_seldom(), Progress(stderr(), len(run.plan.units)) as progress:

        def on_result(result: ResultEvent) -> None:
            tally.add(result)
            progress.update(result)

        if run.starts_local_model:
            progress.phase("starting the local model")
        return run.execute(on_result)


def _report(run: Run, tally: Tally, outcome: RunOutcome) -> RunReport:
    from llmctl.report.judges import asked_in_run
    from llmctl.report.model import RunHead

    report = tally.report(RunHead.of(replace(run.plan.head, planned=run.plan.event.planned), outcome.end))
    return replace(report, judging=asked_in_run(run.plan.config, run.plan.judge_events, outcome.judges))


def _show(ran: Ran, ending: Ending) -> None:
    """The report: on stdout as tables or as one document, and in every file asked for."""
    from llmctl.cli.screen import stdout
    from llmctl.report.terminal import render_report

    for path in ending.outputs:
        from llmctl.report.files import write_report

        write_report(path, ran.report, ran.run.results())
    if ending.as_json:
        from llmctl.report.documents import report_text

        sys.stdout.writelines(report_text(ran.report, ran.run.results()))
    else:
        render_report(stdout(), ran.report)


def take_in(session: Session) -> None:
    """Take the journal into the store, after the report is shown: it comes from the journal, and is kept anyway."""
    from llmctl.cli.screen import stderr
    from llmctl.runs.importer import import_journals

    said = import_journals(session.config.store)
    if said.later:
        stderr().print(said.later, style="yellow", soft_wrap=True)
    if said.rebuilt:
        stderr().print(f"The store was damaged and is built anew; the old one is {said.rebuilt}.", soft_wrap=True)


def exit_code(report: RunReport, code: ExitCode | None, max_missing: float, *, strict: bool) -> ExitCode:
    """What the command ends with; `code` is what ended the run where that was no result."""
    if code is not None:
        return code
    coverage = report.total.coverage
    if coverage is None or coverage < 1 - max_missing:
        return ExitCode.UNFINISHED
    return ExitCode.FAILED if strict and (report.total.failed or report.total.errors) else ExitCode.DONE
