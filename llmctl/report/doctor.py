"""What `llmctl doctor` found: a table of everything that was looked at, and below it what to know and do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from llmctl.report.layout import Cell, Column, block, grid, show, styled
from llmctl.runs.checkup import Check, Remark, State, worst

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["doctor_json", "doctor_text", "render_doctor"]

_STYLES = {State.OK: "green", State.NOTE: "", State.REPAIRED: "yellow", State.PROBLEM: "bold red"}
_ENDS = {
    State.OK: "The store is sound.",
    State.NOTE: "The store is sound.",
    State.REPAIRED: "The store was repaired; nothing is lost.",
    State.PROBLEM: "Something is lost, or could not be repaired.",
}


def render_doctor(console: Console, store: Path, checks: Sequence[Check]) -> None:
    """Print the findings at the console's width."""
    show(console, doctor_text(store, checks, console.width))


def doctor_text(store: Path, checks: Sequence[Check], width: int) -> Text:
    """The table, the remarks, and one closing sentence."""
    text = styled(f"Store {store}\n\n")
    columns = [Column("check", is_label=True), Column("state", is_label=True), Column("", is_label=True, max_width=56)]
    rows = [[Cell(check.name), _state(check.state), Cell(check.summary)] for check in checks]
    text.append_text(grid(columns, rows, width, indent=0))
    for check in checks:
        told = [remark for remark in check.remarks if remark.text]
        if told:
            text.append_text(styled(f"\n{check.name}\n", "bold"))
        for remark in told:
            text.append_text(_remark(remark, width))
    end = worst(check.state for check in checks)
    text.append("\n")
    return text.append_text(styled(f"{_ENDS[end]}\n", _STYLES[end]))


def _state(state: State) -> Cell:
    return Cell(state.value, _STYLES[state])


def _remark(remark: Remark, width: int) -> Text:
    """The sentence under its state, and the way out below it."""
    label = "" if remark.state is State.OK else f"{remark.state.value}:"
    column = len(label) + 1 if label else 0
    text = block(label, Cell(remark.text), width, indent=2, column=column)
    text.stylize(_STYLES[remark.state], 2, 2 + len(label))
    if remark.hint:
        text.append_text(block("", Cell(remark.hint, "dim"), width, indent=2 + column, column=0))
    return text


def doctor_json(store: Path, checks: Sequence[Check]) -> dict[str, object]:
    """The findings as one document, `llmctl/doctor/1`."""
    return {
        "schema": "llmctl/doctor/1",
        "store": store,
        "state": worst(check.state for check in checks).value,
        "checks": [
            {
                "check": check.name,
                "state": check.state.value,
                "summary": check.summary,
                "remarks": [asdict(remark) for remark in check.remarks],
                **check.facts,
            }
            for check in checks
        ],
    }
