"""The Markdown page of a gate: what it says, that nothing in it acts, and that it stays small."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from llmctl.compare.cells import CaseName, Cell
from llmctl.compare.diff_report import CellDiff, Change, Difference, DiffReport, FlippedCase, Rate, RatioDiff
from llmctl.compare.gate_context import GateContext
from llmctl.compare.side import Side, SideKind
from llmctl.compare.verdict import GateReport, JudgedCase, Verdict
from llmctl.report.ci.inline import cell as in_cell
from llmctl.report.ci.inline import plain
from llmctl.report.ci.page import MAX_BYTES
from llmctl.report.ci.shown_case import sorted_cases
from llmctl.report.ci.summary import MARKER, gate_summary
from llmctl.stats.intervals import Interval
from tests.report.samples import HOSTILE, controls
from tests.report.test_gate import CASE, CELL, RULES, cell, report

SIDE = Side("main", "main (4f2a91c)", SideKind.FILES, Path("x"), "r")


def flip(name: str, before: int = 1, after: int = 0, **values: object) -> FlippedCase:
    known = {"expected": "billing", "output_a": "billing", "output_b": "shipping", "reason_a": "", "reason_b": "wrong"}
    return FlippedCase(
        CaseName("triage", name), CELL, **{**known, "flaky": False, **values},  # type: ignore[arg-type]
        passed_a=before, evidence_a=1, passed_b=after, evidence_b=1,
    )  # fmt: skip


def comparison(*flips: FlippedCase, changes: tuple[Change, ...] = (), count: int | None = None) -> DiffReport:
    worse = tuple(one for one in flips if one.passed_b < one.passed_a)
    better = tuple(one for one in flips if one.passed_b > one.passed_a)
    one = CellDiff(
        CELL, 100, 100, 100,
        Rate(99, 100, Interval(0.94, 0.99)), Rate(96, 100, Interval(0.9, 0.985)),
        Difference(-0.03, -0.081, 0.02, 0.2, "Tango"), worse, better, count or len(worse), len(better), 0,
        latency=RatioDiff(1.25, 1.1, 1.41, 100, 400.0, 500.0), cost=RatioDiff(2.0, None, None, 100, 0.001, 0.002),
    )  # fmt: skip
    return DiffReport(SIDE, SIDE, (one,), changes)


def compared(*flips: FlippedCase, **more: object) -> GateReport:
    return replace(report(), context=GateContext("llmctl gate triage", comparison(*flips, **more)))  # type: ignore[arg-type]


def test_the_page_of_a_failed_gate() -> None:
    change = Change("prompt", "triage", "Route it.", "Route it well.")
    text = gate_summary(
        compared(flip("late"), flip("odd", flaky=True), flip("good", before=0, after=1), changes=(change,))
    )
    assert text.startswith(f"{MARKER}\n## FAIL\n\n**of 4 rules 1 FAIL")
    assert (
        "| triage · triage · small | **FAIL** | pass rate | 99.0 % [94, 99] | 96.0 % [90, 99] | -3.0 points "
        "| [-8.1, +2.0] |" in text
    )
    assert "|  |  | latency (median) | 400 ms | 500 ms | x1.25 | x[1.10, 1.41] |" in text
    assert "|  |  | cost (median) | $0.0010 | $0.0020 | x2.00 | - |" in text
    assert "### Newly broken: 2\n" in text
    assert "<code>card-declined</code> (must pass, passes 0 of 3, before 3 of 3)" in text
    assert "### Fixed: 1\n" in text
    assert "### Flaky, so this may be noise: 1\n" in text
    assert "-Route it.\n+Route it well." in text
    assert text.endswith("```console\nllmctl gate triage\n```\n")
    assert text.index("card-declined") < text.index("<code>late</code>")  # what must pass comes first


def test_without_a_comparison_the_rules_say_what_is_known() -> None:
    text = gate_summary(report())
    assert "| 99.0 % | 96.0 % [90, 99] | - | - |" in text  # the margin is of a tag: it says nothing of the cell
    whole = replace(RULES[2], tag=None)
    assert "| -3.0 points | [-8.1, +2.0] |" in gate_summary(report(cell((whole,))))


def test_cases_are_sorted_once_each() -> None:
    other = replace(CASE, name=CaseName("triage", "old"), must_pass=False, baseline_passed=0)
    flaky = replace(CASE, name=CaseName("triage", "mixed"), passed=1)
    passed = replace(RULES[1], cases=(replace(CASE, name=CaseName("triage", "fine")),))
    rules = (replace(RULES[0], cases=(CASE, other, flaky, CASE)), passed)
    shown = replace(report(cell(rules)), context=GateContext(comparison=comparison(flip("card-declined"), flip("new"))))
    found = sorted_cases(shown)
    names = [[case.name.case_id for case in cases] for cases in (found.broken, found.failing, found.flaky)]
    assert names == [["card-declined", "new"], ["old"], ["mixed"]]
    assert sorted_cases(compared(flip("a"), count=70)).unlisted == 69


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_that_others_wrote_acts(hostile: str) -> None:
    case = replace(CASE, output=hostile, expected=hostile, baseline_output=hostile, reason=hostile,
                   name=CaseName("triage", hostile))  # fmt: skip
    rule = replace(RULES[0], cases=(case,), sentence=hostile, tag=hostile, advice=hostile)
    named = Cell(hostile, hostile, hostile)
    one = replace(comparison(flip(hostile)), changes=(Change("prompt", hostile, hostile, "x"),))
    cells = (cell((rule,), named), cell((rule,), CELL))
    shown = replace(
        report(*cells, warnings=(hostile,)), candidate=hostile, context=GateContext(f"llmctl {hostile}", one)
    )
    text = gate_summary(shown)
    assert not controls(text.replace("\n", ""))
    acting = _acting(text)
    assert not re.search(r"@everyone|#1\b|http|<script|alert|\[blink", acting), acting
    assert _headings(text) == _headings(gate_summary(_harmless(shown)))


def _acting(text: str) -> str:
    """What a forge reads for mentions, links and HTML: everything but code."""
    parts = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "html_block":
            parts.append(re.sub(r"<code>[^<]*</code>", "", token.content))
        for child in token.children or ():
            if child.type != "code_inline":
                parts.append(child.content)
    return "\n".join(parts)


def _headings(text: str) -> int:
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    return sum(token.type in ("heading_open", "html_block", "tr_open") for token in tokens)


def _harmless(shown: GateReport) -> GateReport:
    case = replace(CASE, name=CaseName("triage", "a"))
    rule = replace(RULES[0], cases=(case,))
    one = replace(comparison(flip("a")), changes=(Change("prompt", "p", "y", "x"),))
    plain_cells = (cell((rule,), Cell("a", "b", "c")), cell((rule,), CELL))
    return replace(shown, cells=plain_cells, candidate="x", warnings=("w",), context=GateContext("llmctl", one))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("96 of 100 pass: 96 %; at least 90 % must.", "96 of 100 pass: 96 %; at least 90 % must."),
        ("Run `llmctl power`.", "Run `llmctl power`."),
        ("by @name", "`by @name`"),
        ("see #12", "`see #12`"),
        ("a <b>", "`a <b>`"),
        ("odd ` one", "``odd ` one``"),
        ("`a` and ``b``", "``` `a` and ``b`` ```"),
        ("www.evil.example", "`www.evil.example`"),
        ("_loud_", "`_loud_`"),
        ("max_new_failures", "max_new_failures"),
    ],
)
def test_words_stay_words_and_the_rest_is_code(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_cell_of_a_table_holds_no_bar() -> None:
    assert in_cell("a|b") == "`a¦b`"
    assert in_cell(" ") == "-"


def test_the_page_fits_into_a_comment_and_says_what_it_leaves_out() -> None:
    long = "字<" * 5_000
    cases = tuple(
        replace(CASE, name=CaseName("triage", f"c{n}"), output=long, expected=long, baseline_output=long, reason=long)
        for n in range(200)
    )
    many = replace(report(*[cell((replace(RULES[0], cases=cases),), Cell(f"b{n}", "p", "m")) for n in range(300)]),
                   context=GateContext("llmctl gate " + "x" * 90_000))  # fmt: skip
    text = gate_summary(many)
    assert len(text.encode()) <= MAX_BYTES
    assert "parts are left out here" in text
    assert "more rules." in text and "more rows." in text
    assert text.count("<details>") == text.count("</details>") >= 3
    assert "The same on your machine" in text


def test_every_verdict_stands_in_the_title() -> None:
    for verdict in Verdict:
        assert f"\n## {verdict}\n" in gate_summary(report(cell((replace(RULES[0], verdict=verdict),))))
    nothing = GateReport((), "nothing was judged", None, None, warnings=("There is no key.",))
    assert "## NOT EVALUATED\n\n**nothing could be judged.**" in gate_summary(nothing)
    assert "Warning: There is no key." in gate_summary(nothing)


def test_an_empty_answer_is_seen() -> None:
    empty: JudgedCase = replace(CASE, output="", baseline_output=None)
    text = gate_summary(report(cell((replace(RULES[0], cases=(empty,)),))))
    assert "Now: an empty answer." in text
    assert "Before:" not in text
    nothing = gate_summary(report(cell((replace(RULES[0], cases=(replace(CASE, output=None),)),))))
    assert "Now: nothing." in nothing
