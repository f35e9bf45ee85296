"""Whatever text a model, a file or a log holds: every renderer prints it, and nothing in it acts."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmctl.errors import Place, Problem
from llmctl.report.csv_file import write_csv
from llmctl.report.documents import json_text, report_json
from llmctl.report.junit_file import write_junit
from llmctl.report.markdown_file import write_markdown
from llmctl.report.problems import problems_text
from llmctl.report.result import ShownResult, result_text
from llmctl.report.terminal import render_report
from llmctl.runs.records import MetricScore, ResultEvent
from llmctl.safe_text import replace_surrogates
from tests.report.samples import HOSTILE, controls, failed, printed, report_of, timed_out

ANY_CHARACTER = st.characters(exclude_categories=())  # lone surrogates too
ANY_TEXT = st.one_of(
    st.text(ANY_CHARACTER, max_size=200),
    st.text(st.sampled_from("\x1b\x9b\x00\r\n\t[]/`|\\<>&'\"=@\u202e\u200d字é\ud83dx "), max_size=60),
    st.lists(st.sampled_from(HOSTILE[:-8]), max_size=3).map("".join),
)
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def results_of(text: str) -> list[ResultEvent]:
    score = MetricScore(text, "exact", 1.0, 0.0, False, text)
    one = failed(
        text, bank=text, prompt=text, model=text, output=text, expected=text, reason=text, tags=(text,), scores=(score,)
    )
    return [one, replace(timed_out(text), reason=text)]


@quick
@given(ANY_TEXT, st.sampled_from([20, 80, 140]))
def test_terminal(text: str, width: int) -> None:
    report = report_of(results_of(text), label=text, error=text, status=text)
    assert controls(printed(lambda console: render_report(console, report), width)) == []


@quick
@given(ANY_TEXT, st.integers(1, 210), st.sampled_from([20, 80, 140]))
def test_problems_and_results(text: str, column: int, width: int) -> None:
    problem = Problem(text, Place(Path("a.yaml"), 1, column), text, text)
    assert controls(problems_text([problem], width).plain) == []
    shown = ShownResult(text, results_of(text)[0])
    assert controls(result_text(shown, width).plain) == []


@quick
@given(ANY_TEXT)
def test_json(text: str) -> None:
    results = results_of(text)
    document = json_text(report_json(report_of(results, label=text), results))
    assert controls(document) == []
    assert json.loads(document)["results"][0]["output"] == replace_surrogates(text)


@quick
@given(ANY_TEXT)
def test_csv(text: str) -> None:
    file, results = io.StringIO(newline=""), results_of(text)
    write_csv(file, report_of(results), results)
    assert controls(file.getvalue()) == []
    table = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    assert {len(row) for row in table} == {len(table[0])}
    assert len(table) == 3
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for row in table for cell in row)


@quick
@given(ANY_TEXT)
def test_junit(text: str) -> None:
    file, results = io.StringIO(), results_of(text)
    write_junit(file, report_of(results), results)
    assert controls(file.getvalue()) == []
    root = ET.fromstring(file.getvalue().encode())
    assert [len(root.findall(f".//{tag}")) for tag in ("testcase", "failure", "error")] == [2, 1, 1]


@quick
@given(ANY_TEXT)
def test_markdown(text: str) -> None:
    file, results = io.StringIO(), results_of(text)
    write_markdown(file, report_of(results, label=text), results)
    assert controls(file.getvalue()) == []
