"""A diff for a person at a terminal: what the evidence says, the flips with their outputs, then the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from llmctl.compare.diff_report import CellDiff, Change, DiffReport, FlippedCase, MetricDiff, RatioDiff, TagDiff
from llmctl.report.diff_outputs import output_block
from llmctl.report.diff_sources import change_title, changed_lines
from llmctl.report.diff_words import (
    Direction,
    answers,
    cell_title,
    counts,
    direction,
    evidence,
    gaps,
    headline,
    p_text,
    ratio_text,
    report_headline,
    sensitivity,
    spread,
)
from llmctl.report.layout import Cell, Column, block, grid, show, styled, text_block
from llmctl.report.numbers import count, latency, money, percent
from llmctl.report.word_diff import DiffBudget
from llmctl.safe_text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["diff_text", "render_diff"]

_STYLES = {
    Direction.BETTER: "bold green",
    Direction.WORSE: "bold red",
    Direction.OPEN: "bold",
    Direction.SAME: "bold",
    Direction.NOTHING: "bold yellow",
}
_CHANGE_LINES = 24
_ROWS = 20
"""Of a table."""


def render_diff(console: Console, report: DiffReport) -> None:
    """Print the report at the console's width, in colour where it has any."""
    colour = console.color_system is not None and not console.no_color
    show(console, diff_text(report, console.width, colour=colour))


def diff_text(report: DiffReport, width: int, *, colour: bool = False) -> Text:
    """Head, each cell, and what changed in the sources."""
    from rich.text import Text

    budget = DiffBudget(3_000_000)
    parts: list[Text | None] = [_head(report, width)]
    parts += [_cell(cell, width, budget, colour=colour) for cell in report.cells]
    parts += [_only(report, width), _changes(report.changes, width), _closing(report, width)]
    return Text("\n").join(part for part in parts if part)


def _head(report: DiffReport, width: int) -> Text:
    text = styled(f"{one_line(report.a.title, 80)} -> {one_line(report.b.title, 80)}\n", "bold")
    if len(report.cells) > 1:
        text.append(f"{report_headline(report)}\n")
    for note in report.notes:
        text.append_text(block("", Cell(note, "yellow"), width, indent=0, column=0))
    return text


def _cell(cell: CellDiff, width: int, budget: DiffBudget, *, colour: bool) -> Text:
    text = styled(f"{cell_title(cell, width)}\n", "bold cyan")
    text.append_text(block("", Cell(headline(cell), _STYLES[direction(cell)]), width, indent=0, column=0))
    for sentence in (evidence(cell), counts(cell) if cell.pairs else "", *gaps(cell)):
        if sentence:
            text.append_text(block("", Cell(sentence), width, indent=0, column=0))
    for heading, style, cases, number in (
        ("Regressions", "bold red", cell.regressions, cell.regression_count),
        ("Fixes", "bold green", cell.fixes, cell.fix_count),
    ):
        if number:
            text.append(f"\n{heading}: {count(number)}\n", style=style)
            for case in cases:
                text.append_text(_case(case, width, budget, colour=colour))
            if number > len(cases):
                text.append(f"  ... and {count(number - len(cases))} more (--limit N)\n", style="dim")
    for table in _tables(cell, width):
        text.append("\n").append_text(table)
    if said := sensitivity(cell):
        text.append("\n").append_text(block("", Cell(said), width, indent=0, column=0))
    return text


def _tables(cell: CellDiff, width: int) -> list[Text]:
    """By metric, by tag, latency and cost; none where both sides are the same."""
    if direction(cell) is Direction.SAME:
        return []
    tables = (_metrics(cell.metrics, width), _tags(cell, width), _ratios(cell, width))
    return [table for table in tables if table]


def _case(case: FlippedCase, width: int, budget: DiffBudget, *, colour: bool) -> Text:
    marks = [
        *(["must pass"] if case.must_pass else []),
        *(["flaky: may be noise"] if case.flaky else []),
        *([said] if (said := answers(case)) else []),
    ]
    mark = "  ".join(marks)
    text = styled(f"  {one_line(case.name.case_id, max(width - len(mark) - 4, 20))}", "bold")
    text.append(f"  {mark}\n" if mark else "\n", style="yellow")
    if case.expected is not None:
        text.append_text(block("expected", Cell(one_line(case.expected, 3 * max(width - 16, 20)) or '""'), width))
    text.append_text(output_block(case.output_a, case.output_b, width, colour=colour, budget=budget))
    reason = case.reason_b or (f"before: {case.reason_a}" if case.reason_a else "")
    if reason:
        text.append_text(block("why", Cell(one_line(reason, 3 * max(width - 16, 20)), "dim"), width))
    return text


