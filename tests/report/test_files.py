"""Reports as files: each format is read back by a parser of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import tracemalloc
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmctl.errors import UnfinishedError, UsageError
from llmctl.outcome import Outcome
from llmctl.report.documents import json_text, report_json, report_text
from llmctl.report.files import ENDINGS, check_output, write_report
from llmctl.report.markdown_file import code, fenced
from llmctl.runs.records import MetricScore, ResultEvent, RunStatus
from tests.report.samples import HOSTILE, controls, failed, report_of, result, timed_out

RESULTS = [
    result("card", tags=("billing", "smoke")),
    result("card", repeat=2, cached=True),
    failed("parcel", cost_usd=None),
    failed("parcel", model="large"),
    timed_out("slow"),
]


def written(path: Path, results: list[ResultEvent], planned: int | None = None, **values: object) -> str:
    write_report(path, report_of(results, planned, **values), results)
    return path.read_bytes().decode("utf-8")


def hostile_result(text: str) -> ResultEvent:
    score = MetricScore(text, "exact", 1.0, 0.0, False, text)
    return failed(
        text, bank=text, prompt=text, model=text, output=text, expected=text, reason=text, tags=(text,),
        scores=(score,), call_id=text, finish_reason=text,
    )  # fmt: skip


def test_json_is_one_document(tmp_path: Path) -> None:
    document = json.loads(written(tmp_path / "report.json", RESULTS))
    assert document["schema"] == "llmctl/eval/1"
    assert document["run"]["run_id"] == "0k3jd92ma1x7z"
    assert document["run"]["started_at"] == "2026-11-23T10:00:00+00:00"
    assert document["run"]["duration_s"] == 14.2
    total = document["total"]
    assert (total["passed"], total["failed"], total["errors"], total["coverage"]) == (2, 2, 1, 0.8)
    assert total["interval_95"][0] < total["pass_rate"] == 0.5 < total["interval_95"][1]
    assert [row["model"] for row in document["targets"]] == ["large", "small"]
    assert [row["tag"] for row in document["tags"]] == ["billing", "smoke"]
    assert document["no_evidence"] == {"timeout": 1}
    assert [one["case_id"] for one in document["results"]] == ["card", "card", "parcel", "parcel", "slow"]
    assert [one["verdict"] for one in document["results"]] == ["passed", "passed", "failed", "failed", "no evidence"]
    assert document["results"][0]["scores"][0]["explanation"] == "It is the same."


def test_json_is_what_is_printed_and_the_results(tmp_path: Path) -> None:
    report = report_of(RESULTS)
    in_file = json.loads(written(tmp_path / "report.json", RESULTS))
    assert in_file == json.loads(json_text(report_json(report, RESULTS)))
    assert {**in_file, "results": None} == {**json.loads(json_text(report_json(report))), "results": None}


def test_unknown_cost_is_null_with_what_is_known(tmp_path: Path) -> None:
    total = json.loads(written(tmp_path / "report.json", RESULTS))["total"]
    assert total["cost_usd"] is None
    assert total["cost_usd_at_least"] == 0.003
    assert total["cost_usd_unknown_for"] == 2
    assert total["input_tokens"] is None
    assert total["input_tokens_at_least"] == 160


def test_jsonl_is_a_result_a_line(tmp_path: Path) -> None:
    lines = written(tmp_path / "report.jsonl", RESULTS).removesuffix("\n").split("\n")
    assert [json.loads(line)["case_id"] for line in lines] == ["card", "card", "parcel", "parcel", "slow"]
    assert json.loads(lines[0])["run_id"] == "0k3jd92ma1x7z"
    assert json.loads(lines[4])["cost_usd"] is None


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_csv_is_a_result_a_row(tmp_path: Path) -> None:
    text = written(tmp_path / "report.csv", RESULTS)
    assert text.startswith("\ufeffrun_id,bank,case_id,")  # Excel takes a file without it for another encoding
    table = rows(text)
    assert [row["verdict"] for row in table] == ["passed", "passed", "failed", "failed", "no evidence"]
    assert table[0]["tags"] == "billing, smoke"
    assert table[1]["cached"] == "true"
    assert table[2]["cost_usd"] == ""
    assert table[3]["why"] == 'exact: The answer is "other", not "billing".'
    assert table[4]["why"] == "There was no answer within 60 s."
    assert table[4]["score"] == ""


@pytest.mark.parametrize(
    "start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\tx", "\rx", "\nx", "  =1", "\uff1d1"]
)
def test_no_csv_cell_becomes_a_formula(tmp_path: Path, start: str) -> None:
    row = rows(written(tmp_path / "report.csv", [hostile_result(start)]))[0]
    text_columns = ("bank", "case_id", "prompt", "model", "expected", "output", "tags", "call_id", "why", "scores")
    assert all(row[column].startswith("'") for column in text_columns)


def test_numbers_in_csv_stay_numbers(tmp_path: Path) -> None:
    row = rows(written(tmp_path / "report.csv", [result("a", latency_ms=12.5)]))[0]
    assert (row["latency_ms"], row["score"], row["input_tokens"]) == ("12.5", "1.0", "40")


def test_junit_has_a_suite_a_target_and_a_test_a_case(tmp_path: Path) -> None:
    root = ET.fromstring(written(tmp_path / "report.junit.xml", RESULTS))
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "time")} == {
        "tests": "5",
        "failures": "2",
        "errors": "1",
        "time": "14.200",
    }
    large, small = root.findall("testsuite")
    assert large.get("name") == "triage: triage on large"
    assert (small.get("tests"), small.get("failures"), small.get("errors")) == ("4", "1", "1")
    names = [case.get("name") for case in small.findall("testcase")]
    assert names == ["triage.card", "triage.card#2", "triage.parcel", "triage.slow"]
    failure, error = small.find(".//failure"), small.find(".//error")
    assert failure is not None
    assert failure.get("message") == 'exact: The answer is "other", not "billing".'
    assert failure.text == 'expected: billing\nwhy: exact: The answer is "other", not "billing".\ngot: other'
    assert error is not None
    assert error.get("type") == "timeout"
    assert error.get("message") == "There was no answer within 60 s."
    assert small.findall("testcase")[0].get("time") == "0.200"


def test_junit_names_do_not_depend_on_order_or_neighbours(tmp_path: Path) -> None:
    def names(results: list[ResultEvent]) -> set[str | None]:
        root = ET.fromstring(written(tmp_path / "report.junit.xml", results))
        return {case.get("name") for case in root.iter("testcase")}

    assert names(RESULTS[::-1]) == names(RESULTS)
    assert names(RESULTS[:1]) < names(RESULTS)


def test_what_was_never_made_is_an_error_in_junit(tmp_path: Path) -> None:
    text = written(tmp_path / "report.junit.xml", [result("a")], planned=5, status=RunStatus.INTERRUPTED)
    root = ET.fromstring(text)
    assert (root.get("tests"), root.get("errors")) == ("2", "1")
    error = root.find(".//testcase[@name='missing results']/error")
    assert error is not None
    assert error.get("message") == "4 of 5 planned results were not made: the run is interrupted."


@pytest.mark.parametrize("outcome", [Outcome.SKIPPED, Outcome.POLICY_BLOCKED, Outcome.MALFORMED])
def test_no_evidence_is_an_error_in_junit_never_skipped(tmp_path: Path, outcome: Outcome) -> None:
    root = ET.fromstring(written(tmp_path / "report.junit.xml", [timed_out("a", outcome=outcome, reason="")]))
    assert root.find(".//error") is not None
    assert root.find(".//skipped") is None


MARKDOWN = """\
# Run `0k3jd92ma1x7z`

