"""`llmctl validate`: checks every file of the project, and with `--models` has models judge the sample answers."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.errors import ExitCode, Problem, Severity, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmctl.cli.session import Session
    from llmctl.runs.check import Checked
    from llmctl.runs.head import RunOptions
    from llmctl.runs.sample_run import TriedSamples

__all__ = ["validate"]


def validate(
    ctx: typer.Context,
    models: Annotated[
        bool,
        typer.Option("--models", help="Judge also the sample answers that need a model, or code of the project."),
    ] = False,
    max_cost: Annotated[
        float | None,
        typer.Option("--max-cost", min=0, metavar="USD", help="With --models: stop before judges cost more."),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="With --models: ask the judges also what they have answered.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="With --models: send nothing to another machine.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 if there are warnings.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check every file, template, evaluator and sample answer, without a call.

    All mistakes of all files are shown at once, each with its place. Ends 2 if there is one. With --models, where the
    files are sound, the sample answers of semantic evaluators, of judges and of code of the project are judged too;
    ends 4 if one of them got no judgement.
    """
    from llmctl.cli.screen import print_json, stderr, stdout
    from llmctl.report.problems import render_problems
    from llmctl.runs.check import check_project, in_order

    session: Session = ctx.obj
    if not models and (offline or no_cache or max_cost is not None):
        raise UsageError("--max-cost, --no-cache and --offline are about models.", hint="Add --models.")
    checked = _with_gates(check_project(session.config_path, session.environ))
    tried = _try(session, checked, max_cost, cache=not no_cache, offline=offline) if models else None
    problems = in_order([*checked.problems, *(tried.problems if tried else ())])
    if as_json:
        print_json(_document(checked, problems, tried))
    else:
        render_problems(stderr(), problems, limit=None)
        stdout().print(_summary(checked, problems, tried), soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(_exit_code(problems, tried, strict=strict))


def _with_gates(checked: Checked) -> Checked:
    """With warnings of rules that can never pass, where the files are sound."""
    from dataclasses import replace

    if _errors(checked.problems) or not any(
        counter.bank.gate or checked.config.gate.rules for counter in checked.counters.values()
    ):
        return checked
    from llmctl.compare.gate.feasible import gate_problems

    found = gate_problems(checked.config, checked.counters, checked.judge_events)
    return replace(checked, problems=(*checked.problems, *found))


def _try(
    session: Session, checked: Checked, max_cost: float | None, *, cache: bool, offline: bool
) -> TriedSamples | None:
    """Judge the samples that wait; nothing is asked while there are mistakes in the files."""
    from llmctl.cli.launch import take_in
    from llmctl.runs.judges import price_problems
    from llmctl.runs.sample_run import SampleRun, try_samples

    if not checked.samples or _errors(checked.problems):
        return None
    options = _options(session, max_cost, cache=cache, offline=offline)
    asked = {name for one in checked.samples for name in one.built.asks}
    judges = [judge for name, judge in checked.judges.items() if name in asked]
    if options.max_cost_usd is not None and (problems := price_problems(judges)):
        raise UsageError("\n".join(problems))
    run = SampleRun(checked.config, checked.samples, checked.judges, checked.judge_events)
    tried = try_samples(run, session.environ, options)
    if tried.run_id is not None:
        take_in(session)
    return tried


def _options(session: Session, max_cost: float | None, *, cache: bool, offline: bool) -> RunOptions:
    from llmctl.runs.head import RunOptions

    settings = session.config.eval
    return RunOptions(
        command=session.redactor.exact(shlex.join(["llmctl", *sys.argv[1:]])),
        concurrency=settings.concurrency,
        timeout_s=settings.timeout_s,
        offline=offline,
        cache=cache,
        cache_max_age=settings.cache_max_age,
        max_cost_usd=settings.max_cost if max_cost is None else max_cost,
    )


def _exit_code(problems: Sequence[Problem], tried: TriedSamples | None, *, strict: bool) -> ExitCode:
    if _errors(problems):
        return ExitCode.USAGE
    if tried is not None and tried.missing:
        return tried.code or ExitCode.UNFINISHED
    return ExitCode.FAILED if strict and problems else ExitCode.DONE


def _errors(problems: Sequence[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity is Severity.ERROR]


def _summary(checked: Checked, problems: Sequence[Problem], tried: TriedSamples | None) -> str:
    cases = sum(checked.cases.values())
    counted = ", ".join(
        [_count(len(checked.prompts), "prompt"), _count(len(checked.cases), "bank"), _count(cases, "case")]
    )
    errors = len(_errors(problems))
    said = f"{_count(errors, 'error')}, {_count(len(problems) - errors, 'warning')}." if problems else "all good."
    return "\n".join([f"{counted}: {said}", *_samples(checked, tried)])


def _samples(checked: Checked, tried: TriedSamples | None) -> list[str]:
    """What became of the samples that wait."""
    from llmctl.report.judges import asked_summary

    waiting = sum(map(len, checked.samples))
    if not waiting:
        return []
    if tried is None:
        why = "need a model or code of the project and were" if waiting > 1 else "needs a model or code and was"
        how = "mistakes come first" if _errors(checked.problems) else "llmctl validate --models"
        return [f"{_count(waiting, 'sample answer')} {why} not judged: {how}."]
    said = [f"{tried.judged} of {_count(waiting, 'sample answer')} judged by models or code of the project."]
    if tried.run_id is not None:
        said.append(f"Judges: {asked_summary(tried.counts)} (run {tried.run_id}).")
    return said


def _document(checked: Checked, problems: Sequence[Problem], tried: TriedSamples | None) -> dict[str, object]:
    from llmctl.report.documents import problem_json

    return {
        "schema": "llmctl/validate/1",
        "ok": not _errors(problems),
        "prompts": list(checked.prompts),
        "banks": dict(checked.cases),
        "samples": _samples_json(checked, tried),
        "problems": [problem_json(problem) for problem in problems],
    }


def _samples_json(checked: Checked, tried: TriedSamples | None) -> dict[str, object]:
    from llmctl.report.judges import asked_json

    waiting = sum(map(len, checked.samples))
    if tried is None:
        return {"need_models_or_code": waiting, "judged": 0, "not_judged": waiting, "run_id": None, "judging": None}
    judging = asked_json(tried.counts) if tried.run_id is not None else None
    return {
        "need_models_or_code": waiting,
        "judged": tried.judged,
        "not_judged": tried.missing,
        "run_id": tried.run_id,
        "judging": judging,
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