def _metrics(rows: Sequence[MetricDiff], width: int) -> Text | None:
    if len(rows) < 2:
        return None
    columns = [
        Column("metric", is_label=True),
        Column("pairs"),
        Column("A"),
        Column("B"),
        Column("difference [95 %]"),
        Column("p"),
        Column("adjusted", droppable=True),
    ]
    cells = [
        [
            Cell(row.metric),
            Cell(count(row.pairs)),
            Cell(f"{row.mean_a:.3f}"),
            Cell(f"{row.mean_b:.3f}"),
            Cell(spread(row.difference)),
            Cell(p_text(row.difference.p_value)),
            Cell(p_text(row.difference.adjusted_p)),
        ]
        for row in rows[:_ROWS]
    ]
    text = styled("By metric: mean score, difference in points\n", "bold") + grid(columns, cells, width)
    return _more(text, len(rows) - len(cells), "metrics")


def _tags(cell: CellDiff, width: int) -> Text | None:
    rows = sorted(cell.tags, key=_by_adjusted)
    if not rows:
        return None
    columns = [
        Column("tag", is_label=True),
        Column("pairs"),
        Column("A"),
        Column("B"),
        Column("difference [95 %]"),
        Column("p"),
        Column("adjusted p"),
    ]
    cells = [
        [
            Cell(row.tag),
            Cell(count(row.pairs)),
            Cell(percent(row.rate_a.passed, row.rate_a.evidence)),
            Cell(percent(row.rate_b.passed, row.rate_b.evidence)),
            Cell(spread(row.difference)),
            Cell(p_text(row.difference.p_value)),
            Cell(p_text(row.difference.adjusted_p)),
        ]
        for row in rows[:_ROWS]
    ]
    text = styled("By tag: reported only, p adjusted over all tags\n", "bold") + grid(columns, cells, width)
    return _more(text, len(rows) - len(cells) + cell.tags_left_out, "tags")


def _by_adjusted(row: TagDiff) -> tuple[float, int, str]:
    adjusted = row.difference.adjusted_p
    return (1.0 if adjusted is None else adjusted, -row.pairs, row.tag)


def _ratios(cell: CellDiff, width: int) -> Text | None:
    rows = [
        _ratio("latency", cell.latency, *(latency(value) for value in _medians(cell.latency))),
        _ratio("cost", cell.cost, *("-" if value is None else money(value) for value in _medians(cell.cost))),
    ]
    shown = [row for row in rows if row]
    if not shown:
        return None
    columns = [
        Column("", is_label=True),
        Column("pairs"),
        Column("median A"),
        Column("median B"),
        Column("ratio [95 %]"),
    ]
    return styled("Latency and cost of the pairs that are different calls\n", "bold") + grid(columns, shown, width)


def _medians(ratio: RatioDiff | None) -> tuple[float | None, float | None]:
    return (ratio.before, ratio.after) if ratio else (None, None)


def _ratio(name: str, ratio: RatioDiff | None, before: str, after: str) -> list[Cell] | None:
    if ratio is None:
        return None
    return [Cell(name), Cell(count(ratio.pairs)), Cell(before), Cell(after), Cell(ratio_text(ratio))]


def _more(text: Text, number: int, what: str) -> Text:
    return text.append(f"  ... and {count(number)} more {what}\n", style="dim") if number > 0 else text


def _only(report: DiffReport, width: int) -> Text | None:
    lines = [
        f"On side {letter} only: {one_line(str(cell), max(width - 16, 20))}"
        for letter, cells in (("A", report.only_in_a), ("B", report.only_in_b))
        for cell in cells
    ]
    return styled("\n".join(lines) + "\n", "yellow") if lines else None


def _changes(changes: Sequence[Change], width: int) -> Text | None:
    if not changes:
        return None
    text = styled("What changed\n", "bold")
    for change in changes:
        text.append(f"  {one_line(change_title(change), width - 2)}\n", style="bold")
        for line in _cut(changed_lines(change)):
            text.append_text(text_block("", _line(line), width, indent=4, column=0))
    return text


def _cut(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number >= _CHANGE_LINES:
            yield f"  ... and {count(1 + sum(1 for _ in lines))} more lines (-o FILE has all of them)"
            return
        yield line


def _line(line: str) -> Text:
    style = {"+": "green", "-": "red", "@": "dim"}.get(line[:1], "")
    return styled(line, style)


def _closing(report: DiffReport, width: int) -> Text | None:
    if not report.empty or not report.cells:
        return None
    return block("", Cell("No result differs."), width, indent=0, column=0)
