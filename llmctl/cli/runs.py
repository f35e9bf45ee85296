"""`llmctl runs` and `llmctl show`: what was run, and one run or one result of it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmctl.cli.session import Session
    from llmctl.project.models import Config
    from llmctl.report.result import ShownResult
    from llmctl.report.tally import Tally
    from llmctl.runs.history import History
    from llmctl.runs.records import ResultEvent

__all__ = ["runs", "show"]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def runs(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="How many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the runs, newest first."""
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.documents import runs_json
    from llmctl.report.runs import render_runs
    from llmctl.runs.history import History

    session: Session = ctx.obj
    listed = History(session.config.store).runs(limit=limit)
    if as_json:
        print_json(runs_json(listed))
    else:
        render_runs(stdout(), listed)


def show(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id (6 characters or more), @last, @last~1, or a label.")],
    case: Annotated[str | None, typer.Argument(metavar="CASE", help="CASE or BANK/CASE: its results.")] = None,
    payloads: Annotated[bool, typer.Option("--payloads", help="With a case: the exact requests and answers.")] = False,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Of a run: write .json, .jsonl, .csv, .md, .html, .junit.xml. Repeatable.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a run, or the results of one case with explanation, payload and attempts."""
    from llmctl.runs.history import History

    session: Session = ctx.obj
    outputs = tuple(output or ())
    _check(outputs, case)
    history = History(session.config.store)
    run_id = history.find(run)
    if case is None:
        _show_run(session.config, history, run_id, outputs, as_json=as_json)
    else:
        _show_case(history, run_id, case, payloads=payloads, as_json=as_json)


def _check(outputs: Sequence[Path], case: str | None) -> None:
    """Say at once that a file cannot be written."""
    if outputs and case is not None:
        raise UsageError("-o writes a whole run, not one case.", hint="Leave out CASE, or leave out -o.")
    for path in outputs:
        from llmctl.report.files import check_output

        check_output(path)


def _show_run(config: Config, history: History, run_id: str, outputs: Sequence[Path], *, as_json: bool) -> None:
    from llmctl.cli.screen import stdout
    from llmctl.report.documents import report_text
    from llmctl.report.judges import spent
    from llmctl.report.model import RunHead
    from llmctl.report.terminal import render_report

    tally = _tally(config, history, run_id)
    for result in history.results(run_id):
        tally.add(result)
    report = tally.report(RunHead.of_summary(history.run(run_id)))
    judging = spent(config, history.judges(run_id), history.calls.judge_spending(run_id))
    report = replace(report, judging=judging)
    for path in outputs:
        from llmctl.report.files import write_report

        write_report(path, report, history.results(run_id))
    if as_json:
        sys.stdout.writelines(report_text(report, history.results(run_id), command="show"))
    else:
        render_report(stdout(), report)


def _tally(config: Config, history: History, run_id: str) -> Tally:
    """Counts against the plan, as far as the journal says it."""
    from llmctl.report.model import TargetKey, case_facts
    from llmctl.report.tally import Tally
    from llmctl.runs.classes import classes_of_run

    classes = classes_of_run(history, run_id, config.evaluator_settings)
    plan = history.plan(run_id)
    if plan is None:  # written before journals held a plan: their results do not say which case they are of, either
        return Tally(case_facts(history.cases(run_id)), classes=classes)
    return Tally(
        planned_by_target={TargetKey(one.bank, one.prompt, one.model): one.planned for one in plan.targets},
        planned_by_tag=plan.tags,
        classes=classes,
    )


def _show_case(history: History, run_id: str, case: str, *, payloads: bool, as_json: bool) -> None:
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.documents import shown_json
    from llmctl.report.result import render_result

    results = _results_of(history, run_id, case)
    shown = [_shown(history, run_id, result) for result in results]
    if as_json:
        print_json(shown_json(shown))
        return
    for one in shown:
        render_result(stdout(), one, payloads=payloads)


def _results_of(history: History, run_id: str, case: str) -> list[ResultEvent]:
    """The results of a case; `CASE` alone may stand in several banks, `BANK/CASE` names one."""
    found = list(history.results(run_id, case_id=case))
    if not found and "/" in case:
        bank, _, case_id = case.rpartition("/")
        found = list(history.results(run_id, bank=bank, case_id=case_id))
    if not found:
        near = _nearest(case, (result.case_id for result in history.results(run_id)))
        raise UsageError(f'The run {run_id} has no result of a case "{case}".', hint=near)
    return found


def _nearest(case: str, ids: Iterable[str]) -> str | None:
    import difflib

    close = difflib.get_close_matches(case, dict.fromkeys(ids), n=1)
    return f'Did you mean "{close[0]}"?' if close else None


def _shown(history: History, run_id: str, result: ResultEvent) -> ShownResult:
    from llmctl.report.result import ShownResult

    return ShownResult(
        run_id=run_id,
        result=result,
        case=history.case(run_id, result.bank, result.case_id),
        call=history.calls.call(result.call_id) if result.call_id else None,
    )
