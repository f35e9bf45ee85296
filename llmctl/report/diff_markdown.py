"""A diff on one Markdown page, for a pull request or for somebody who writes prompts rather than code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from llmctl.compare.diff_report import CellDiff, Change, DiffReport, FlippedCase
from llmctl.report.diff_outputs import marked
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
    rate_text,
    ratio_text,
    report_headline,
    sensitivity,
    spread,
)
from llmctl.report.markdown_file import code, fenced
from llmctl.report.numbers import count, percent
from llmctl.report.word_diff import DiffBudget, word_diff

__all__ = ["write_diff_markdown"]

_MOST_LINES = 200


def write_diff_markdown(file: TextIO, report: DiffReport) -> None:
    """Write the evidence of each cell, its flips with their outputs, the tables, and what changed."""
    file.write(f"# {code(report.a.title)} -> {code(report.b.title)}\n")
    if len(report.cells) > 1:
        file.write(f"\n**{report_headline(report)}**\n\n")
        file.writelines(_table(["cell", "A", "B", "difference [95 %]", "p"], map(_cell_row, report.cells)))
    for note in report.notes:
        file.write(f"\n{code(note, 400)}\n")
    budget = DiffBudget(10_000_000)
    for cell in report.cells:
        file.writelines(_cell(cell, budget))
    for letter, cells in (("A", report.only_in_a), ("B", report.only_in_b)):
        file.writelines(f"\nOn side {letter} only: {code(str(one))}\n" for one in cells)
    if report.changes:
        file.write("\n## What changed\n")
        file.writelines(map(_change, report.changes))


def _cell(cell: CellDiff, budget: DiffBudget) -> Iterator[str]:
    yield f"\n## {code(cell_title(cell))}\n\n**{headline(cell)}**\n"
    for sentence in (evidence(cell), counts(cell) if cell.pairs else "", sensitivity(cell)):
        if sentence:
            yield f"\n{sentence}\n"
    # Ids of cases and reasons of evaluators stand in these.
    for sentence in gaps(cell):
        yield f"\n{code(sentence, 400)}\n"
    for heading, cases, number in (
        ("Regressions", cell.regressions, cell.regression_count),
        ("Fixes", cell.fixes, cell.fix_count),
    ):
        if number:
            yield f"\n### {heading}: {count(number)}\n"
            for case in cases:
                yield _case(case, budget)
            if number > len(cases):
                yield f"\n... and {count(number - len(cases))} more.\n"
    yield from _tables(cell)


def _tables(cell: CellDiff) -> Iterator[str]:
    if direction(cell) is Direction.SAME:
        return
    if len(cell.metrics) > 1:
        rows = [
            [
                _label(row.metric),
                count(row.pairs),
                f"{row.mean_a:.3f}",
                f"{row.mean_b:.3f}",
                spread(row.difference),
                p_text(row.difference.adjusted_p),
            ]
            for row in cell.metrics
        ]
        yield "\n### By metric\n\n"
        yield from _table(["metric", "pairs", "A", "B", "difference in points [95 %]", "adjusted p"], rows)
    if cell.tags:
        tags = [
            [
                _label(row.tag),
                count(row.pairs),
                percent(row.rate_a.passed, row.rate_a.evidence),
                percent(row.rate_b.passed, row.rate_b.evidence),
                spread(row.difference),
                p_text(row.difference.adjusted_p),
            ]
            for row in cell.tags
        ]
        yield "\n### By tag\n\nReported only; p adjusted over all tags.\n\n"
        yield from _table(["tag", "pairs", "A", "B", "difference in points [95 %]", "adjusted p"], tags)
    ratios = [[name, ratio_text(one)] for name, one in (("latency", cell.latency), ("cost", cell.cost)) if one]
    if ratios:
        yield "\n### Latency and cost\n\n"
        yield from _table(["", "B over A [95 %]"], ratios)


def _cell_row(cell: CellDiff) -> list[str]:
    difference = cell.difference
    return [
        _label(cell_title(cell)),
        rate_text(cell.rate_a),
        rate_text(cell.rate_b),
        spread(difference) if difference else "-",
        p_text(difference.p_value) if difference else "-",
    ]


def _case(case: FlippedCase, budget: DiffBudget) -> str:
    marks = [
        *(["must pass"] if case.must_pass else []),
        *(["flaky: may be noise"] if case.flaky else []),
        *([said] if (said := answers(case)) else []),
    ]
    text = f"\n#### {code(case.name.case_id)}{' (' + ', '.join(marks) + ')' if marks else ''}\n\n"
    if case.expected is not None:
        text += f"Expected:\n\n{fenced(case.expected)}\n"
    if case.output_a is None or case.output_b is None:
        for name, output in (("Before", case.output_a), ("After", case.output_b)):
            text += f"{name}:\n\n{fenced(output)}\n" if output is not None else f"{name}: nothing.\n\n"
    else:
        text += f"Output:\n\n{fenced(marked(word_diff(case.output_a, case.output_b, budget)))}\n"
    reason = case.reason_b or case.reason_a
    return text + (f"{'Why' if case.reason_b else 'Why it failed before'}:\n\n{fenced(reason)}" if reason else "")


def _change(change: Change) -> str:
    lines = list(changed_lines(change))
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"... {count(len(lines) - _MOST_LINES)} more lines"]
    body = fenced("\n".join(lines))
    return f"\n### {code(change_title(change))}\n\n{body.replace('text', 'diff', 1)}"


def _label(text: str) -> str:
    # Even inside code a bar would end the cell, and no escape of it survives a backslash before it.
    return code(text.replace("|", "\u00a6"), 80)


def _table(titles: Sequence[str], rows: Iterator[list[str]] | Sequence[list[str]]) -> Iterator[str]:
    for line in (titles, ["---", *["---:"] * (len(titles) - 1)], *rows):
        yield f"| {' | '.join(line)} |\n"
