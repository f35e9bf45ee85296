"""A gate as SARIF 2.1.0 (OASIS, 2020), which code scanning shows beside the lines."""

from __future__ import annotations

from typing import Any, TextIO
from urllib.parse import quote

from llmctl import __version__
from llmctl.compare.verdict import GateReport, RuleName
from llmctl.report.ci.findings import Finding, findings
from llmctl.report.documents import json_text
from llmctl.safe_text import safe_text

__all__ = ["gate_sarif", "write_gate_sarif"]

_MAX_RESULTS = 5_000
"""GitHub reads no more of one run."""
_RULES = {
    RuleName.COVERAGE.value: "Enough results have evidence.",
    RuleName.MUST_PASS.value: "Every case that must pass does.",
    RuleName.MIN_PASS_RATE.value: "The pass rate is high enough.",
    RuleName.MAX_NEW_FAILURES.value: "Nothing that always passed always fails now.",
    RuleName.MARGIN.value: "The pass rate has not dropped by more than the margin.",
    RuleName.MAX_FLAKE_RATE.value: "Few cases pass and fail on equal calls.",
    RuleName.MAX_LATENCY_P95.value: "Answers come in time.",
    RuleName.MAX_COST.value: "Answers cost no more than allowed.",
    "gate": "The gate could be judged.",
}
_INDEX = {name: number for number, name in enumerate(_RULES)}


def write_gate_sarif(file: TextIO, report: GateReport) -> None:
    """Write the document."""
    file.write(json_text(gate_sarif(report)) + "\n")


def gate_sarif(report: GateReport) -> dict[str, Any]:
    """A run with a result for each finding that has a place; without one it stands at `llmctl.toml`."""
    found = list(findings(report))[:_MAX_RESULTS]
    rules = [{"id": name, "shortDescription": {"text": text}} for name, text in _RULES.items()]
    driver = {"name": "llmctl", "semanticVersion": __version__, "rules": rules}
    # Whether llmctl itself came to its end; a broken rule is a result, not a failure of the tool.
    finished = report.stopped is None
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "invocations": [{"executionSuccessful": finished, "exitCode": int(report.exit_code)}],
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding) for finding in found],
            }
        ],
    }


def _result(finding: Finding) -> dict[str, Any]:
    path, line = (finding.place.path, finding.place.line) if finding.place else ("llmctl.toml", 1)
    return {
        "ruleId": finding.rule,
        "ruleIndex": _INDEX[finding.rule],
        "level": finding.level.value,
        "message": {"text": safe_text(f"{finding.title}\n{finding.message}")},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(str(path)), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": line},
                }
            }
        ],
        "partialFingerprints": {"llmctlGate/v1": finding.fingerprint},
    }
