"""A diff as one JSON document, `llmctl/diff/1`: what its keys mean stands in `docs/diff.md`."""

from __future__ import annotations

import dataclasses
from typing import Any

from llmctl.compare.diff_report import CellDiff, Difference, DiffReport, FlippedCase, Rate
from llmctl.compare.side import Side
from llmctl.report.diff_missing import missing_json
from llmctl.report.diff_words import direction, headline
from llmctl.runs.forecast import Forecast

__all__ = ["diff_json"]


def diff_json(report: DiffReport, forecast: Forecast | None = None) -> dict[str, Any]:
    """The whole report as data. Rates and differences are shares: 0.05 is 5 points.

    `forecast`: what sending the answers that are missing would take; None: none is missing.
    """
    return {
        "schema": "llmctl/diff/1",
        "a": _side(report.a),
        "b": _side(report.b),
        "empty": report.empty,
        "cells": [_cell(cell) for cell in report.cells],
        "only_in_a": [dataclasses.asdict(cell) for cell in report.only_in_a],
        "only_in_b": [dataclasses.asdict(cell) for cell in report.only_in_b],
        "changes": [dataclasses.asdict(change) for change in report.changes],
        "notes": list(report.notes),
        "missing": missing_json(forecast),
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "reference": side.reference,
        "title": side.title,
        "kind": side.kind.value,
        "run_id": side.run_id if side.kind.value == "run" else None,
        "commit": side.commit,
        "dirty": side.dirty,
        "planned": side.planned,
        "missing": side.missing,
        "unjudged": side.unjudged,
        "stale": side.stale,
        "oldest": side.oldest,
    }


def _cell(cell: CellDiff) -> dict[str, Any]:
    return {
        "bank": cell.cell.bank,
        "prompt": cell.cell.prompt,
        "model": cell.cell.model,
        "prompt_a": cell.label_a,
        "prompt_b": cell.label_b,
        "model_a": cell.model_a,
        "model_b": cell.model_b,
        "headline": headline(cell),
        "direction": direction(cell).value,
        "pairs": cell.pairs,
        "clusters": cell.clusters,
        "draws": cell.draws,
        "repeats_a": cell.repeats_a,
        "repeats_b": cell.repeats_b,
        "rate_a": _rate(cell.rate_a),
        "rate_b": _rate(cell.rate_b),
        "difference": _difference(cell.difference),
        "regression_count": cell.regression_count,
        "flaky_regressions": cell.flaky_regressions,
        "fix_count": cell.fix_count,
        "flaky_fixes": cell.flaky_fixes,
        "changed_outputs": cell.changed_outputs,
        "regressions": [_case(case) for case in cell.regressions],
        "fixes": [_case(case) for case in cell.fixes],
        "metrics": [
            {
                "metric": row.metric,
                "pairs": row.pairs,
                "mean_a": row.mean_a,
                "mean_b": row.mean_b,
                "difference": _difference(row.difference),
            }
            for row in cell.metrics
        ],
        "tags": [
            {
                "tag": row.tag,
                "pairs": row.pairs,
                "rate_a": _rate(row.rate_a),
                "rate_b": _rate(row.rate_b),
                "difference": _difference(row.difference),
            }
            for row in cell.tags
        ],
        "tags_left_out": cell.tags_left_out,
        "latency_ms": cell.latency,
        "cost_usd": cell.cost,
        "sensitivity": cell.sensitivity,
        "cases_only_a": {"count": cell.only_a, "first": list(cell.cases_only_a)},
        "cases_only_b": {"count": cell.only_b, "first": list(cell.cases_only_b)},
        "no_evidence": cell.no_evidence,
        "one_sided": cell.one_sided,
        "rescored": cell.rescored,
        "apart": {"count": cell.apart, "first": [dataclasses.asdict(one) for one in cell.cases_apart]},
    }


def _rate(rate: Rate) -> dict[str, Any]:
    interval = rate.interval
    return {
        "passed": rate.passed,
        "evidence": rate.evidence,
        "rate": rate.passed / rate.evidence if rate.evidence else None,
        "interval_95": [interval.low, interval.high] if interval else None,
    }


def _difference(difference: Difference | None) -> dict[str, Any] | None:
    if difference is None:
        return None
    low, high = difference.low, difference.high
    return {
        "value": difference.value,
        "interval_95": None if low is None or high is None else [low, high],
        "p_value": difference.p_value,
        "p_exact": difference.p_exact,
        "adjusted_p": difference.adjusted_p,
        "method": difference.method,
    }


def _case(case: FlippedCase) -> dict[str, Any]:
    return {
        "case_id": case.name.case_id,
        "must_pass": case.must_pass,
        "flaky": case.flaky,
        "tags": list(case.tags),
        "expected": case.expected,
        "output_a": case.output_a,
        "output_b": case.output_b,
        "reason_a": case.reason_a,
        "reason_b": case.reason_b,
        "passed_a": case.passed_a,
        "evidence_a": case.evidence_a,
        "passed_b": case.passed_b,
        "evidence_b": case.evidence_b,
        "latency_a_ms": case.latency_a_ms,
        "latency_b_ms": case.latency_b_ms,
        "cost_a_usd": case.cost_a_usd,
        "cost_b_usd": case.cost_b_usd,
    }
