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


def _write_html(file: TextIO, report: GateReport) -> None:
    from llmctl.report.html.gate_page import write_gate_page

    write_gate_page(file, report, ())


_WRITERS: Mapping[str, Callable[[TextIO, GateReport], None]] = {".json": _write_json, ".html": _write_html}
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
        hint=f"A verdict can be written to {' or '.join(GATE_ENDINGS)}.",
    )
