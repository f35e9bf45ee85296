"""Committed baselines, as a table and as a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llmctl.compare.gate.baseline import Baseline
from llmctl.report.layout import Cell, Column, grid, show
from llmctl.report.numbers import count, percent

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["baselines_json", "render_baselines"]


def render_baselines(console: Console, baselines: Sequence[Baseline]) -> None:
    """A row for each cell."""
    columns = [
        Column("bank", is_label=True),
        Column("prompt", is_label=True),
        Column("model", is_label=True),
        Column("cases"),
        Column("answers"),
        Column("passed"),
        Column("commit", is_label=True),
    ]
    rows = [
        [
            Cell(row["bank"]),
            Cell(row["prompt"]),
            Cell(row["model"]),
            Cell(count(row["cases"])),
            Cell(count(row["evidence"])),
            Cell(percent(row["passed"], row["evidence"]) if row["evidence"] else "-"),
            Cell((row["commit"] or "-")[:7]),
        ]
        for row in _rows(baselines)
    ]
    show(console, grid(columns, rows, console.width))


def baselines_json(baselines: Sequence[Baseline]) -> dict[str, Any]:
    """The same, with the files that they stand in."""
    files = [{"bank": one.bank, "path": str(one.path)} for one in baselines]
    return {"schema": "llmctl/baseline/1", "files": files, "cells": _rows(baselines)}


def _rows(baselines: Sequence[Baseline]) -> list[dict[str, Any]]:
    return [
        {
            "bank": cell.bank,
            "prompt": cell.prompt,
            "model": cell.model,
            "cases": len(evidence.cases),
            "evidence": int(evidence.evidence.sum()),
            "passed": int(evidence.passed.sum()),
            "commit": baseline.origins[cell].commit,
        }
        for baseline in baselines
        for cell, evidence in baseline.cells.items()
    ]
