"""`llmctl rescore`: scores the stored answers of a run with today's evaluators and expected answers."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from llmctl.cli.launch import Ending
    from llmctl.cli.session import Session
    from llmctl.report.model import RunReport
    from llmctl.report.rescored import RescoreSummary
    from llmctl.runs.head import RunOptions
    from llmctl.runs.rescore.execute import RescoreOutcome
    from llmctl.runs.rescore.plan import RescorePlan

__all__ = ["rescore"]


def rescore(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="An id, its first characters, @last, or a label.")],
    banks: Annotated[
        list[str] | None, typer.Argument(metavar="BANK", help="Only these banks of the run; default: all of them.")
    ] = None,
    judge: Annotated[
        bool, typer.Option("--judge", help="Ask the judges again; else their scores are kept, and marked if stale.")
    ] = False,
    max_cost: Annotated[
        float | None,
        typer.Option("--max-cost", min=0, metavar="USD", help="Stop before judges cost more than this."),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Ask the judges also what they have answered.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Send nothing to another machine.")] = False,
    label: Annotated[str | None, typer.Option("--label", metavar="NAME", help="Name the new run.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 if a case failed.")] = False,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write .json, .jsonl, .csv, .md, .html, .junit.xml. Repeatable."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of the report.")] = False,
) -> None:
    """Score the answers of a run again, with today's evaluators and expected answers.

    Nothing is sent to a target. Makes a new run, linked to the old one, and lists the results whose verdict changed.
    Cases that ask something else today are set apart: their stored answers do not answer them.
    """
    from llmctl.cli.launch import Ending
    from llmctl.cli.screen import stderr
    from llmctl.report.problems import render_problems
    from llmctl.runs.head import RunOptions
    from llmctl.runs.history import History
    from llmctl.runs.rescore.plan import rescore_plan
    from llmctl.traffic.replay.rescoring import replay_banks

    session: Session = ctx.obj
    settings = session.config.eval
    ending = Ending(tuple(output or ()), as_json=as_json, strict=strict)
    ending.check()
    options = RunOptions(
        command=session.redactor.exact(shlex.join(["llmctl", *sys.argv[1:]])),
        concurrency=settings.concurrency,
        timeout_s=settings.timeout_s,
        label=session.redactor.exact(label) if label else None,
        offline=offline,
        cache=not no_cache,
        cache_max_age=settings.cache_max_age,
        max_cost_usd=settings.max_cost if max_cost is None else max_cost,
    )
    run_id = History(session.config.store).find(run)
    wanted = replay_banks(session.config, History(session.config.store), run_id) or banks or ()
    with rescore_plan(session.config, session.environ, run_id, wanted, options, judge=judge) as plan:
        render_problems(stderr(), plan.warnings)
        _score(session, plan, options, ending, judge=judge)


def _score(session: Session, plan: RescorePlan, options: RunOptions, ending: Ending, *, judge: bool) -> None:
    """Score under the live progress, show, import, and end the command."""
    from llmctl.cli.launch import exit_code, take_in
    from llmctl.cli.screen import stderr
    from llmctl.project.collector import collecting_seldom
    from llmctl.report.progress import Progress
    from llmctl.report.rescored import RescoreSummary
    from llmctl.runs.rescore.execute import Rescoring

    summary = RescoreSummary(plan.event, plan.classes)
    with collecting_seldom(), Progress(stderr(), len(plan.units)) as progress:

        def on_progress() -> None:
            progress.show(summary.counts)

        outcome = Rescoring(plan, options, session.environ, summary, on_progress, judge=judge).execute()
    report = _show(plan, summary, outcome, ending)
    for warning in outcome.warnings:
        stderr().print(warning, style="yellow", soft_wrap=True)
    take_in(session)
    raise typer.Exit(exit_code(report, outcome.code, session.config.gate.max_missing, strict=ending.strict))


def _report(plan: RescorePlan, summary: RescoreSummary, outcome: RescoreOutcome) -> RunReport:
    from llmctl.report.judges import asked_in_run
    from llmctl.report.model import RunHead

    head = RunHead.of(replace(plan.head, planned=plan.event.planned), outcome.end)
    report = summary.report(head, plan.old.run_id, plan.apart)
    return replace(report, judging=asked_in_run(plan.config, plan.judge_events, outcome.judges))


def _show(plan: RescorePlan, summary: RescoreSummary, outcome: RescoreOutcome, ending: Ending) -> RunReport:
    """The report: on stdout as tables or as one document, and in every file asked for."""
    from llmctl.cli.screen import stdout
    from llmctl.report.terminal import render_report
    from llmctl.runs.journal_reader import results_in

    report = _report(plan, summary, outcome)
    for path in ending.outputs:
        from llmctl.report.files import write_report

        write_report(path, report, results_in(plan.journal))
    if ending.as_json:
        from llmctl.report.documents import report_text

        sys.stdout.writelines(report_text(report, results_in(plan.journal), command="rescore"))
    else:
        render_report(stdout(), report)
    return report
