"""The list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmctl.report.layout import Cell, Column, grid, show, styled
from llmctl.report.model import Amount
from llmctl.report.numbers import UNKNOWN, count, money_amount, percent
from llmctl.runs.records import RunStatus

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from llmctl.runs.history import RunSummary

__all__ = ["render_runs", "runs_text"]

_USUAL = "eval"
_WITH_A_VALUE = ("-C", "--env-file")


def render_runs(console: Console, runs: Sequence[RunSummary]) -> None:
    """Print the list at the console's width."""
    show(console, runs_text(runs, console.width))


def runs_text(runs: Sequence[RunSummary], width: int) -> Text:
    """One line a run, in the order given."""
    if not runs:
        return styled("No runs yet. Next: llmctl eval\n")
    columns = [
        Column("run", is_label=True),
        Column("started (UTC)", is_label=True),
        Column("status", is_label=True),
        *([Column("by", is_label=True, droppable=True)] if any(_made_by(run) != _USUAL for run in runs) else []),
        Column("passed"),
        Column("rate"),
        *([Column("coverage")] if any(_gap(run) for run in runs) else []),
        Column("cost", droppable=True),
        *([Column("label", is_label=True, max_width=24)] if any(run.label for run in runs) else []),
        Column("at", is_label=True, droppable=True, max_width=32),
    ]
    text = grid(columns, [_row(run, columns) for run in runs], width, indent=0)
    for run in runs:
        if run.damaged_lines:
            said = f"{run.run_id}: {count(run.damaged_lines)} lines of its journal are damaged and not counted.\n"
            text.append_text(styled(said, "yellow"))
    return text


def _row(run: RunSummary, columns: Sequence[Column]) -> list[Cell]:
    evidence = run.passed + run.failed
    cells = {
        "run": Cell(run.run_id),
        "started (UTC)": Cell(f"{run.started_at:%Y-%m-%d %H:%M}"),
        "status": Cell(str(run.status), "" if str(run.status) == RunStatus.COMPLETED.value else "yellow"),
        "by": Cell(_made_by(run)),
        "passed": Cell(f"{count(run.passed)}/{count(evidence)}"),
        "rate": Cell(percent(run.passed, evidence) if evidence else "-"),
        "coverage": Cell(_coverage(run), "yellow" if _gap(run) else ""),
        "cost": Cell(_cost(run)),
        "label": Cell(run.label or ""),
        "at": Cell(_revision(run)),
    }
    return [cells[column.title] for column in columns]


def _made_by(run: RunSummary) -> str:
    """The command that made the run; a comparison makes some to fill its gaps."""
    words = iter(run.command.split()[1:])
    for word in words:
        if word in _WITH_A_VALUE:
            next(words, "")
        elif not word.startswith("-"):
            return word
    return ""


def _cost(run: RunSummary) -> str:
    return UNKNOWN if run.cost_usd is None else money_amount(Amount(run.cost_usd, run.unpriced_calls))


def _gap(run: RunSummary) -> bool:
    return run.passed + run.failed < run.planned


def _coverage(run: RunSummary) -> str:
    return percent(run.passed + run.failed, run.planned) if run.planned else "-"


def _revision(run: RunSummary) -> str:
    if not run.commit:
        return ""
    changed = "+changes" if run.dirty else ""
    return " ".join(part for part in (f"{run.commit[:9]}{changed}", run.branch) if part)
