"""A gate as GitLab's code quality report: a list of issues beside the lines of a merge request."""

from __future__ import annotations

from typing import Any, TextIO

from llmctl.compare.verdict import GateReport
from llmctl.report.ci.findings import Finding, Level, findings
from llmctl.report.documents import json_text
from llmctl.safe_text import one_line

__all__ = ["gate_code_quality", "write_gate_code_quality"]

_MAX_TEXT = 1_000


def write_gate_code_quality(file: TextIO, report: GateReport) -> None:
    """Write the list."""
    file.write(json_text(gate_code_quality(report)) + "\n")


def gate_code_quality(report: GateReport) -> list[dict[str, Any]]:
    """An issue for each finding; one without a place stands at `llmctl.toml`."""
    return [_issue(finding) for finding in findings(report)]


def _issue(finding: Finding) -> dict[str, Any]:
    place = finding.place
    return {
        "description": one_line(f"{finding.title}. {finding.message}", _MAX_TEXT),
        "check_name": f"llmctl.{finding.rule}",
        "fingerprint": finding.fingerprint,
        "severity": "major" if finding.level is Level.ERROR else "minor",
        "location": {
            "path": str(place.path) if place else "llmctl.toml",
            "lines": {"begin": place.line if place else 1},
        },
    }
