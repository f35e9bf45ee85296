"""A replay for a person at a terminal: what the evidence says, the tables, then the worst changes with their texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmctl.report.diff_outputs import output_block
from llmctl.report.layout import Cell, Column, block, grid, show, styled
from llmctl.report.numbers import count
from llmctl.report.replay_document import replay_json
from llmctl.report.replay_tables import Table, replay_tables
from llmctl.report.replay_words import (
    choice_sentences,
    evidence_sentences,
    gap_sentences,
    is_worse,
    replay_headline,
    replay_title,
    worst_marks,
)
from llmctl.report.word_diff import DiffBudget
from llmctl.safe_text import one_line
from llmctl.traffic.replay.findings.report import CandidateFindings, Kind, ReplayReport, WorstCall
from llmctl.traffic.replay.records import Mode

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["render_replay", "replay_json", "replay_text"]

_STYLES = {True: "bold red", False: "bold green", None: "bold"}
_QUESTION_LINES = 2


def render_replay(console: Console, report: ReplayReport) -> None:
    """Print the report at the console's width, in colour where it has any."""
    colour = console.color_system is not None and not console.no_color
    show(console, replay_text(report, console.width, colour=colour))


def replay_text(report: ReplayReport, width: int, *, colour: bool = False) -> Text:
    """What was chosen, then each candidate."""
    from rich.text import Text

    budget = DiffBudget(3_000_000)
    parts = [_head(report, width)]
    parts += [_candidate(found, report, width, budget, colour=colour) for found in report.candidates]
    return Text("\n").join(parts)


def _head(report: ReplayReport, width: int) -> Text:
    text = styled(f"{one_line(replay_title(report), width)}\n", "bold")
    for sentence in choice_sentences(report.choice):
        text.append_text(_sentence(sentence, width))
    for note in report.notes:
        text.append_text(_sentence(note, width, "yellow"))
    return text


def _candidate(found: CandidateFindings, report: ReplayReport, width: int, budget: DiffBudget, *, colour: bool) -> Text:
    text = styled(f"{one_line(found.candidate, width)}\n", "bold cyan")
    text.append_text(_sentence(replay_headline(found), width, _STYLES[is_worse(found)]))
    for sentence in (*evidence_sentences(found), *gap_sentences(found)):
        text.append_text(_sentence(sentence, width))
    for table in replay_tables(found):
        text.append("\n").append_text(_table(table, width))
    return text.append_text(_worst(found, report.mode, width, budget, colour=colour))


def _table(table: Table, width: int) -> Text:
    columns = [
        Column(title, is_label=number == 0, droppable=number in table.droppable)
        for number, title in enumerate(table.columns)
    ]
    text = styled(f"{table.title}\n", "bold")
    text.append_text(grid(columns, [[Cell(cell) for cell in row] for row in table.rows], width))
    return text.append(f"  ... and {count(table.more)} more\n", style="dim") if table.more else text


def _worst(found: CandidateFindings, mode: Mode, width: int, budget: DiffBudget, *, colour: bool) -> Text:
    from rich.text import Text

    text = Text()
    if not found.worst_count:
        return text
    title = "Logged answers that fail" if mode is Mode.OUTPUT_ONLY else "The worst changes first"
    text.append(f"\n{title}: {count(found.worst_count)}\n", style="bold")
    for case in found.worst:
        text.append_text(_case(case, mode, width, budget, colour=colour))
    rest = found.worst_count - len(found.worst)
    if rest:
        text.append(f"  ... and {count(rest)} more (--worst N)\n", style="dim")
    return text


def _case(case: WorstCall, mode: Mode, width: int, budget: DiffBudget, *, colour: bool) -> Text:
    text = styled(f"  {one_line(case.id, width - 2)}\n", "bold")
    marks = "; ".join(worst_marks(case, mode))
    if marks:
        text.append_text(block("", Cell(marks, "red" if case.kind is Kind.BROKEN else "yellow"), width, column=0))
    if case.question:
        room = _QUESTION_LINES * max(width - 14, 20)
        text.append_text(block("asked", Cell(one_line(case.question, room), "dim"), width))
    if mode is Mode.OUTPUT_ONLY:
        text.append_text(block("logged", Cell(one_line(case.observed, 6 * max(width - 14, 20))), width))
    else:
        text.append_text(output_block(case.observed, case.candidate, width, colour=colour, budget=budget))
    if case.reason and case.passed is False:
        text.append_text(block("why", Cell(one_line(case.reason, 3 * max(width - 14, 20)), "dim"), width))
    return text


def _sentence(text: str, width: int, style: str = "") -> Text:
    return block("", Cell(text, style), width, indent=0, column=0)
