"""`.json`: one document. `.jsonl`: one result a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from llmctl.report.documents import json_text, report_json, result_json
from llmctl.report.model import RunReport
from llmctl.runs.records import ResultEvent

__all__ = ["write_json", "write_jsonl"]


def write_json(file: TextIO, report: RunReport, results: Iterable[ResultEvent]) -> None:
    """Write the document of `--json` with all results, one at a time."""
    head = json_text(report_json(report)).removesuffix("\n}")
    file.write(f'{head},\n  "results": [')
    for number, result in enumerate(results):
        file.write((",\n    " if number else "\n    ") + json_text(result_json(result), indent=False))
    file.write("\n  ]\n}\n")


def write_jsonl(file: TextIO, report: RunReport, results: Iterable[ResultEvent]) -> None:
    """Write each result on a line of its own, with the id of its run."""
    for result in results:
        file.write(json_text({"run_id": report.head.run_id, **result_json(result)}, indent=False) + "\n")
