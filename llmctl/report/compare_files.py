"""A comparison of targets as a file: the ending of the name chooses the format."""

from __future__ import annotations

from pathlib import Path

from llmctl.compare.targets.report import TargetComparison
from llmctl.errors import UsageError
from llmctl.report.atomic import atomic_text
from llmctl.report.files import check_place

__all__ = ["COMPARE_ENDINGS", "check_compare_output", "write_comparison"]

COMPARE_ENDINGS = (".md", ".json", ".svg")


def check_compare_output(path: Path) -> None:
    """Say before anything is read that a file could not be written.

    Raises:
        UsageError: no format has this ending, or the file cannot stand there.
    """
    _ending(path)
    check_place(path)


def write_comparison(path: Path, report: TargetComparison) -> None:
    """Write the comparison in the format of the path's ending; the file appears whole or not at all.

    Raises:
        UsageError: no format has this ending.
        UnfinishedError: the file cannot be written.
    """
    ending = _ending(path)
    with atomic_text(path) as file:
        match ending:
            case ".md":
                from llmctl.report.compare_markdown import write_comparison_markdown

                write_comparison_markdown(file, report)
            case ".svg":
                from llmctl.report.compare_svg import write_comparison_svg

                write_comparison_svg(file, report)
            case _:
                from llmctl.report.compare import comparison_json
                from llmctl.report.documents import json_text

                file.write(json_text(comparison_json(report)) + "\n")


def _ending(path: Path) -> str:
    for ending in COMPARE_ENDINGS:
        if path.name.lower().endswith(ending):
            return ending
    raise UsageError(
        f'No comparison of targets has the ending of "{path.name}".',
        hint=f"It can be written to {', '.join(COMPARE_ENDINGS[:-1])} or {COMPARE_ENDINGS[-1]}.",
    )
