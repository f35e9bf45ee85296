"""GitHub's workflow commands: a gate's findings beside the lines of a pull request, and a log that obeys no answer.

The runner reads commands from the log: lines that begin with `::`, and `##[...]` anywhere. So the answers of models,
which the report prints, stand between `::stop-commands::TOKEN` and `::TOKEN::`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from llmctl.compare.verdict import GateReport
from llmctl.report.ci.findings import Finding, Level, findings
from llmctl.safe_text import safe_text

__all__ = ["MAX_ANNOTATIONS", "annotation_lines", "resuming", "stopping"]

MAX_ANNOTATIONS = 10
"""GitHub shows no more errors of one step, and as many warnings."""
_MOST_FINDINGS = 10_000


def annotation_lines(report: GateReport) -> Iterator[str]:
    """Lines for the log, at most 10; the last one says how many more there are."""
    found = list(islice(findings(report), _MOST_FINDINGS))
    shown = found[:MAX_ANNOTATIONS]
    for number, finding in enumerate(shown, 1):
        yield _command(finding, len(found) - len(shown) if number == len(shown) else 0)


def stopping(token: str) -> str:
    """The line after which the runner obeys nothing; `token` must not be guessable."""
    return f"::stop-commands::{token}"


def resuming(token: str) -> str:
    """The line from which on it does again."""
    return f"::{token}::"


def _command(finding: Finding, more: int) -> str:
    name = "error" if finding.level is Level.ERROR else "warning"
    properties = []
    if finding.place is not None:
        properties += [f"file={_property(str(finding.place.path))}", f"line={finding.place.line}"]
    properties.append(f"title={_property(finding.title)}")
    message = finding.message
    if more > 0:
        message += f"\n... and {more} more: see the summary of this job."
    return f"::{name} {','.join(properties)}::{_message(message)}"


def _message(text: str) -> str:
    safe = safe_text(text.replace("\r\n", "\n"))
    return safe.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
