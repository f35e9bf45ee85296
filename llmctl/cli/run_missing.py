"""`--run-missing`: what sides of files lack is evaluated as a run like any other, from git objects where need be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmctl.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmctl.cli.launch import Ran
    from llmctl.cli.session import Session
    from llmctl.compare.sides.context import SideContext
    from llmctl.compare.sides.references import SideReference
    from llmctl.runs.head import RunOptions
    from llmctl.runs.records import UnitName

__all__ = ["ending_of", "run_missing"]

_ANY_AGE = "10000w"


def run_missing(
    session: Session,
    context: SideContext,
    references: Sequence[SideReference],
    options: RunOptions,
    lacking: frozenset[UnitName] | None = None,
) -> Ran | None:
    """Send what sides of files lack, and nothing else; None where nothing is missing. Nothing is checked out.

    The run is one of the store, imported when this returns; open the sides anew to read it.

    Args:
        session: the command's.
        context: what the sides were looked up in.
        references: all sides of the command, runs too.
        options: budget, concurrency, timeout and label; that an answer is old does not send it again unless the
            context says so.
        lacking: `OpenSides.lacking()`, if it is known.

    Raises:
        ProjectError, UsageError, CredentialError, ModelError, StoreError: as `llmctl eval` does.
    """
    from dataclasses import replace

    from llmctl.cli.launch import run_plan, take_in
    from llmctl.cli.screen import stderr
    from llmctl.compare.sides.opening import open_sides, side_plan

    if lacking is None:
        with open_sides(context, *references) as sides:
            lacking = sides.lacking()
    if not lacking:
        return None
    options = replace(options, cache_max_age=context.max_age or _ANY_AGE, fills=True)
    with side_plan(context, references, options, lacking) as plan:
        ran = run_plan(session, plan, options)
    for warning in ran.outcome.warnings:
        stderr().print(warning, style="yellow", soft_wrap=True)
    take_in(session)
    return ran


def ending_of(ran: Ran, max_missing: float) -> ExitCode | None:
    """The code to end with where the run could not bring what was missing; None: go on and compare."""
    from llmctl.cli.launch import exit_code

    code = exit_code(ran.report, ran.outcome.code, max_missing, strict=False)
    return None if code is ExitCode.DONE else code
