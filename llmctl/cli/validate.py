"""`llmctl validate`: checks every file of the project without a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.errors import ExitCode

if TYPE_CHECKING:
    from llmctl.cli.session import Session
    from llmctl.runs.check import Checked

__all__ = ["validate"]


def validate(
    ctx: typer.Context,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 if there are warnings.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check every file, template, evaluator and sample answer, without a call.

    All mistakes of all files are shown at once, each with its place. Ends 2 if there is one.
    """
    from llmctl.cli.screen import print_json, stderr, stdout
    from llmctl.report.problems import render_problems
    from llmctl.runs.check import check_project

    session: Session = ctx.obj
    checked = check_project(session.config_path, session.environ)
    if as_json:
        print_json(_document(checked))
    else:
        render_problems(stderr(), checked.problems, limit=None)
        stdout().print(_summary(checked), soft_wrap=True)
    raise typer.Exit(_exit_code(checked, strict=strict))


def _exit_code(checked: Checked, *, strict: bool) -> ExitCode:
    if checked.errors:
        return ExitCode.USAGE
    return ExitCode.FAILED if strict and checked.warnings else ExitCode.DONE


def _summary(checked: Checked) -> str:
    cases = sum(checked.cases.values())
    counted = ", ".join(
        [_count(len(checked.prompts), "prompt"), _count(len(checked.cases), "bank"), _count(cases, "case")]
    )
    if checked.errors or checked.warnings:
        return f"{counted}: {_count(len(checked.errors), 'error')}, {_count(len(checked.warnings), 'warning')}."
    return f"{counted}: all good."


def _document(checked: Checked) -> dict[str, object]:
    from llmctl.report.documents import problem_json

    return {
        "schema": "llmctl/validate/1",
        "ok": not checked.errors,
        "prompts": list(checked.prompts),
        "banks": dict(checked.cases),
        "problems": [problem_json(problem) for problem in checked.problems],
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
