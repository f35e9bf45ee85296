"""Targets side by side, for a person at a terminal and as data."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from llmctl.compare.targets.report import BankComparison, Claim, ComparedTarget, TargetComparison
from llmctl.report.compare_words import (
    claim_sentence,
    cost_text,
    coverage_text,
    headline,
    shared_sentence,
)
from llmctl.report.diff_words import rate_text
from llmctl.report.layout import Cell, Column, block, grid, show, styled
from llmctl.report.numbers import latency
from llmctl.safe_text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["comparison_json", "comparison_text", "render_comparison"]


def render_comparison(console: Console, report: TargetComparison) -> None:
    """Print the comparison at the console's width."""
    show(console, comparison_text(report, console.width))


def comparison_text(report: TargetComparison, width: int) -> Text:
    """Each bank: what is best, the table, and every claim."""
    from rich.text import Text

    parts = [styled(f"{one_line(report.title, max(width, 40))}\n", "bold")]
    parts += [_bank(bank, width) for bank in report.banks]
    if report.notes:
        parts.append(Text().join(block("", Cell(note, "dim"), width, indent=0, column=0) for note in report.notes))
    return Text("\n").join(parts)


def _bank(bank: BankComparison, width: int) -> Text:
    text = styled(f"{one_line(bank.bank, width)}\n", "bold cyan")
    text.append_text(block("", Cell(headline(bank), "bold"), width, indent=0, column=0))
    for sentence in filter(None, [shared_sentence(bank)]):
        text.append_text(block("", Cell(sentence), width, indent=0, column=0))
    if not bank.shared:
        return text
    text.append("\n").append_text(_table(bank, width))
    text.append(
        "  * Pareto front: none is at least as good in all of quality, cost and p50, and better in one.\n", "dim"
    )
    if bank.claims:
        text.append("\n")
    for claim in bank.claims:
        text.append_text(block("", Cell(claim_sentence(claim)), width, indent=2, column=0))
    return text


def _table(bank: BankComparison, width: int) -> Text:
    gaps = any(target.evidence < target.planned for target in bank.targets)
    columns = [Column("", is_label=True), Column("prompt", is_label=True), Column("model", is_label=True)]
    columns += [Column("rate [95 %]"), *([Column("coverage")] if gaps else [])]
    columns += [Column("cost of 1,000"), Column("p50"), Column("p95")]
    rows = [_row(target, gaps) for target in bank.targets]
    return grid(columns, rows, width)


def _row(target: ComparedTarget, gaps: bool) -> list[Cell]:
    style = "bold" if target.on_front else ""
    cells = [Cell("*" if target.on_front else ""), Cell(target.name.prompt, style), Cell(target.name.model, style)]
    cells.append(Cell(rate_text(target.rate)))
    if gaps:
        cells.append(Cell(coverage_text(target), "yellow" if target.evidence < target.planned else ""))
    return [*cells, Cell(cost_text(target)), Cell(latency(target.latency_p50_ms)), Cell(latency(target.latency_p95_ms))]


def comparison_json(report: TargetComparison) -> dict[str, Any]:
    """The comparison as data, `llmctl/compare/1`. Rates and leads are shares: 0.05 is 5 points."""
    return {
        "schema": "llmctl/compare/1",
        "title": report.title,
        "run_id": report.run_id,
        "alpha": report.alpha,
        "banks": [_bank_json(bank) for bank in report.banks],
        "notes": list(report.notes),
    }


def _bank_json(bank: BankComparison) -> dict[str, Any]:
    return {
        "bank": bank.bank,
        "cases": bank.cases,
        "shared": bank.shared,
        "clusters": bank.clusters,
        "repeats": bank.repeats,
        "comparisons": bank.comparisons,
        "without_evidence": [dataclasses.asdict(name) for name in bank.without_evidence],
        "targets": [_target_json(target) for target in bank.targets],
        "claims": [_claim_json(claim) for claim in bank.claims],
    }


def _target_json(target: ComparedTarget) -> dict[str, Any]:
    interval = target.rate.interval
    return {
        **dataclasses.asdict(target.name),
        "planned": target.planned,
        "evidence": target.evidence,
        "coverage": target.coverage,
        "pass_rate": target.rate.passed / target.rate.evidence if target.rate.evidence else None,
        "interval_95": [interval.low, interval.high] if interval else None,
        "cost_per_1000_usd": target.cost_per_1000_usd,
        "latency_p50_ms": target.latency_p50_ms,
        "latency_p95_ms": target.latency_p95_ms,
        "on_front": target.on_front,
    }


def _claim_json(claim: Claim) -> dict[str, Any]:
    return {
        "better": dataclasses.asdict(claim.better),
        "other": dataclasses.asdict(claim.other),
        "lead": claim.lead.value,
        "interval_95": None if claim.lead.low is None else [claim.lead.low, claim.lead.high],
        "p_value": claim.lead.p_value,
        "p_holm": claim.lead.adjusted_p,
        "method": claim.lead.method,
        "shown": claim.shown,
    }
