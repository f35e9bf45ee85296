"""Results and runs for the tests of the report."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from rich.console import Console

from llmctl.outcome import Outcome
from llmctl.report.model import RunHead, RunReport
from llmctl.report.tally import Tally
from llmctl.runs.history import RunState, RunSummary
from llmctl.runs.records import MetricScore, ResultEvent

STARTED = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)

HOSTILE = [
    "\x1b[2J\x1b[1;31mred",
    "\x1b]52;c;aGVsbG8=\x07",
    "\x1b]8;;http://evil.example\x1b\\click",
    "\x9b31m\x90\x9c\x85",
    "[red]red[/red] [bold] [link=http://evil.example]x[/link]",
    "[/foo]",
    ":smile: [blink]",
    "abc\u202edcba\u202c\u2066x\u2069\u200f",
    "half \ud83d and \udc00",
    "nul\x00 bell\x07 back\x08 del\x7f",
    "</failure></testcase><testcase/>",
    "]]> <![CDATA[ &amp; &lt; &#0;",
    "| a | b |\\| `code` ``` ````",
    "```\n# heading\n```",
    "<script>alert(1)</script> @everyone #1 http://evil.example",
    '=HYPERLINK("http://evil.example")',
    "-1+1",
    "\t=1",
    "\r\n@SUM(A1)",
    "a\r\nb\rc\nd\te",
    "\u2028\u2029\u0085\ufeff\ufffe\uffff",
    "x" * 5_000,
    "字" * 500,
    "",
    " ",
    "\n\n",
    "'\"\\",
    "{x} {} %s %",
]

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def controls(text: str) -> list[str]:
    """What a terminal would obey, and what reorders text."""
    return _CONTROL.findall(text)


def result(case_id: str = "card", **values: object) -> ResultEvent:
    """A result that passed, but for what is given."""
    fields: dict[str, object] = {
        "bank": "triage",
        "case_id": case_id,
        "prompt": "triage",
        "model": "small",
        "repeat": 1,
        "outcome": Outcome.ANSWERED,
        "passed": True,
        "score": 1.0,
        "reason": "",
        "call_id": f"call-{case_id}",
        "call_key": f"key-{case_id}",
        "output": "billing",
        "finish_reason": "stop",
        "latency_ms": 200.0,
        "input_tokens": 40,
        "output_tokens": 10,
        "cost_usd": 0.001,
        "scores": (MetricScore("exact", "exact", 1.0, 1.0, True, "It is the same."),),
        "tags": ("smoke",),
        "expected": "billing",
    }
    return ResultEvent(**(fields | values))  # type: ignore[arg-type]


def failed(case_id: str = "parcel", **values: object) -> ResultEvent:
    """A result that failed."""
    explanation = 'The answer is "other", not "billing".'
    fields: dict[str, object] = {
        "passed": False,
        "score": 0.0,
        "reason": f"exact: {explanation}",
        "output": "other",
        "latency_ms": 400.0,
        "scores": (MetricScore("exact", "exact", 1.0, 0.0, False, explanation),),
        "tags": (),
    }
    return result(case_id, **(fields | values))


def timed_out(case_id: str = "slow", **values: object) -> ResultEvent:
    """A result without evidence."""
    fields: dict[str, object] = {
        "outcome": Outcome.TIMEOUT,
        "passed": None,
        "score": None,
        "reason": "There was no answer within 60 s.",
        "output": None,
        "finish_reason": None,
        "latency_ms": 60_000.0,
        "input_tokens": None,
        "output_tokens": None,
        "cost_usd": None,
        "scores": (),
        "tags": (),
    }
    return result(case_id, **(fields | values))


def head(planned: int, **values: object) -> RunHead:
    """The head of a run that took 14.2 s."""
    fields: dict[str, object] = {
        "run_id": "0k3jd92ma1x7z",
        "planned": planned,
        "started_at": STARTED,
        "ended_at": STARTED + timedelta(seconds=14.2),
    }
    return RunHead(**(fields | values))  # type: ignore[arg-type]


def report_of(results: Iterable[ResultEvent], planned: int | None = None, **values: object) -> RunReport:
    """The report of a run with these results."""
    tally, listed = Tally(), list(results)
    for one in listed:
        tally.add(one)
    return tally.report(head(len(listed) if planned is None else planned, **values))


def run_summary(**values: object) -> RunSummary:
    """A complete run, but for what is given."""
    fields: dict[str, object] = {
        "run_id": "0k3jd92ma1x7z",
        "label": None,
        "command": "llmctl eval",
        "status": RunState.COMPLETED,
        "started_at": STARTED,
        "ended_at": None,
        "commit": "abcdef1234567890",
        "branch": "main",
        "dirty": False,
        "planned": 120,
        "done": 120,
        "passed": 100,
        "failed": 20,
        "errors": 0,
        "cached": 0,
        "targets": 3,
        "calls": 120,
        "unpriced_calls": 0,
        "cost_usd": 0.012,
        "input_tokens": 4_800,
        "output_tokens": None,
        "error": None,
        "damaged_lines": 0,
    }
    return RunSummary(**(fields | values))  # type: ignore[arg-type]


def printed(render: Callable[[Console], None], width: int = 80, **options: object) -> str:
    """What a renderer prints on a console of this width that is no terminal."""
    file = io.StringIO()
    render(Console(file=file, width=width, **options))  # type: ignore[arg-type]
    return file.getvalue()
