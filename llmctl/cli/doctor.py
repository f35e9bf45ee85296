"""`llmctl doctor`: whether the store is sound, and what a run needs is there; repairs what can be repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.errors import ExitCode

if TYPE_CHECKING:
    from llmctl.cli.session import Session

__all__ = ["doctor"]


def doctor(
    ctx: typer.Context,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Set the database aside and build it anew from the journals.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove what killed processes and repairs left behind.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check the store and repair it.

    Reads every journal and the whole database, compares them, and builds the database anew where it is damaged or
    differs. Also: permissions, locks, room on the disk, keys (by name), weights, versions. Journals are never changed,
    and nothing is deleted unasked. Ends 4 when something is lost or cannot be repaired.
    """
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.doctor import doctor_json, render_doctor
    from llmctl.runs.checkup import State, worst
    from llmctl.runs.checkup_models import check_models, check_packages
    from llmctl.runs.doctor import examine

    session: Session = ctx.obj
    config = session.config
    checks = [
        *examine(config.store, rebuild=rebuild, prune=prune),
        check_models(config, session.environ),
        check_packages(),
    ]
    if as_json:
        print_json(doctor_json(config.store, checks))
    else:
        render_doctor(stdout(), config.store, checks)
    if worst(check.state for check in checks) is State.PROBLEM:
        raise typer.Exit(ExitCode.UNFINISHED)
