"""A diff as a file: the ending of the name chooses the format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from llmctl.compare.diff_report import DiffReport, FlippedCase
from llmctl.errors import UsageError
from llmctl.report.atomic import atomic_text
from llmctl.report.files import check_output

if TYPE_CHECKING:
    from llmctl.runs.forecast import Forecast

__all__ = ["DIFF_ENDINGS", "check_diff_output", "write_diff"]

DIFF_ENDINGS = (".json", ".md", ".html")


def check_diff_output(path: Path) -> None:
    """Say before anything is read that a file could not be written.

    Raises:
        UsageError: no format has this ending, or the file cannot stand there.
    """
    _ending(path)
    check_output(path)


def write_diff(path: Path, report: DiffReport, cases: Iterable[FlippedCase], forecast: Forecast | None = None) -> None:
    """Write the report in the format of the path's ending; the file appears whole or not at all.

    `cases`: all pairs, for the page that lists them. `forecast`: as `diff_json` takes it.

    Raises:
        UsageError: no format has this ending.
        UnfinishedError: the file cannot be written.
    """
    match _ending(path):
        case ".html":
            from llmctl.report.html import write_diff_html

            write_diff_html(path, report, cases)
        case ".md":
            from llmctl.report.diff_markdown import write_diff_markdown

            with atomic_text(path) as file:
                write_diff_markdown(file, report)
        case _:
            from llmctl.report.diff_document import diff_json
            from llmctl.report.documents import json_text

            with atomic_text(path) as file:
                file.write(json_text(diff_json(report, forecast)) + "\n")


def _ending(path: Path) -> str:
    for ending in DIFF_ENDINGS:
        if path.name.lower().endswith(ending):
            return ending
    raise UsageError(
        f'No report of a diff has the ending of "{path.name}".',
        hint=f"A diff can be written to {', '.join(DIFF_ENDINGS[:-1])} or {DIFF_ENDINGS[-1]}.",
    )
