"""The page of a diff: what broke, what was fixed, how sure that is, and every pair of answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TextIO

from llmctl.compare.diff_report import CellDiff, Change, Difference, DiffReport, FlippedCase
from llmctl.report.diff_sources import change_title, changed_lines
from llmctl.report.diff_words import cell_title, counts, gaps, headline, report_headline, sensitivity
from llmctl.report.html.cards import Card
from llmctl.report.html.page import Listing, write_page
from llmctl.report.html.rows import Reason, Row, Status, cut, shown
from llmctl.report.word_diff import Piece, PieceKind, word_diff

__all__ = ["flip_row", "write_diff_page"]

_LISTING = Listing(
    (Status.WORSE, Status.BETTER, Status.CHANGED, Status.NO_EVIDENCE, Status.SAME),
    before="Before",
    output="After",
    pairs=True,
)
_WHOLE = 4_000
"""Characters of a source that is shown whole, with the words that changed; of longer ones, the lines that changed."""
_SCALES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def write_diff_page(file: TextIO, report: DiffReport, details: Iterable[FlippedCase]) -> None:
    """Write the page; the details are read one at a time."""
    cells = [_CellView(cell) for cell in report.cells]
    values = {
        "report": report,
        "cells": cells,
        "headline": report_headline(report),
        "regressions": [card for cell in cells for card in cell.regressions],
        "fixes": [card for cell in cells for card in cell.fixes],
        "regression_count": sum(cell.regression_count for cell in report.cells),
        "fix_count": sum(cell.fix_count for cell in report.cells),
        "changed_outputs": sum(cell.changed_outputs for cell in report.cells),
        "changes": [_ChangeView.of(change) for change in report.changes],
        "scale": _scale(cell.difference for cell in report.cells),
    }
    write_page(file, "diff.html", values, _LISTING, _rows(report, details))


def _rows(report: DiffReport, details: Iterable[FlippedCase]) -> Iterator[Row]:
    """All that is given; without details, the flips of the report."""
    empty = True
    for case in details:
        empty = False
        yield flip_row(case)
    if empty:
        for cell in report.cells:
            yield from map(flip_row, (*cell.regressions, *cell.fixes))


def flip_row(case: FlippedCase) -> Row:
    """A pair as the page lists it."""
    return Row(
        status=_status(case),
        bank=case.name.bank,
        case=case.name.case_id,
        prompt=case.cell.prompt,
        model=case.cell.model,
        tags=case.tags,
        must_pass=case.must_pass,
        flaky=case.flaky,
        expected=case.expected,
        before=case.output_a,
        output=case.output_b,
        why=_reasons(case.reason_b),
        why_before=_reasons(case.reason_a),
        passes=_passes(case.passed_b, case.evidence_b),
        passes_before=_passes(case.passed_a, case.evidence_a),
        latency_ms=case.latency_b_ms,
        latency_before_ms=case.latency_a_ms,
        cost_usd=case.cost_b_usd,
        cost_before_usd=case.cost_a_usd,
    )


def _status(case: FlippedCase) -> Status:
    """By the shares of the repeats that passed."""
    if not case.evidence_a or not case.evidence_b:
        return Status.NO_EVIDENCE
    before, after = case.passed_a * case.evidence_b, case.passed_b * case.evidence_a
    if before != after:
        return Status.WORSE if after < before else Status.BETTER
    return Status.SAME if case.output_a == case.output_b else Status.CHANGED


def _reasons(text: str) -> tuple[Reason, ...]:
    return (Reason("", "", None, text),) if text else ()


def _passes(passed: int, evidence: int) -> str:
    return f"{passed} of {evidence}" if evidence > 1 else ""


class _CellView:
    """A cell with what the page says of it."""

    def __init__(self, cell: CellDiff) -> None:
        self.diff = cell
        self.title = cell_title(cell)
        self.headline = headline(cell)
        self.counts = counts(cell)
        self.gaps = gaps(cell)
        self.sensitivity = sensitivity(cell)
        self.regressions = [Card.of(flip_row(case)) for case in cell.regressions]
        self.fixes = [Card.of(flip_row(case)) for case in cell.fixes]
        self.metric_scale = _scale(one.difference for one in cell.metrics)
        self.tag_scale = _scale(one.difference for one in cell.tags)


@dataclass(frozen=True, slots=True)
class _ChangeView:
    """A change of a prompt, model, bank ..., and what differs in it."""

    change: Change
    title: str
    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, change: Change) -> _ChangeView:
        before, after = change.before or "", change.after or ""
        whole = max(len(before), len(after)) <= _WHOLE
        pieces = word_diff(shown(before), shown(after)) if whole else _lines(change)
        return cls(change, change_title(change), tuple(pieces))


def _lines(change: Change) -> Iterator[Piece]:
    kinds = {"-": PieceKind.REMOVED, "+": PieceKind.ADDED}
    for line in changed_lines(change):
        kind = kinds.get(line[:1], PieceKind.EQUAL)
        yield Piece(kind, cut("..." if line == "@@" else line[1:], _WHOLE))
        yield Piece(PieceKind.EQUAL, "\n")


def _scale(differences: Iterable[Difference | None]) -> float:
    """Where the axis of the differences ends: the first round number that holds them all."""
    ends = [
        abs(end)
        for one in differences
        if one is not None
        for end in (one.value, one.low, one.high)
        if end is not None and math.isfinite(end)
    ]
    widest = max(ends, default=0.0)
    return next((scale for scale in _SCALES if widest <= scale), widest)
