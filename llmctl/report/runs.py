"""The list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from llmctl.report.layout import Cell, Column, grid, show, styled
from llmctl.report.numbers import count, money, percent
from llmctl.runs.records import RunStatus

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["RunLine", "render_runs", "runs_text"]


class RunLine(Protocol):
    """What the list shows of a run; `llmctl.runs.history.RunSummary` is one."""

    @property
    def run_id(self) -> str:
        """Its id."""

    @property
    def label(self) -> str | None:
        """The name that the user gave it."""

    @property
    def status(self) -> str:
        """How it ended, or that it is running or was killed."""

    @property
    def started_at(self) -> datetime:
        """When, in UTC."""

    @property
    def commit(self) -> str | None:
        """The commit it ran at."""

    @property
    def branch(self) -> str | None:
        """The branch it ran on."""

    @property
    def dirty(self) -> bool | None:
        """Whether files were changed since the commit."""

    @property
    def planned(self) -> int:
        """Results in the plan."""

    @property
    def done(self) -> int:
        """Results made."""

    @property
    def passed(self) -> int:
        """Results that passed."""

    @property
    def failed(self) -> int:
        """Results that failed."""

    @property
    def cost_usd(self) -> float | None:
        """What it cost; None: unknown."""


def render_runs(console: Console, runs: Sequence[RunLine]) -> None:
    """Print the list at the console's width."""
    show(console, runs_text(runs, console.width))


def runs_text(runs: Sequence[RunLine], width: int) -> Text:
    """One line a run, in the order given."""
    if not runs:
        return styled("No runs yet. Next: llmctl eval\n")
    columns = [
        Column("run", is_label=True),
        Column("started (UTC)", is_label=True),
        Column("status", is_label=True),
        Column("passed"),
        Column("rate"),
        *([Column("coverage")] if any(_gap(run) for run in runs) else []),
        Column("cost", droppable=True),
        *([Column("label", is_label=True, max_width=24)] if any(run.label for run in runs) else []),
        Column("at", is_label=True, droppable=True, max_width=32),
    ]
    return grid(columns, [_row(run, columns) for run in runs], width, indent=0)


def _row(run: RunLine, columns: Sequence[Column]) -> list[Cell]:
    evidence = run.passed + run.failed
    cells = {
        "run": Cell(run.run_id),
        "started (UTC)": Cell(f"{run.started_at:%Y-%m-%d %H:%M}"),
        "status": Cell(str(run.status), "" if run.status == RunStatus.COMPLETED else "yellow"),
        "passed": Cell(f"{count(run.passed)}/{count(evidence)}"),
        "rate": Cell(percent(run.passed, evidence) if evidence else "-"),
        "coverage": Cell(_coverage(run), "yellow" if _gap(run) else ""),
        "cost": Cell("unknown" if run.cost_usd is None else money(run.cost_usd)),
        "label": Cell(run.label or ""),
        "at": Cell(_revision(run)),
    }
    return [cells[column.title] for column in columns]


def _gap(run: RunLine) -> bool:
    return run.passed + run.failed < run.planned


def _coverage(run: RunLine) -> str:
    return percent(run.passed + run.failed, run.planned) if run.planned else "-"


def _revision(run: RunLine) -> str:
    if not run.commit:
        return ""
    changed = "+changes" if run.dirty else ""
    return " ".join(part for part in (run.branch, f"{run.commit[:9]}{changed}") if part)