**2 of 4 passed: 50.0 % (95 % interval 5 to 95).**

Coverage 80.0 %: of 5 planned results, 1 have no evidence and 0 were not made.

4 calls sent, 1 answer reused. Tokens: at least 200. Cost: at least $0.0030, spent in this run at least $0.0020. Time: \
14.2 s.

| bank | prompt | model | passed | pass rate [95 %] | coverage | p50 | p95 | tokens | cost |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""


def test_markdown_says_why_a_run_stopped_and_how_it_goes_on(tmp_path: Path) -> None:
    reason = "the `budget` of @you is used up"
    text = written(tmp_path / "report.md", RESULTS, planned=9, status=RunStatus.STOPPED, error=reason)
    said = "Status: stopped, ``the `budget` of @you is used up``. Next: `llmctl eval --resume 0k3jd92ma1x7z`."
    assert f"\n\n{said}\n\n" in text
    assert said in written(tmp_path / "empty.md", [], planned=9, status=RunStatus.STOPPED, error=reason)
    assert "Status" not in written(tmp_path / "whole.md", RESULTS)


def test_json_says_what_is_missing_and_how_it_goes_on(tmp_path: Path) -> None:
    stopped = json.loads(written(tmp_path / "a.json", RESULTS, planned=9, status=RunStatus.STOPPED, error="budget"))
    assert (stopped["missing"], stopped["resume"]) == (4, "llmctl eval --resume 0k3jd92ma1x7z")
    assert stopped["run"]["error"] == "budget"
    whole = json.loads(written(tmp_path / "b.json", RESULTS))
    assert (whole["missing"], whole["resume"]) == (0, None)
    assert (whole["total"]["sent"], whole["total"]["cached"]) == (4, 1)


@pytest.mark.parametrize("results", [[], RESULTS, [hostile_result(text) for text in HOSTILE]])
def test_json_in_pieces_is_the_document_byte_by_byte(results: list[ResultEvent]) -> None:
    report = report_of(results)
    assert "".join(report_text(report, iter(results))) == json_text(report_json(report, results)) + "\n"
    assert "".join(report_text(report, command="show")) == json_text(report_json(report, command="show")) + "\n"


