"""A gate's verdict as files: the ending of the name chooses the format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from llmctl.compare.verdict import GateReport
from llmctl.errors import UsageError
from llmctl.report.atomic import atomic_text
from llmctl.report.documents import json_text
from llmctl.report.files import check_place
from llmctl.report.gate_json import gate_json

__all__ = ["GATE_ENDINGS", "check_gate_output", "write_gate"]


def _write_json(file: TextIO, report: GateReport) -> None:
    file.write(json_text(gate_json(report)) + "\n")


def _write_summary(file: TextIO, report: GateReport) -> None:
    from llmctl.report.ci.summary import write_gate_summary

    write_gate_summary(file, report)


def _write_junit(file: TextIO, report: GateReport) -> None:
    from llmctl.report.ci.junit import write_gate_junit

    write_gate_junit(file, report)


def _write_sarif(file: TextIO, report: GateReport) -> None:
    from llmctl.report.ci.sarif import write_gate_sarif

    write_gate_sarif(file, report)


def _write_code_quality(file: TextIO, report: GateReport) -> None:
    from llmctl.report.ci.code_quality import write_gate_code_quality

    write_gate_code_quality(file, report)


def _write_html(file: TextIO, report: GateReport) -> None:
    from llmctl.report.html.gate_page import write_gate_page

    write_gate_page(file, report, ())


_WRITERS: Mapping[str, Callable[[TextIO, GateReport], None]] = {
    ".codequality.json": _write_code_quality,  # before `.json`, which it ends with too
    ".json": _write_json,
    ".html": _write_html,
    ".md": _write_summary,
    ".junit.xml": _write_junit,
    ".sarif": _write_sarif,
}
GATE_ENDINGS = tuple(_WRITERS)


def check_gate_output(path: Path) -> None:
    """Say before anything is sent that a verdict could not be written.

    Raises:
        UsageError: no format has this ending, or the file cannot stand there.
    """
    _ending(path)
    check_place(path)


def write_gate(path: Path, report: GateReport) -> None:
    """Write the verdict in the format of the path's ending; the file appears whole or not at all.

    Raises:
        UsageError: no format has this ending.
        UnfinishedError: the file cannot be written.
    """
    ending = _ending(path)
    with atomic_text(path) as file:
        _WRITERS[ending](file, report)


def _ending(path: Path) -> str:
    name = path.name.lower()
    for ending in GATE_ENDINGS:
        if name.endswith(ending) or f".{name}" == ending:
            return ending
    raise UsageError(
        f'No format of a verdict has the ending of "{path.name}".',
        hint=f"A verdict can be written to {', '.join(GATE_ENDINGS[:-1])} or {GATE_ENDINGS[-1]}.",
    )
