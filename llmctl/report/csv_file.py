"""`.csv`: one result a row, for a spreadsheet; no text in it can become a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TextIO

from llmctl.report.explain import verdict, why
from llmctl.report.model import RunReport
from llmctl.runs.records import ResultEvent
from llmctl.safe_text import safe_text

__all__ = ["COLUMNS", "write_csv"]

COLUMNS = (
    "run_id",
    "bank",
    "case_id",
    "prompt",
    "model",
    "repeat",
    "verdict",
    "outcome",
    "score",
    "expected",
    "output",
    "why",
    "scores",
    "tags",
    "latency_ms",
    "ttft_ms",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "cached",
    "call_id",
)
# Spreadsheets take a cell that begins so for a formula; also after white space, and in full width.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def write_csv(file: TextIO, report: RunReport, results: Iterable[ResultEvent]) -> None:
    """Write a header and a row for each result.

    Text is made safe as on the screen, and begins with `'` where a spreadsheet would take it for a formula (so -5 as an
    answer reads '-5); the exact text is in `.json` and `.jsonl`. What is not known is an empty cell.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for result in results:
        writer.writerow(_row(report.head.run_id, result))


def _row(run_id: str, result: ResultEvent) -> list[str | int | float | None]:
    return [
        _cell(run_id),
        _cell(result.bank),
        _cell(result.case_id),
        _cell(result.prompt),
        _cell(result.model),
        result.repeat,
        verdict(result),
        result.outcome.value,
        result.score,
        _cell(result.expected),
        _cell(result.output),
        _cell("\n".join(map(str, why(result)))),
        _cell("; ".join(f"{score.metric} {_score(score.score)}" for score in result.scores)),
        _cell(", ".join(result.tags)),
        result.latency_ms,
        result.ttft_ms,
        result.input_tokens,
        result.output_tokens,
        result.cost_usd,
        str(result.cached).lower(),
        _cell(result.call_id),
    ]


def _score(score: float | None) -> str:
    return "none" if score is None else f"{score:.6g}"


def _cell(text: str | None) -> str | None:
    if text is None:
        return None
    safe = safe_text(text.replace("\r\n", "\n"))
    begins = text.lstrip()
    return "'" + safe if text[:1] in ("\t", "\r", "\n") or begins.startswith(_FORMULA) else safe
