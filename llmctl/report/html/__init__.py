"""Pages for people who read no terminal: one file, without a network, whatever stands in its texts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from llmctl.compare.diff_report import DiffReport, FlippedCase
    from llmctl.compare.verdict import GateReport, JudgedCase
    from llmctl.report.model import RunReport
    from llmctl.runs.records import ResultEvent

__all__ = ["write_diff_html", "write_gate_html", "write_run_html"]


def write_run_html(file: TextIO, report: RunReport, results: Iterable[ResultEvent]) -> None:
    """Write the page of a run with all its results, one at a time."""
    from llmctl.report.html.run_page import write_run_page

    write_run_page(file, report, results)


def write_diff_html(path: Path, report: DiffReport, details: Iterable[FlippedCase] = ()) -> None:
    """Write the page of a diff; the file appears whole or not at all.

    `details` are all paired cases in the bank's order, one at a time, also those that did not flip. Without them the
    page lists the regressions and fixes that the report holds.

    Raises:
        UnfinishedError: the file cannot be written.
    """
    from llmctl.report.atomic import atomic_text
    from llmctl.report.html.diff_page import write_diff_page

    with atomic_text(path) as file:
        write_diff_page(file, report, details)


def write_gate_html(path: Path, report: GateReport, details: Iterable[JudgedCase] = ()) -> None:
    """Write the page of a gate; the file appears whole or not at all.

    `details` are all cases that were judged, one at a time. Without them the page lists those that decided.

    Raises:
        UnfinishedError: the file cannot be written.
    """
    from llmctl.report.atomic import atomic_text
    from llmctl.report.html.gate_page import write_gate_page

    with atomic_text(path) as file:
        write_gate_page(file, report, details)
