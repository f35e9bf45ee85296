"""What the sides of a diff lack, and what sending it would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmctl.compare.diff_report import DiffReport
from llmctl.compare.side import Side
from llmctl.report.dry_run import dry_run_json, dry_run_text
from llmctl.report.layout import Cell, block, show, styled
from llmctl.report.numbers import count

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from llmctl.runs.forecast import Forecast

__all__ = ["missing_json", "missing_text", "render_missing"]


def render_missing(console: Console, report: DiffReport, forecast: Forecast) -> None:
    """Print it at the console's width."""
    show(console, missing_text(report, forecast, console.width))


def missing_text(report: DiffReport, forecast: Forecast, width: int) -> Text:
    """What is missing on each side, what would be sent, and how to send it."""
    text = styled("\nMissing\n", "bold yellow")
    for letter, side in (("A", report.a), ("B", report.b)):
        for sentence in _lacks(side):
            text.append_text(block("", Cell(f"Side {letter}, {side.title}: {sentence}"), width, indent=0, column=0))
    text.append("\n").append_text(dry_run_text(forecast, width))
    return text.append("Nothing was sent. --run-missing sends what is missing, then compares.\n", style="bold")


def _lacks(side: Side) -> list[str]:
    sentences = []
    if side.missing:
        sentences.append(f"{count(side.missing)} of {count(side.planned)} results have no stored answer.")
    if side.unjudged:
        sentences.append(f"{count(side.unjudged)} answers are stored and wait for a judge.")
    return sentences


def missing_json(forecast: Forecast | None) -> dict[str, Any] | None:
    """What `--run-missing` would send; None where nothing is missing."""
    if forecast is None:
        return None
    document = dry_run_json(forecast)
    return {name: value for name, value in document.items() if name != "schema"}
