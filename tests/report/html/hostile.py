"""Reports in which every text is the same hostile one."""

from __future__ import annotations

from dataclasses import replace

from llmctl.compare.cells import CaseName, Cell
from llmctl.compare.diff_report import Change, DiffReport, FlippedCase
from llmctl.compare.verdict import GateReport, JudgedCase
from llmctl.runs.records import MetricScore, ResultEvent
from tests.report.html.samples import diff_report, flip, gate_report, judged, side
from tests.report.samples import HOSTILE as TERMINAL
from tests.report.samples import failed

__all__ = ["HOSTILE", "hostile_diff", "hostile_flip", "hostile_gate", "hostile_judged", "hostile_result"]

HOSTILE = [
    *(text for text in TERMINAL if text),
    "<script>window.owned = 1</script>",
    "</script><script>window.owned = 1</script>",
    "<!--<script>",
    "--><script>window.owned = 1</script>",
    "</pre></td></table><img src=x onerror=window.owned=1>",
    '" onmouseover="window.owned=1" x="',
    "' autofocus onfocus=window.owned=1 x='",
    "</style><style>*{display:none}</style>",
    "</title><base href=http://evil.example>",
    "javascript:window.owned=1",
    "<svg onload=window.owned=1>",
    "<a href=javascript:window.owned=1>x</a>",
    "<meta http-equiv=refresh content='0;url=http://evil.example'>",
    "{{ 7 * 7 }} {% raw %} {# #}",
    "${window.owned = 1} `${1}`",
    "&lt;b&gt; &#60;b&#62; &amp;",
    "\\u003cscript\\u003e \\x3cscript",
    "__proto__",
    "constructor",
]


def hostile_result(text: str) -> ResultEvent:
    """A failed result."""
    score = MetricScore(text, "exact", 1.0, 0.0, False, text)
    return failed(
        text, bank=text, prompt=text, model=text, output=text, expected=text, reason=text, tags=(text,),
        scores=(score,), call_id=text, finish_reason=text,
    )  # fmt: skip


def _cell(text: str) -> Cell:
    return Cell(text, text, text)


def hostile_flip(text: str) -> FlippedCase:
    """A regression."""
    return flip(
        text, name=CaseName(text, text), cell=_cell(text), expected=text, output_a=text, output_b=text, reason_a=text,
        reason_b=text, tags=(text,),
    )  # fmt: skip


def hostile_diff(text: str) -> DiffReport:
    """A diff with one cell."""
    report = diff_report()
    old = report.cells[0]
    assert old.difference is not None
    cell = replace(
        old,
        cell=_cell(text),
        difference=replace(old.difference, method=text),
        regressions=(hostile_flip(text),),
        fixes=(hostile_flip(text),),
        metrics=tuple(replace(one, metric=text) for one in old.metrics),
        tags=tuple(replace(one, tag=text) for one in old.tags),
    )
    changes = (Change(text, text, text, text), Change(text, text, None, text), Change(text, text, text, None))
    return DiffReport(
        side(text, missing=1), side(text, unjudged=1), (cell, cell), changes, (_cell(text),), (_cell(text),)
    )


def hostile_judged(text: str) -> JudgedCase:
    """A case that decided."""
    return judged(
        text, name=CaseName(text, text), cell=_cell(text), expected=text, output=text, baseline_output=text,
        reason=text, tags=(text,),
    )  # fmt: skip


def hostile_gate(text: str) -> GateReport:
    """A gate with one cell."""
    report = gate_report()
    rules = tuple(
        replace(rule, sentence=text, guarantee=text, advice=text, tag=text, cases=(hostile_judged(text),))
        for rule in report.cells[0].rules
    )
    cell = replace(report.cells[0], cell=_cell(text), rules=rules)
    return replace(report, cells=(cell,), candidate=text, baseline=text, run_id=text, warnings=(text,))
