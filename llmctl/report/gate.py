"""The verdict of a gate, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from llmctl.compare.cells import CaseName
from llmctl.compare.verdict import CellVerdict, GateReport, JudgedCase, RuleName, RuleVerdict, Verdict
from llmctl.report.gate_words import (
    exit_sentence,
    headline,
    limit_text,
    observed_text,
    rule_text,
    sides_text,
    spending_text,
)
from llmctl.report.layout import Cell, Column, block, grid, show, styled
from llmctl.report.numbers import count, interval_text, percent
from llmctl.safe_text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["gate_text", "render_gate"]

STYLES = {
    Verdict.PASS: "bold green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
    Verdict.NOT_EVALUATED: "bold magenta",
}
_SHOWN_CASES = 5
_SHOWN_OUTPUT_LINES = 3
_COLUMN = 15
"""Of the verdict before each sentence: as wide as NOT EVALUATED."""


def render_gate(console: Console, report: GateReport) -> None:
    """Print the verdict at the console's width."""
    show(console, gate_text(report, console.width))


def gate_text(report: GateReport, width: int) -> Text:
    """The verdict, a table by cell and rule, the evidence of each with its cases, the cost, the meaning of the exit."""
    from rich.text import Text

    parts = [_top(report, width), _table(report, width)]
    parts += [_cell(cell, width) for cell in report.cells]
    parts.append(_closing(report, width))
    return Text("\n").join(part for part in parts if part)


def _top(report: GateReport, width: int) -> Text:
    verdict, _, rest = headline(report).partition(":")
    text = styled(verdict, STYLES[report.verdict])
    text.append_text(block("", Cell(f":{rest}."), 10 * width, indent=0, column=0))
    text.append_text(block("", Cell(_capital(sides_text(report)) + "."), width, indent=0, column=0))
    for warning in report.warnings:
        text.append_text(block("Warning:", Cell(warning, "yellow"), width, indent=0, column=9))
    return text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _table(report: GateReport, width: int) -> Text | None:
    rows = [row for cell in report.cells for row in _rows(cell, report.cells)]
    if not rows:
        return None
    names = _varying(report.cells)
    columns = [Column(name, is_label=True) for name in names]
    columns += [Column("rule", is_label=True), Column("verdict", is_label=True), Column("limit"), Column("found")]
    return grid(columns, rows, width)


def _varying(cells: Sequence[CellVerdict]) -> list[str]:
    """The parts of a cell's name that tell the cells apart; without several cells none has to."""
    if len(cells) == 1:
        return []
    return [name for name in ("bank", "prompt", "model") if len({getattr(cell.cell, name) for cell in cells}) > 1]


def _rows(cell: CellVerdict, cells: Sequence[CellVerdict]) -> Iterator[list[Cell]]:
    for rule in cell.rules:
        yield [
            *(Cell(getattr(cell.cell, name)) for name in _varying(cells)),
            Cell(rule_text(rule)),
            Cell(rule.verdict.value, STYLES[rule.verdict]),
            Cell(limit_text(rule)),
            Cell(observed_text(rule)),
        ]


def _cell(cell: CellVerdict, width: int) -> Text:
    name = one_line(f"{cell.cell}", max(width - 2, 20))
    text = styled(f"{name}\n", "bold")
    text.append_text(block("", Cell(_counts(cell)), width, indent=2, column=0))
    seen: set[CaseName] = set()
    for rule in cell.rules:
        text.append_text(_rule(rule, width))
        if rule.verdict is not Verdict.PASS:
            text.append_text(_cases(rule.cases, seen, width))
    return text


def _counts(cell: CellVerdict) -> str:
    """`93 of 100 passed: 93.0 % [86, 97]; baseline 96 of 100`."""
    said = "no answer could be judged"
    if cell.evidence:
        said = f"{count(cell.passed)} of {count(cell.evidence)} passed: {percent(cell.passed, cell.evidence)}"
        said += f" {interval_text(cell.interval)}" if cell.interval else ""
    asked = cell.planned if cell.asked is None else cell.asked
    if asked < cell.planned:
        said += f"; {count(asked)} of {count(cell.planned)} asked, the rest could not change the verdict"
    if cell.baseline_evidence:
        said += f"; baseline {count(cell.baseline_passed or 0)} of {count(cell.baseline_evidence)}"
    return said


def _rule(rule: RuleVerdict, width: int) -> Text:
    name = "" if rule.rule is RuleName.COVERAGE else f"{rule_text(rule)}: "
    text = block(rule.verdict.value, Cell(f"{name}{rule.sentence}"), width, indent=2, column=_COLUMN)
    text.stylize(STYLES[rule.verdict], 2, 2 + len(rule.verdict.value))
    for more, style in ((rule.guarantee, "dim"), (rule.advice and f"-> {rule.advice}", "")):
        if more:
            text.append_text(block("", Cell(more, style), width, indent=2, column=_COLUMN))
    return text


def _cases(cases: Sequence[JudgedCase], seen: set[CaseName], width: int) -> Text:
    """The first few in full, unless another rule has shown them: `seen` grows."""
    text = styled("")
    new = [case for case in cases if case.name not in seen]
    known = [case.name.case_id for case in cases if case.name in seen]
    for case in new[:_SHOWN_CASES]:
        seen.add(case.name)
        text.append_text(_case(case, width))
    if len(new) > _SHOWN_CASES:
        text.append(f"    ... and {count(len(new) - _SHOWN_CASES)} more\n", style="dim")
    if known:
        names = one_line(", ".join(known), max(width - 20, 20))
        text.append(f"    shown above: {names}\n", style="dim")
    return text


def _case(case: JudgedCase, width: int) -> Text:
    marks = [mark for mark, on in (("must pass", case.must_pass), ("flaky", case.flaky)) if on]
    if case.evidence > 1 or (case.baseline_evidence or 0) > 1:
        marks.append(_shares(case))
    name = one_line(case.name.case_id, max(width - 8 - sum(len(mark) + 2 for mark in marks), 20))
    text = styled(f"    {name}", "bold")
    if marks:
        text.append(f"  {', '.join(marks)}", style="dim")
    text.append("\n")
    for label, shown in (
        ("expected", case.expected),
        ("got", case.output),
        ("before", case.baseline_output),
        ("why", case.reason or None),
    ):
        if shown is not None:
            text.append_text(block(label, Cell(_short(shown, width)), width, indent=6, column=10))
    return text


def _shares(case: JudgedCase) -> str:
    now = f"passes {count(case.passed)} of {count(case.evidence)}"
    if case.baseline_evidence is None:
        return now
    return f"{now}, before {count(case.baseline_passed or 0)} of {count(case.baseline_evidence)}"


def _short(text: str, width: int) -> str:
    """What fits in three lines; an empty answer is seen."""
    return one_line(text, _SHOWN_OUTPUT_LINES * max(width - 18, 20)) or '""'


def _closing(report: GateReport, width: int) -> Text:
    text = block("", Cell(spending_text(report)), width, indent=0, column=0)
    if report.run_id is not None:
        text.append_text(
            block("", Cell(f"Run {report.run_id}. Next: llmctl show {report.run_id}"), width, indent=0, column=0)
        )
    verdict = report.verdict
    closing = block("", Cell(exit_sentence(report)), width, indent=0, column=0)
    closing.stylize(STYLES[verdict], 0, len(closing.plain.partition(":")[0]))
    return text.append_text(closing)
