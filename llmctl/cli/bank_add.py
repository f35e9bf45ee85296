"""`llmctl bank add`: a logged call, or a result of a run, becomes a test case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.cli.assignments import assignments
from llmctl.cli.bank_names import new_bank_name
from llmctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmctl.cli.session import Session
    from llmctl.importers.bank.growing import GrowingBank
    from llmctl.traffic.to_bank.making import Cleaner
    from llmctl.traffic.to_bank.new_case import NewCase
    from llmctl.traffic.to_bank.sources import CaseSource

__all__ = ["add", "bank_to_grow", "cleaner_of"]


def add(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="CALL", help="A logged call: its id, or the log's own. Of a run: RUN.12, or RUN/CASE."
        ),
    ],
    bank: Annotated[
        str | None, typer.Option("--bank", metavar="B", help="Default: the only bank of the call's prompt.")
    ] = None,
    prompts: Annotated[
        list[str] | None,
        typer.Option("--prompt", "-p", metavar="P", help="Of a bank that is made with the case (repeatable)."),
    ] = None,
    expected: Annotated[
        Path | None, typer.Option("--expected", metavar="FILE", help="The right answer; .json and .yaml as data.")
    ] = None,
    correction: Annotated[
        bool, typer.Option("--correction", help="Take the correction in feedback, and nothing else.")
    ] = False,
    case_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="Of the case. Default: the call's.")] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", "-t", metavar="T", help="Repeatable.")] = None,
    must_pass: Annotated[bool, typer.Option("--must-pass", help="No version may fail it.")] = False,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="NAME=PATH", help="Where the log holds a variable: messages[-1].content (repeatable)."
        ),
    ] = None,
    variables: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=TEXT", help="A variable's value (repeatable).")
    ] = None,
    redact: Annotated[
        bool, typer.Option("--redact", help="Replace emails, phones, cards, IBANs and IPs by <EMAIL_1> ...")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Add it though a case asks nearly the same.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the case, and write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Make a test case of a logged call, or of a result of a run.

    Its variables come from the record, else from the messages and the prompt's template, else from --map. It expects
    --expected, else the correction in feedback, else the logged answer where it got a thumb up or was accepted as it
    was. The case goes to the end of `cases:`; comments and order of the file stay. Keys are always taken out.
    """
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.added import added_json, render_added
    from llmctl.traffic.replay.variables import VariableFinder
    from llmctl.traffic.to_bank.expected import expected_of, read_expected
    from llmctl.traffic.to_bank.making import CaseWords, new_case
    from llmctl.traffic.to_bank.sources import find_source

    session: Session = ctx.obj
    if expected is not None and correction:
        raise UsageError("Give --expected or --correction, not both.")
    config = session.config
    finder = VariableFinder(config, session.environ, assignments("--map", maps or ()))
    found = find_source(config, source, finder)
    right = expected_of(
        found, read_expected(session.directory / expected) if expected else None, only_correction=correction
    )
    growing = bank_to_grow(session, bank, prompts or (), found)
    cleaner = cleaner_of(session, redact=redact)
    words = CaseWords(case_id, tuple(tags or ()), must_pass, assignments("--var", variables or ()))
    case = new_case(found, right, words, cleaner, growing.taken)
    if not force:
        _refuse_alike(growing, case)
    addition = growing.addition([case])
    if not dry_run:
        growing.write(addition)
    if as_json:
        print_json(added_json(addition, right, cleaner, dry_run=dry_run))
    else:
        render_added(stdout(), addition, right, cleaner, dry_run=dry_run)


def bank_to_grow(
    session: Session, bank: str | None, prompts: Sequence[str], source: CaseSource | None = None
) -> GrowingBank:
    """The bank that is meant; with `--prompt` one that is made."""
    from llmctl.importers.bank.growing import bank_for, growing_bank, starting_bank
    from llmctl.project.loader import bank_names
    from llmctl.project.sources import WorkingTree

    config = session.config
    if not prompts:
        name = bank_for(config, bank, source.prompt if source else None, source.bank if source else None)
        return growing_bank(config, name)
    if bank is None:
        raise UsageError("--prompt is for a new bank.", hint="Name it with --bank.")
    if bank in bank_names(config, WorkingTree(config.root)):
        raise UsageError(f"There is a bank {bank} already, with prompts of its own.", hint="Leave --prompt out.")
    return starting_bank(config, new_bank_name(bank), prompts)


def cleaner_of(session: Session, *, redact: bool) -> Cleaner:
    """What takes keys out, and personal data where that is asked for."""
    from llmctl.traffic.pii import Pseudonyms
    from llmctl.traffic.to_bank.making import Cleaner

    return Cleaner(session.redactor, Pseudonyms() if redact else None)


def _refuse_alike(growing: GrowingBank, case: NewCase) -> None:
    alike = growing.alike(case.vars)
    if alike is not None:
        how = "asks the same" if alike.likeness == 1 else f"asks nearly the same ({alike.likeness:.2f} alike)"
        raise UsageError(
            f"The case {alike.case_id} of the bank {growing.name} {how}.", hint="--force adds this one too."
        )
