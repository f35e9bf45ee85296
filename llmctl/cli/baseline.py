"""`llmctl baseline`: what later versions are judged against, as a file that belongs in git."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.cli.evaluate import Banks
from llmctl.errors import ProjectError, UnfinishedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmctl.cli.session import Session
    from llmctl.compare.cells import Cell
    from llmctl.compare.gate.baseline import Baseline
    from llmctl.compare.gate.evidence import CellEvidence
    from llmctl.compare.gate.origins import PromptOrigin
    from llmctl.compare.side import Side
    from llmctl.project.models import Config

__all__ = ["app"]

app = typer.Typer(help="What `gate` compares with, as a file for git.", no_args_is_help=True)


@app.command("save")
def save(
    ctx: typer.Context,
    banks: Banks = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="SIDE", help="A run, a label, or a revision; default: the files here."),
    ] = None,
    repeat: Annotated[
        int | None, typer.Option("-r", "--repeat", min=1, metavar="N", help="Answers to each case, of files.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write testbanks/.baseline/BANK.jsonl: for each case how often it passed, without any text.

    Nothing is sent: what is missing of files is said, and `llmctl eval` makes it. Put the files into git, so that a
    machine without your store can judge. Saving the same results again changes nothing.
    """
    from llmctl.cli.screen import print_json, stdout
    from llmctl.compare.gate.baseline import read_baseline, write_baseline
    from llmctl.compare.gate.origins import prompt_origins
    from llmctl.compare.gate.side_evidence import side_evidence
    from llmctl.compare.sides.context import SideContext
    from llmctl.compare.sides.opening import open_sides
    from llmctl.compare.sides.references import resolve
    from llmctl.report.baselines import baselines_json
    from llmctl.runs.selection import Selection

    session: Session = ctx.obj
    config = session.config
    named = _names(session, banks or ())
    selection = Selection(banks=tuple(named), repeat=repeat or config.eval.repeat)
    context = SideContext(config, session.environ, selection)
    reference = resolve(source, context)
    with open_sides(context, reference) as sides:
        side = sides.sides[0]
        cells = {cell: one for cell, one in side_evidence(side).items() if not named or cell.bank in named}
        _check(side, cells, named, config.gate.max_missing)
        origins = _kept(config, prompt_origins(side), cells)
        written = [write_baseline(config, bank, cells, origins) for bank in dict.fromkeys(cell.bank for cell in cells)]
    if as_json:
        saved = [one for bank in dict.fromkeys(cell.bank for cell in cells) if (one := read_baseline(config, bank))]
        print_json(baselines_json(saved))
        return
    for path in written:
        stdout().print(f"wrote {path}", soft_wrap=True)


@app.command("show")
def show(
    ctx: typer.Context,
    banks: Banks = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show the committed baselines: pass rates, and the commit that each prompt came from."""
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.baselines import baselines_json, render_baselines

    session: Session = ctx.obj
    found = _saved(session, banks or ())
    if as_json:
        print_json(baselines_json(found))
    elif found:
        render_baselines(stdout(), found)
    else:
        typer.echo("No baseline is saved. `llmctl baseline save` writes one.", err=True)


def _names(session: Session, banks: Sequence[str]) -> list[str]:
    from llmctl.project import loader

    return loader.resolve_bank_names(session.config, banks)


def _saved(session: Session, banks: Sequence[str]) -> list[Baseline]:
    """The committed baselines of these banks; of all where none is named."""
    from llmctl.compare.gate.baseline import baseline_path, read_baseline
    from llmctl.project import loader
    from llmctl.project.sources import WorkingTree

    names = _names(session, banks) or loader.bank_names(session.config, WorkingTree(session.config.root))
    found = {bank: read_baseline(session.config, bank) for bank in names}
    if banks:
        for bank, baseline in found.items():
            if baseline is None:
                raise UsageError(
                    f"The bank {bank} has no baseline: there is no {baseline_path(session.config, bank)}.",
                    hint=f"Write one: llmctl baseline save {bank}",
                )
    return [baseline for baseline in found.values() if baseline is not None]


def _kept(
    config: Config, origins: Mapping[Cell, PromptOrigin], cells: Mapping[Cell, CellEvidence]
) -> dict[Cell, PromptOrigin]:
    """The origins, but for prompts that the saved file has already.

    Another commit with the same prompt is no reason to change the file.
    """
    from llmctl.compare.gate.baseline import read_baseline

    kept = dict(origins)
    for bank in dict.fromkeys(cell.bank for cell in cells):
        try:
            saved = read_baseline(config, bank)
        except ProjectError:  # damaged, or in conflict after a merge: it is written anew
            continue
        for cell, old in saved.origins.items() if saved is not None else ():
            if cell in kept and old.commit is not None and old.digest == kept[cell].digest:
                kept[cell] = old
    return kept


def _check(side: Side, cells: Mapping[Cell, CellEvidence], named: Sequence[str], max_missing: float) -> None:
    """A baseline with holes would leave gates without a verdict for a reason that nobody sees.

    Raises:
        UsageError: there is nothing to save.
        UnfinishedError: too much is missing.
    """
    if not cells:
        wanted = f" of {', '.join(named)}" if named else ""
        raise UsageError(f"There is nothing{wanted} in {side.title} to save.", hint="`llmctl runs` lists the runs.")
    missing = sum(one.total_missing for one in cells.values())
    wanted_answers = sum(int(one.asked.sum()) + one.unplaced for one in cells.values())
    if missing > max_missing * wanted_answers:
        hint = "Run what is missing with `llmctl eval`, then save again; what is stored is not sent a second time."
        raise UnfinishedError(
            f"Of {wanted_answers:,} answers in {side.title}, {missing:,} are missing: a baseline needs them.", hint=hint
        )
