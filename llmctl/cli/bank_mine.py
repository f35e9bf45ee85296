"""`llmctl bank mine`: proposes test cases from traffic, each with its reasons, and adds those that get a yes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.cli.assignments import assignments
from llmctl.cli.bank_add import bank_to_grow, cleaner_of
from llmctl.cli.traffic import Imports, Models, Prompts, Since, Statuses, Tags, Until, Where, traffic_filter
from llmctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmctl.cli.session import Session
    from llmctl.importers.bank.growing import GrowingBank
    from llmctl.traffic.mining.looking import BankView
    from llmctl.traffic.mining.proposing import Proposal
    from llmctl.traffic.to_bank.making import Cleaner
    from llmctl.traffic.to_bank.new_case import NewCase

__all__ = ["mine"]

_CANDIDATES = 2_000
"""So many are kept while the traffic is looked at."""


def mine(
    ctx: typer.Context,
    bank: Annotated[str | None, typer.Option("--bank", metavar="B", help="Default: the only one.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="So many proposals at most.")] = 20,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Add all that can be added, unasked.")] = False,
    since: Since = None,
    until: Until = None,
    models: Models = None,
    prompts: Prompts = None,
    statuses: Statuses = None,
    tags: Tags = None,
    imports: Imports = None,
    where: Where = None,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="NAME=PATH", help="Where the log holds a variable: messages[-1].content (repeatable)."
        ),
    ] = None,
    redact: Annotated[
        bool, typer.Option("--redact", help="Replace emails, phones, cards, IBANs and IPs by <EMAIL_1> ...")
    ] = False,
    semantic: Annotated[
        bool, typer.Option("--semantic", help="See with the embedding model which inputs are unlike the bank.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document; nothing is added.")] = False,
) -> None:
    """Propose test cases from logged calls and failed results, each with its reasons, the best first.

    Proposed is what was corrected, got a thumb down, was edited much or failed by a judge; broke its schema, was
    refused, cut off, empty or an error; was far slower or dearer than others of its model; or asks something unlike
    anything in the bank. On a terminal each is asked for: y, n or q. Elsewhere nothing is added without --yes.
    """
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.layout import show
    from llmctl.report.mining import mined_json, mined_text, proposal_text
    from llmctl.traffic.mining.looking import look
    from llmctl.traffic.mining.proposing import propose
    from llmctl.traffic.replay.variables import VariableFinder
    from llmctl.traffic.store import TrafficStore

    session: Session = ctx.obj
    if as_json and yes:
        raise UsageError("--json proposes only.", hint="Leave --json or --yes out.")
    chosen = traffic_filter(since, until, models, prompts, statuses, tags, imports, where)
    finder = VariableFinder(session.config, session.environ, assignments("--map", maps or ()))
    growing = bank_to_grow(session, bank, ())
    store = TrafficStore(session.config.store)
    view = _view(growing)
    looked = look(store, chosen, view, _CANDIDATES)
    if semantic:
        from llmctl.traffic.mining.meaning import look_again

        look_again(store, looked, view, session.config.semantic.model)
    proposed = propose(store, looked, finder, growing, limit)
    cleaner = cleaner_of(session, redact=redact)
    if as_json:
        print_json(mined_json(growing.name, looked, proposed, cleaner))
        return
    console = stdout()
    asks = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    adder = _Adder(growing, cleaner)
    for number, proposal in enumerate(proposed.proposals, 1):
        show(console, proposal_text(number, proposal, cleaner, console.width))
        answer = _answer() if asks else "y" if yes else "n"
        if answer == "q":
            break
        if answer == "y":
            adder.add(proposal)
        typer.echo()
    show(console, mined_text(growing.name, looked, proposed, console.width))
    for line in adder.summary(len(proposed.proposals), asked=asks or yes):
        typer.echo(line)


def _view(growing: GrowingBank) -> BankView:
    from llmctl.evaluators.registry import names
    from llmctl.project.loader import load_project
    from llmctl.project.sources import WorkingTree
    from llmctl.traffic.mining.viewing import bank_view

    loaded = load_project(growing.config, WorkingTree(growing.config.root), names())
    prompts = [loaded.prompts[name] for name in growing.prompts if name in loaded.prompts]
    cases = growing.opened.cases.values() if growing.opened else ()
    return bank_view(cases, growing.defaults, prompts, loaded.prompts)


def _answer() -> str:
    """What somebody at the terminal says; an end of input is a q."""
    while True:
        typer.echo("   Add it? y/n/q ", nl=False)
        line = sys.stdin.readline()
        word = line.strip().casefold()[:1] if line else "q"
        if word in ("y", "n", "q"):
            return word


class _Adder:
    """Adds proposals to the bank, one after the other; each is in the file before the next one is asked for."""

    def __init__(self, growing: GrowingBank, cleaner: Cleaner) -> None:
        self.growing, self.cleaner = growing, cleaner
        self.added: list[NewCase] = []
        self.refused = 0

    def add(self, proposal: Proposal) -> None:
        """Add a case; where the bank cannot take it, say why and leave the bank as it is."""
        from llmctl.traffic.to_bank.making import CaseWords, new_case

        try:
            case = new_case(proposal.source, proposal.expected, CaseWords(), self.cleaner, self.growing.taken)
            self.growing.write(self.growing.addition([case]))
        except UsageError as error:
            self.refused += 1
            way_out = f"llmctl bank add --from {proposal.source.id} --expected FILE"
            _say("not added", error.message)
            _say("", way_out if not proposal.expected.given else error.hint or way_out)
            return
        self.added.append(case)
        _say("added", f"{case.id}")

    def summary(self, proposals: int, *, asked: bool) -> Iterator[str]:
        """What was added, and what to do next."""
        if not proposals:
            yield "Nothing to propose."
        elif not asked:
            yield f"{proposals} proposed, none added. --yes adds them; `llmctl bank add --from ID` adds one."
        else:
            yield f"{proposals} proposed, {len(self.added)} added, {self.refused} could not be added."


def _say(label: str, text: str) -> None:
    from llmctl.cli.screen import stdout
    from llmctl.report.layout import Cell, block, show

    console = stdout()
    show(console, block(label, Cell(text), console.width, indent=3, column=12))