@pytest.mark.parametrize("ending", [*ENDINGS, "stdout"])
def test_a_report_of_many_results_needs_no_more_memory(tmp_path: Path, ending: str) -> None:
    template = failed("a", output="x" * 2_000)
    report = report_of([template], planned=5_000)

    def many() -> Iterator[ResultEvent]:
        return (replace(template, case_id=f"case-{number}") for number in range(5_000))

    if ending != "stdout":
        write_report(tmp_path / f"first{ending}", report, [])  # modules and templates are loaded once
    tracemalloc.start()
    if ending == "stdout":
        size = sum(map(len, report_text(report, many())))
    else:
        write_report(tmp_path / f"report{ending}", report, many())
        size = (tmp_path / f"report{ending}").stat().st_size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 10_000_000 or ending == ".md"  # a page with the first failures only
    assert peak < 1_000_000


def test_markdown_can_be_read_by_anybody(tmp_path: Path) -> None:
    text = written(tmp_path / "report.md", RESULTS)
    assert text.startswith(MARKDOWN)
    assert "| `triage` | `triage` | `large` | 0/1 | 0.0 % [0, 80] | 100 % | 400 ms | 400 ms | 50 | $0.0010 |\n" in text
    assert (
        "### `triage` / `parcel`\n\n`triage` on `small`, answered\n\nExpected:\n\n```text\nbilling\n```\n\n"
        'Got:\n\n```text\nother\n```\n\nWhy:\n\n```text\nexact: The answer is "other", not "billing".\n```\n'
    ) in text
    assert "- `triage` / `slow`, `triage` on `small`, timeout: `There was no answer within 60 s.`\n" in text


def test_an_empty_run_in_markdown_never_looks_like_a_pass(tmp_path: Path) -> None:
    text = written(tmp_path / "report.md", [], planned=0)
    assert text == "# Run `0k3jd92ma1x7z`\n\n**No result: nothing was evaluated.**\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("``x`", "``` ``x` ```"),
        ("two\nlines", "`two⏎lines`"),
        ("", "` `"),
        ("@all #1 <b>", "`@all #1 <b>`"),
    ],
)
def test_code_shows_text_as_it_is(text: str, expected: str) -> None:
    assert code(text) == expected


@pytest.mark.parametrize("text", HOSTILE)
def test_a_fence_is_longer_than_any_in_the_text(text: str) -> None:
    first, *body, last, end = fenced(text).split("\n")
    assert end == ""
    assert first == f"{last}text"
    assert set(last) == {"`"}
    assert last not in "\n".join(body)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_table_row_keeps_its_cells_in_markdown(tmp_path: Path, text: str) -> None:
    one = replace(result("a"), bank=text, prompt=text, model=text, tags=())
    report = written(tmp_path / "report.md", [one])
    row = report.split("| ---: |\n")[1].split("\n")[0]
    assert row.count("|") == 11


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_survives_in_a_file(tmp_path: Path, ending: str, text: str) -> None:
    results = [hostile_result(text), replace(timed_out("slow"), reason=text)]
    content = written(tmp_path / f"report{ending}", results, label=text, branch=text, commit=text, run_id=text)
    assert controls(content.removeprefix("\ufeff")) == []
    match ending:
        case ".json":
            output = json.loads(content)["results"][0]["output"]
            assert output == text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        case ".jsonl":
            assert len([json.loads(line) for line in content.removesuffix("\n").split("\n")]) == 2
        case ".csv":
            assert [row["verdict"] for row in rows(content)] == ["failed", "no evidence"]
        case ".junit.xml":
            assert [len(ET.fromstring(content).findall(f".//{tag}")) for tag in ("testcase", "failure")] == [2, 1]


@pytest.mark.parametrize("name", ["report.htm", "report", "report.xml", ".md.txt"])
def test_an_unknown_ending_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="ending") as caught:
        check_output(tmp_path / name)
    assert caught.value.hint == "A report can be written to .json, .jsonl, .csv, .md, .html or .junit.xml."


def test_endings_are_read_in_any_case(tmp_path: Path) -> None:
    check_output(tmp_path / "Report.JUnit.XML")
    assert written(tmp_path / "REPORT.MD", RESULTS).startswith("# Run")


def test_a_place_that_cannot_hold_a_file_is_said_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no directory"):
        check_output(tmp_path / "none" / "report.md")
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(UsageError, match="is a directory"):
        check_output(tmp_path / "folder.md")


def test_a_report_that_breaks_off_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    path.write_text("old", encoding="utf-8")

    def broken() -> Iterator[ResultEvent]:
        yield result("a")
        raise RuntimeError("the journal broke")

    with pytest.raises(RuntimeError, match="the journal broke"):
        write_report(path, report_of([]), broken())
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_is_gone_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(UnfinishedError, match="cannot be written: No such file or directory"):
        write_report(tmp_path / "gone" / "report.md", report_of([]), [])


@pytest.mark.skipif(os.name == "nt", reason="permissions of Unix")
def test_a_report_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    written(tmp_path / "report.md", RESULTS)
    assert stat.S_IMODE((tmp_path / "report.md").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
