"""The verdict of a gate as one JSON document, `llmctl/gate/1`."""

from __future__ import annotations

from typing import Any

from llmctl.compare.verdict import CellVerdict, GateReport, JudgedCase, RuleVerdict
from llmctl.report.gate_words import exit_sentence, headline
from llmctl.stats.intervals import Interval

__all__ = ["gate_json"]


def gate_json(report: GateReport) -> dict[str, Any]:
    """Everything that the terminal shows, and the numbers behind it. Rates and drops are shares; unknown is null."""
    spent = report.spending
    return {
        "schema": "llmctl/gate/1",
        "verdict": report.verdict.value,
        "exit_code": int(report.exit_code),
        "headline": headline(report),
        "exit": exit_sentence(report),
        "candidate": report.candidate,
        "baseline": report.baseline,
        "run_id": report.run_id,
        "alpha": report.alpha,
        "stopped": None if report.stopped is None else int(report.stopped),
        "inconclusive_is_warning": report.tolerate_inconclusive,
        "warnings": list(report.warnings),
        "cells": [_cell(cell) for cell in report.cells],
        "calls": {
            "sent": spent.sent,
            "stored": spent.stored,
            "saved": spent.saved,
            "cost_usd": spent.cost_usd,
        },
    }


def _cell(cell: CellVerdict) -> dict[str, Any]:
    return {
        "bank": cell.cell.bank,
        "prompt": cell.cell.prompt,
        "model": cell.cell.model,
        "verdict": cell.verdict.value,
        "planned": cell.planned,
        "asked": cell.planned if cell.asked is None else cell.asked,
        "evidence": cell.evidence,
        "passed": cell.passed,
        "pass_rate": cell.passed / cell.evidence if cell.evidence else None,
        "interval_95": _interval(cell.interval),
        "baseline_evidence": cell.baseline_evidence,
        "baseline_passed": cell.baseline_passed,
        "rules": [_rule(rule) for rule in cell.rules],
    }


def _rule(rule: RuleVerdict) -> dict[str, Any]:
    return {
        "rule": rule.rule.value,
        "tag": rule.tag,
        "verdict": rule.verdict.value,
        "limit": rule.limit,
        "observed": rule.observed,
        "interval": _interval(rule.interval),
        "p_value": rule.p_value,
        "sentence": rule.sentence,
        "guarantee": rule.guarantee,
        "advice": rule.advice,
        "cases": [_case(case) for case in rule.cases],
    }


def _case(case: JudgedCase) -> dict[str, Any]:
    return {
        "bank": case.name.bank,
        "case_id": case.name.case_id,
        "prompt": case.cell.prompt,
        "model": case.cell.model,
        "tags": list(case.tags),
        "must_pass": case.must_pass,
        "flaky": case.flaky,
        "passed": case.passed,
        "evidence": case.evidence,
        "baseline_passed": case.baseline_passed,
        "baseline_evidence": case.baseline_evidence,
        "expected": case.expected,
        "output": case.output,
        "baseline_output": case.baseline_output,
        "reason": case.reason,
    }


def _interval(interval: Interval | None) -> list[float] | None:
    return [interval.low, interval.high] if interval else None
