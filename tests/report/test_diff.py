"""A diff in words, on a terminal, as Markdown and as a document."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from llmctl.compare.cells import CaseName, Cell
from llmctl.compare.diff_report import (
    CellDiff,
    Change,
    Difference,
    DiffReport,
    FlippedCase,
    Rate,
    RatioDiff,
    Sensitivity,
    SetApart,
    TagDiff,
)
from llmctl.compare.side import Side, SideKind
from llmctl.report.diff_document import diff_json
from llmctl.report.diff_markdown import write_diff_markdown
from llmctl.report.diff_outputs import output_block
from llmctl.report.diff_sources import changed_lines
from llmctl.report.diff_terminal import diff_text
from llmctl.report.diff_words import Direction, bounds, direction, evidence, headline, p_text, points, sensitivity
from llmctl.report.documents import json_text
from llmctl.safe_text import safe_text
from llmctl.stats.intervals import Interval

HOSTILE = "\x1b[2J\u202eevil\u2028<script>\x07"
CELL = Cell("triage", "triage", "small")
RATE = Rate(90, 100, Interval(0.82, 0.95))
PLAIN = CellDiff(
    cell=CELL,
    pairs=100,
    clusters=100,
    draws=100,
    rate_a=RATE,
    rate_b=Rate(84, 100, Interval(0.75, 0.9)),
    difference=Difference(-0.06, -0.1084, -0.0123, 0.021, "Tango score interval, McNemar mid-p"),
    regressions=(),
    fixes=(),
    regression_count=0,
    fix_count=0,
    changed_outputs=0,
    label_a="triage",
    label_b="triage",
    model_a="small",
    model_b="small",
)


def side(title: str) -> Side:
    return Side(title, title, SideKind.RUN, Path("x.duckdb"), "1m")


def case(**changes: object) -> FlippedCase:
    plain = FlippedCase(
        CaseName("triage", "card"), CELL, "billing", "billing", "other", "", "exact: no", 1, 1, 0, 1, False
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def between(low: float | None, high: float | None, value: float = 0.0) -> CellDiff:
    return replace(PLAIN, difference=Difference(value, low, high, 0.5, "paired t"))


@pytest.mark.parametrize(
    ("cell", "where", "sentence"),
    [
        (PLAIN, Direction.WORSE, "Worse: a drop of at least 1.2 points (95 %)."),
        (between(0.0041, 0.1, 0.05), Direction.BETTER, "Better: a gain of at least 0.4 points (95 %)."),
        (between(0.0004, 0.1, 0.05), Direction.BETTER, "Better: a gain of at least 0.04 points (95 %)."),
        (
            between(-0.0301, 0.0199),
            Direction.OPEN,
            "No drop larger than 3.1 points, and no gain larger than 2.0 (95 %).",
        ),
        (between(0.0, 0.02), Direction.OPEN, "No drop larger than 0.0 points, and no gain larger than 2.0 (95 %)."),
        (
            between(-1.0, 0.316, -1.0),
            Direction.OPEN,
            "Too few pairs to exclude any drop; no gain larger than 31.6 points (95 %).",
        ),
        (between(None, None), Direction.NOTHING, "These pairs are too few for an interval: no drop can be excluded."),
        (
            replace(PLAIN, difference=None, pairs=0),
            Direction.NOTHING,
            "Nothing can be compared: no case has evidence on both sides.",
        ),
        (
            replace(between(-0.03, 0.03), draws=0),
            Direction.SAME,
            "The same: both sides refer to the same answers, and judge them alike.",
        ),
        (
            replace(between(-0.03, 0.03), draws=0, fix_count=1),
            Direction.OPEN,
            "No drop larger than 3.0 points, and no gain larger than 3.0 (95 %).",
        ),
    ],
)
def test_the_headline_is_evidence(cell: CellDiff, where: Direction, sentence: str) -> None:
    assert direction(cell) is where
    assert headline(cell) == sentence


def test_numbers_are_rounded_outward() -> None:
    assert bounds(-0.10801, 0.01201) == "[-10.9, +1.3]"
    assert points(-0.06) == "-6.0" and points(0.0) == "0.0"
    assert [p_text(p) for p in (None, 0.0004, 0.0214, 0.5)] == ["-", "< 0.001", "0.021", "0.50"]
    assert evidence(PLAIN).startswith(
        "Pass rate 90.0 % [82, 95] -> 84.0 % [75, 90]: -6.0 [-10.9, -1.2] points, p 0.021"
    )


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (None, ""),
        (Sensitivity(None, None, 0.05, 0.0), "No pair differs: what drop these cases could have shown is not known."),
        (
            Sensitivity(None, 900, 0.05, 0.5),
            (
                "100 pairs, 50.0 % of them different: no drop would have shown with 80 % power. "
                "To exclude a drop of 5 points, 900 are needed."
            ),
        ),
        (
            Sensitivity(0.0761, 274, 0.01, 0.1),
            (
                "100 pairs, 10.0 % of them different: a drop of 7.7 points would have shown with 80 % power. "
                "To exclude a drop of 1 point, 274 are needed."
            ),
        ),
    ],
)
def test_what_could_have_been_seen(found: Sensitivity | None, sentence: str) -> None:
    assert sensitivity(replace(PLAIN, sensitivity=found)) == sentence


def test_words_are_marked_without_colour_and_styled_with_it() -> None:
    before, after = "the parcel is lost since Monday", "the parcel was lost since Monday"
    assert output_block(before, after, 100, colour=False).plain == (
        "    output    the parcel [-is-]{+was+} lost since Monday\n"
    )
    coloured = output_block(before, after, 100, colour=True)
    assert coloured.plain == "    output    the parcel iswas lost since Monday\n"
    assert {str(span.style) for span in coloured.spans} >= {"red strike", "green"}


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("billing", "shipping", "    before    billing\n    after     shipping\n"),
        (None, "x", "    before    nothing\n    after     x\n"),
        ("", " ", "    before    \"\"\n    after     ' '\n"),
        ("same", "same", "    output    same\n"),
    ],
)
def test_outputs_with_little_in_common_stand_below_each_other(before: str | None, after: str, shown: str) -> None:
    assert output_block(before, after, 100, colour=False).plain == shown


def test_of_long_outputs_what_changed_is_shown() -> None:
    start, end = "word " * 2_000, " tail" * 2_000
    text = output_block(f"{start}one{end}", f"{start}two{end}", 100, colour=False).plain
    assert "word [-one-]{+two+} tail" in text
    assert len(text) < 500
    assert " ... " in text


@pytest.mark.parametrize("width", [80, 140])
def test_hostile_text_is_written_out(width: int) -> None:
    flipped = case(
        name=CaseName("triage", HOSTILE), output_a=f"a b c d e {HOSTILE} 1", output_b=f"a b c d e {HOSTILE} 2",
        reason_b=HOSTILE, expected=HOSTILE,
    )  # fmt: skip
    cell = replace(
        PLAIN, regressions=(flipped,), regression_count=1, tags=(TagDiff(HOSTILE, 9, RATE, RATE, PLAIN.difference),),  # type: ignore[arg-type]
        apart=1, cases_apart=(SetApart(HOSTILE, HOSTILE),), only_b=1, cases_only_b=(HOSTILE,),
        latency=RatioDiff(1.5, 1.2, 2.0, 9, 10, 15), label_a=HOSTILE, model_a=HOSTILE,
    )  # fmt: skip
    change = Change("prompt", HOSTILE, HOSTILE, "x")
    report = DiffReport(side(HOSTILE), side("b"), (cell, cell), (change,), (CELL,), (), (HOSTILE,))
    for colour in (False, True):
        text = diff_text(report, width, colour=colour).plain
        assert safe_text(text) == text
        assert max(map(len, text.splitlines())) <= width
    markdown = io.StringIO()
    write_diff_markdown(markdown, report)
    assert safe_text(markdown.getvalue()) == markdown.getvalue()
    assert "<script>" not in re.sub(r"```.*?```|`[^`\n]*`", "", markdown.getvalue(), flags=re.DOTALL)
    assert safe_text(json_text(diff_json(report))) == json_text(diff_json(report))


def test_wide_characters_keep_the_width() -> None:
    text = output_block("漢字" * 60, "漢字" * 59 + "仮名", 80, colour=False)
    assert all(line.cell_len <= 80 for line in text.split("\n"))


def test_the_terminal_says_it_in_order() -> None:
    cell = replace(
        PLAIN,
        regressions=(case(must_pass=True, flaky=True, passed_a=3, evidence_a=3, passed_b=1, evidence_b=3),),
        regression_count=2,
        flaky_regressions=1,
        repeats_a=3,
        repeats_b=3,
    )
    text = diff_text(DiffReport(side("run a"), side("run b"), (cell,), ()), 80).plain
    assert text == (
        "run a -> run b\n"
        "\n"
        "triage · triage · small\n"
        "Worse: a drop of at least 1.2 points (95 %).\n"
        "Pass rate 90.0 % [82, 95] -> 84.0 % [75, 90]: -6.0 [-10.9, -1.2] points, p 0.021\n"
        "(Tango score interval, McNemar mid-p).\n"
        "100 pairs, 3 answers each: 2 regressions (1 flaky), no fixes, no other outputs\n"
        "changed.\n"
        "\n"
        "Regressions: 2\n"
        "  card  must pass  flaky: may be noise  3/3 -> 1/3\n"
        "    expected  billing\n"
        "    before    billing\n"
        "    after     other\n"
        "    why       exact: no\n"
        "  ... and 1 more (--limit N)\n"
    )


def test_changes_are_shown_line_by_line() -> None:
    change = Change("prompt", "triage", "one\ntwo\nthree\nfour", "one\n2\nthree\nfour")
    assert list(changed_lines(change)) == ["@@", " one", "-two", "+2", " three"]
    assert list(changed_lines(Change("bank", "b", None, "new"))) == ["@@", "+new"]


def test_numbers_that_are_none_become_null() -> None:
    cell = replace(PLAIN, difference=None, pairs=0, rate_a=Rate(0, 0, None), rate_b=Rate(0, 0, None))
    (found,) = json.loads(json_text(diff_json(DiffReport(side("a"), side("b"), (cell,), ()))))["cells"]
    assert (found["difference"], found["rate_a"]["rate"], found["latency_ms"]) == (None, None, None)
    assert found["direction"] == "nothing"


def test_a_report_is_empty_whatever_stands_on_one_side() -> None:
    cell = replace(PLAIN, only_a=3, only_b=1, no_evidence=4, apart=2)
    report = DiffReport(side("a"), side("b"), (cell,), (Change("bank", "b", "x", "y"),), (CELL,), (CELL,))
    assert report.empty
    for changed in ({"regression_count": 1}, {"fix_count": 1}, {"changed_outputs": 1}, {"one_sided": 1}):
        assert not replace(report, cells=(replace(cell, **changed),)).empty  # type: ignore[arg-type]
