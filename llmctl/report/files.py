"""Reports as files: the ending of the name chooses the format."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TextIO

from llmctl.errors import UsageError
from llmctl.report.atomic import atomic_text
from llmctl.report.csv_file import write_csv
from llmctl.report.html import write_run_html
from llmctl.report.json_file import write_json, write_jsonl
from llmctl.report.junit_file import write_junit
from llmctl.report.markdown_file import write_markdown
from llmctl.report.model import RunReport
from llmctl.runs.records import ResultEvent

__all__ = ["ENDINGS", "check_output", "check_place", "write_report"]

Writer = Callable[[TextIO, RunReport, Iterable[ResultEvent]], None]

_WRITERS: Mapping[str, Writer] = {
    ".json": write_json,
    ".jsonl": write_jsonl,
    ".csv": write_csv,
    ".md": write_markdown,
    ".html": write_run_html,
    ".junit.xml": write_junit,
}
ENDINGS = tuple(_WRITERS)


def check_output(path: Path) -> None:
    """Say before anything is sent that a report could not be written.

    Raises:
        UsageError: no format has this ending, or the file cannot stand there.
    """
    _ending(path)
    check_place(path)


def check_place(path: Path) -> None:
    """Say that a file cannot stand where it is to be written.

    Raises:
        UsageError: its directory is not there, cannot be written, or has a directory of that name.
    """
    folder = path.parent
    if path.is_dir():
        raise UsageError(f"{path} is a directory.", hint="Name a file in it.")
    if not folder.is_dir():
        raise UsageError(f"There is no directory {folder} for the report {path.name}.", hint="Make it first.")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"The directory {folder} cannot be written.")


def write_report(path: Path, report: RunReport, results: Iterable[ResultEvent]) -> None:
    """Write the report in the format of the path's ending; the file appears whole or not at all.

    Raises:
        UsageError: no format has this ending.
        UnfinishedError: the file cannot be written.
    """
    ending = _ending(path)
    # Excel reads a CSV file as UTF-8 only with a byte order mark; pandas and DuckDB skip it.
    encoding = "utf-8-sig" if ending == ".csv" else "utf-8"
    with atomic_text(path, encoding=encoding) as file:
        _WRITERS[ending](file, report, results)


def _ending(path: Path) -> str:
    name = path.name.lower()
    for ending in ENDINGS:
        if name.endswith(ending) or f".{name}" == ending:  # `junit.xml` alone is what CI systems look for
            return ending
    raise UsageError(
        f'No report format has the ending of "{path.name}".',
        hint=f"A report can be written to {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.",
    )
