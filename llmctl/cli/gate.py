"""`llmctl gate`: judges a change by the rules of its banks."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.cli.evaluate import Banks, Models, Prompts, Tags
from llmctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmctl.cli.session import Session
    from llmctl.compare.gate.candidate import BankRules
    from llmctl.compare.gate.choosing import ChosenBaseline
    from llmctl.compare.gate.context import ContextReader
    from llmctl.compare.sides.context import SideContext
    from llmctl.compare.verdict import GateReport
    from llmctl.runs.head import RunOptions
    from llmctl.runs.selection import Selection

__all__ = ["gate"]


def gate(
    ctx: typer.Context,
    banks: Banks = None,
    prompts: Prompts = None,
    models: Models = None,
    tags: Tags = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Judge this stored run. Nothing is sent.")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", metavar="SIDE", help="A run, a label, a prompt, or a revision: where this branch left it."
        ),
    ] = None,
    no_early_stop: Annotated[
        bool, typer.Option("--no-early-stop", help="Send every case, and judge once at the end.")
    ] = False,
    bank_mode: Annotated[
        bool, typer.Option("--bank-mode", help="`margin` asks about this bank only, not about cases like these.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the random order of the cases.")] = 0,
    repeat: Annotated[
        int | None, typer.Option("-r", "--repeat", min=1, metavar="N", help="Independent answers to each case.")
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option("-j", "--concurrency", min=1, max=1024, metavar="N", help="Calls in flight for each model."),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option("--max-cost", min=0, metavar="USD", help="Stop before all calls of the gate cost more than this."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Send nothing to another machine.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing: say what would be sent at most, and about what it costs.")
    ] = False,
    label: Annotated[str | None, typer.Option("--label", metavar="NAME", help="Name the candidate's run.")] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write .json, .md, .html, .junit.xml, .sarif or .codequality.json. Repeatable.",
        ),
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            "--summary", metavar="FILE", help="Append the verdict as Markdown; default: $GITHUB_STEP_SUMMARY, if set."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of the verdict.")] = False,
) -> None:
    """Judge a change by the rules of its banks, against a baseline.

    Runs the candidate (the files as they lie here) until every rule is decided, sends what is missing of the baseline,
    and asks again what may have failed by chance. The baseline is --baseline, else `baseline` of [gate], else the
    committed file of `llmctl baseline save`. Ends 0 PASS, 1 FAIL, 3 INCONCLUSIVE, 4 NOT EVALUATED, 5 stopped by a
    budget.
    """
    from llmctl.cli.ci import Publisher, repeatable

    session: Session = ctx.obj
    command = session.redactor.exact(shlex.join(["llmctl", *sys.argv[1:]]))
    shown = session.redactor.exact(shlex.join(repeatable(["llmctl", *sys.argv[1:]])))
    publisher = Publisher(output or (), summary, os.environ, as_json, shown)
    publisher.check()
    with publisher.judging():
        options = _options(
            session, command, concurrency, label, max_cost, offline=offline, seed=None if no_early_stop else seed
        )
        selection = _selection(banks, prompts, models, tags, repeat or session.config.eval.repeat)
        surroundings = _surroundings(session, shown) if publisher.wants_context else None
        if run is not None:
            if any((prompts, models, tags, repeat, label, dry_run, bank_mode, no_early_stop)):
                raise UsageError(
                    "--run judges a stored run as it is: nothing can be selected, sent or named beside it.",
                    hint="Only banks, --baseline, --json, --summary and -o stand beside --run.",
                )
            report = _judge_stored(session, run, baseline, selection, options, surroundings)
        else:
            how = _How(not no_early_stop, bank_mode, dry_run, as_json, surroundings)
            judged = _judge_candidate(session, baseline, selection, options, how)
            if judged is None:
                return
            report = judged
        publisher.publish(report)
        _show(report, as_json=as_json)
    raise typer.Exit(report.exit_code)


def _options(
    session: Session,
    command: str,
    concurrency: int | None,
    label: str | None,
    max_cost: float | None,
    *,
    offline: bool,
    seed: int | None,
) -> RunOptions:
    from llmctl.runs.head import RunOptions

    settings = session.config.eval
    return RunOptions(
        command=command,
        concurrency=concurrency or settings.concurrency,
        timeout_s=settings.timeout_s,
        label=session.redactor.exact(label) if label else None,
        offline=offline,
        cache_max_age=settings.cache_max_age,
        max_cost_usd=settings.max_cost if max_cost is None else max_cost,
        seed=seed,
    )


def _selection(banks: Banks, prompts: Prompts, models: Models, tags: Tags, repeat: int) -> Selection:
    from llmctl.runs.selection import PromptReference, Selection

    return Selection(
        banks=tuple(banks or ()),
        prompts=tuple(PromptReference.parse(text) for text in prompts or ()),
        models=tuple(models or ()),
        tags=tuple(tags or ()),
        repeat=repeat,
    )


def _surroundings(session: Session, command: str) -> ContextReader:
    """Of what is written for CI."""
    from llmctl.compare.gate.context import ContextReader

    return ContextReader(session.config, session.environ, command)


@dataclass(frozen=True, slots=True)
class _How:
    """The flags of a gate that runs its candidate."""

    early_stop: bool
    bank_mode: bool
    dry_run: bool
    as_json: bool
    surroundings: ContextReader | None = None


def _judge_stored(
    session: Session,
    run: str,
    baseline: str | None,
    selection: Selection,
    options: RunOptions,
    surroundings: ContextReader | None,
) -> GateReport:
    """The verdict on a run that is there."""
    from llmctl.cli.gating import StoredGate
    from llmctl.compare.gate.candidate import bank_rules
    from llmctl.compare.gate.judging import no_rule_error
    from llmctl.compare.side import SideKind
    from llmctl.compare.sides.context import SideContext
    from llmctl.compare.sides.references import SideReference
    from llmctl.project.models import GateRules
    from llmctl.runs.selection import Selection

    context = SideContext(session.config, session.environ, command=options.command)
    history = context.history
    reference = SideReference(run, SideKind.RUN, run_id=history.find(run))
    there = [bank.name for bank in history.banks(reference.run_id or "")]
    banks = _named_banks(session, selection.banks, there) if selection.banks else there
    rules = bank_rules(session.config, banks)
    if not banks or all(one == GateRules() for one in rules.values()):
        raise no_rule_error(banks or ["of this run"])
    repeats = history.head(reference.run_id or "").options.get("repeat")
    own = Selection(repeat=repeats if isinstance(repeats, int) else 1)
    context = replace(context, selection=own)
    chosen = _baseline(context, baseline, rules)
    return StoredGate(session, context, reference, chosen, rules, surroundings).report(banks)


def _named_banks(session: Session, named: Sequence[str], there: Sequence[str]) -> list[str]:
    from llmctl.project import loader

    banks = loader.resolve_bank_names(session.config, named)
    for bank in banks:
        if bank not in there:
            raise UsageError(f"The run has nothing of the bank {bank}.", hint=f"It has {', '.join(there)}.")
    return banks


def _judge_candidate(
    session: Session, baseline: str | None, selection: Selection, options: RunOptions, how: _How
) -> GateReport | None:
    """The verdict on the files as they lie here, or on the prompts named; None: a dry run."""
    from llmctl.cli.gating import GateRun
    from llmctl.compare.gate.candidate import bank_rules, require_rules
    from llmctl.compare.gate.planned import candidate_cells
    from llmctl.compare.sides.context import SideContext
    from llmctl.runs.plan import make_plan

    config = session.config
    with make_plan(config, selection, session.environ, options) as plan:
        cells = candidate_cells(plan)
        rules = bank_rules(config, [one.cell.bank for one in cells])
        require_rules(cells, rules)
    own = replace(selection, prompts=tuple(replace(one, rev=None) for one in selection.prompts))
    context = SideContext(config, session.environ, own, options.command, max_age=None)
    chosen = _baseline(context, baseline, rules)
    if how.dry_run:
        _show_estimate(session, context, (selection, options), chosen, as_json=how.as_json)
        return None
    run = GateRun(session, context, selection, options, chosen, rules, how.early_stop, how.bank_mode, how.surroundings)
    return run.report(cells)


def _baseline(context: SideContext, given: str | None, rules: BankRules) -> ChosenBaseline:
    """What is compared with; one that no rule asks for is not looked for, unless it was named."""
    from llmctl.compare.gate.choosing import ChosenBaseline, choose_baseline, needs_baseline

    if given is None and not needs_baseline(rules.values()):
        return ChosenBaseline()
    return choose_baseline(context, given, list(rules))


def _show_estimate(
    session: Session,
    context: SideContext,
    candidate: tuple[Selection, RunOptions],
    chosen: ChosenBaseline,
    *,
    as_json: bool,
) -> None:
    """What both sides would send at most."""
    from llmctl.cli.launch import plan_forecast
    from llmctl.cli.screen import print_json, stdout
    from llmctl.compare.sides.opening import open_sides
    from llmctl.report.dry_run import dry_run_json, render_dry_run
    from llmctl.runs.plan import make_plan

    selection, options = candidate
    with make_plan(session.config, selection, session.environ, options) as plan:
        ours = plan_forecast(session, plan, options)
    theirs = None
    if chosen.reference is not None:
        with open_sides(context, chosen.reference) as sides:
            theirs = sides.forecast()
    if as_json:
        document = {"schema": "llmctl/gate-dry-run/1", "candidate": dry_run_json(ours)}
        print_json({**document, "baseline": dry_run_json(theirs) if theirs is not None else None})
        return
    stdout().print("The candidate, at most:")
    render_dry_run(stdout(), ours)
    if theirs is not None:
        stdout().print("\nThe baseline:")
        render_dry_run(stdout(), theirs)


def _show(report: GateReport, *, as_json: bool) -> None:
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.gate import render_gate
    from llmctl.report.gate_json import gate_json

    if as_json:
        print_json(gate_json(report))
    else:
        render_gate(stdout(), report)
