"""Reports as JSON: what `--json` prints, and the rows of `.json` and `.jsonl` files."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import orjson

from llmctl.canonical import plain
from llmctl.errors import Problem
from llmctl.report.classification import classification_json
from llmctl.report.explain import verdict
from llmctl.report.flips import flips_json
from llmctl.report.judges import judges_json
from llmctl.report.model import Amount, RunHead, RunReport, Summary
from llmctl.report.repeats import repeats_json
from llmctl.report.result import ShownResult
from llmctl.runs.records import ResultEvent
from llmctl.safe_text import replace_surrogates, safe_text

if TYPE_CHECKING:
    from llmctl.runs.history import RunSummary

__all__ = [
    "json_text",
    "problem_json",
    "report_json",
    "report_text",
    "result_json",
    "runs_json",
    "shown_json",
]

_RESULT_FIELDS = tuple(field.name for field in dataclasses.fields(ResultEvent) if field.name != "scores")
_BEYOND_ASCII = re.compile("[^\x00-\x7e]")


def json_text(document: object, *, indent: bool = True) -> str:
    """The document as JSON that is safe to show: exact, in UTF-8, with invisible characters as escapes.

    Lone surrogates become U+FFFD, and numbers that are none become null: JSON has neither.
    """
    options = orjson.OPT_PASSTHROUGH_SUBCLASS | (orjson.OPT_INDENT_2 if indent else 0)
    try:
        text = orjson.dumps(document, default=_jsonable, option=options).decode()
    except TypeError:  # a lone surrogate, or a number beyond 64 bits: ten times slower, and as exact as JSON can be
        separators = None if indent else (",", ":")
        text = json.dumps(
            _jsonable(document),
            ensure_ascii=False,
            allow_nan=False,
            indent=2 if indent else None,
            separators=separators,
        )
    return _BEYOND_ASCII.sub(lambda match: _shown(match[0]), text)


@cache
def _shown(character: str) -> str:
    """The character, or its JSON escape where a terminal would obey it or hide it (json itself escapes only C0)."""
    return character if safe_text(character) == character else json.dumps(character)[1:-1]


def _jsonable(value: Any) -> Any:
    match value:
        case str():
            return replace_surrogates(str(value.value) if isinstance(value, Enum) else value)
        case None | bool():
            return value
        case int() | float():
            number = plain(value)
            return number if not isinstance(number, float) or math.isfinite(number) else None
        case Mapping():
            return {replace_surrogates(str(key)): _jsonable(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_jsonable(item) for item in value]
        case datetime():
            return value.isoformat()
        case PurePath():
            return replace_surrogates(value.as_posix())
        case Enum():
            return _jsonable(value.value)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: _jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _:
            raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def report_json(
    report: RunReport, results: Iterable[ResultEvent] | None = None, *, command: str = "eval"
) -> dict[str, Any]:
    """A run as one document, `llmctl/<command>/1`; with `results`, every result too."""
    document: dict[str, Any] = {
        "schema": f"llmctl/{command}/1",
        "run": _head(report.head),
        "missing": report.missing,
        "resume": report.resume,
        "total": _summary(report.total),
        "targets": [
            {"bank": row.key.bank, "prompt": row.key.prompt, "model": row.key.model, **_summary(row.summary)}
            for row in report.targets
        ],
        "tags": [{"tag": row.tag, **_summary(row.summary)} for row in report.tags],
        "repeats": repeats_json(report),
        "classification": classification_json(report),
        "judging": judges_json(report),
        **({"rescored": flips_json(report)} if report.rescored else {}),
        "no_evidence": dict(report.error_kinds),
        "failed_results": [result_json(result) for result in report.failures],
        "results_without_evidence": [result_json(result) for result in report.errors],
    }
    if results is not None:
        document["results"] = [result_json(result) for result in results]
    return document


def report_text(
    report: RunReport, results: Iterable[ResultEvent] | None = None, *, command: str = "eval"
) -> Iterator[str]:
    """The same document as its text, piece by piece: however many results, one is held at a time."""
    head = json_text(report_json(report, command=command))
    if results is None:
        yield head + "\n"
        return
    yield head.removesuffix("\n}") + ',\n  "results": ['
    empty = True
    for result in results:
        yield "\n" if empty else ",\n"
        yield "    " + json_text(result_json(result)).replace("\n", "\n    ")
        empty = False
    yield "]\n}\n" if empty else "\n  ]\n}\n"


def _head(head: RunHead) -> dict[str, Any]:
    return {**dataclasses.asdict(head), "status": str(head.status), "duration_s": head.duration_s}


def _summary(summary: Summary) -> dict[str, Any]:
    interval = summary.interval
    return {
        "planned": summary.planned,
        "done": summary.done,
        "passed": summary.passed,
        "failed": summary.failed,
        "errors": summary.errors,
        "pass_rate": summary.rate,
        "interval_95": [interval.low, interval.high] if interval else None,
        "coverage": summary.coverage,
        "sent": summary.sent,
        "cached": summary.cached,
        "latency_p50_ms": summary.latency_p50_ms,
        "latency_p95_ms": summary.latency_p95_ms,
        **_amount("input_tokens", summary.input_tokens, whole=True),
        **_amount("output_tokens", summary.output_tokens, whole=True),
        **_amount("cost_usd", summary.cost_usd),
        **_amount("spent_usd", summary.spent_usd),
    }


def _amount(name: str, amount: Amount, *, whole: bool = False) -> dict[str, Any]:
    """The sum, null where a part of it is unknown; then `at_least` holds the known part."""
    known = round(amount.known) if whole else amount.known
    document: dict[str, Any] = {name: None if amount.unknown else known}
    if amount.unknown:
        document[f"{name}_at_least"] = known
        document[f"{name}_unknown_for"] = amount.unknown
    return document


def result_json(result: ResultEvent) -> dict[str, Any]:
    """One result with its scores; `verdict` is `passed`, `failed` or `no evidence`."""
    document = {name: getattr(result, name) for name in _RESULT_FIELDS}
    document["verdict"] = verdict(result)
    document["scores"] = [
        {
            "metric": score.metric,
            "evaluator": score.evaluator,
            "weight": score.weight,
            "score": score.score,
            "passed": score.passed,
            "explanation": score.explanation,
            "error": score.error,
            "extracted": score.extracted,
            **({"stale": True} if score.stale else {}),
        }
        for score in result.scores
    ]
    return document


def runs_json(runs: Sequence[RunSummary]) -> dict[str, Any]:
    """The list of runs, `llmctl/runs/1`. Where `unpriced_calls` is not 0, `cost_usd` is a lower bound."""
    return {
        "schema": "llmctl/runs/1",
        "runs": [dataclasses.asdict(run) for run in runs],
    }


def shown_json(shown: Sequence[ShownResult]) -> dict[str, Any]:
    """Results of one case with their calls and every attempt, `llmctl/show/1`."""
    return {
        "schema": "llmctl/show/1",
        "results": [
            {
                "run_id": one.run_id,
                **result_json(one.result),
                "case": one.case,
                "call": one.call,
                "target": one.target,
            }
            for one in shown
        ],
    }


def problem_json(problem: Problem) -> dict[str, Any]:
    """One problem, flat."""
    place = problem.place
    return {
        "severity": problem.severity.value,
        "message": problem.message,
        "hint": problem.hint,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "cell": place.cell if place else None,
    }
