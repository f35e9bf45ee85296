"""`export` through the front door."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from llmctl.store.views import VIEWS
from tests.cli.conftest import Invoke, write


def read(path: Path, query: str = "FROM given") -> list[Any]:
    with duckdb.connect() as con:
        return con.execute(query.replace("given", f"'{path}'")).fetchall()


@pytest.fixture
def runs(project: Path, llmctl: Invoke) -> list[str]:
    """Two runs; the second uses the answers of the first again."""
    llmctl("eval", "--label", "first")
    llmctl("eval", "-t", "smoke")
    return [run["run_id"] for run in json.loads(llmctl("runs", "--json").out)["runs"]][::-1]


def test_the_results_of_the_last_run(project: Path, llmctl: Invoke, runs: list[str]) -> None:
    result = llmctl("export", "-o", "results.parquet")
    assert result.code == 0, result.err
    assert result.out.split()[:6] == ["what", "rows", "size", "file", "results", "2"]
    assert read(project / "results.parquet", "SELECT DISTINCT run_id FROM given") == [(runs[1],)]
    assert read(project / "results.parquet", "SELECT case_id, passed FROM given") == [("card", True), ("parcel", True)]


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "parquet"])
def test_every_format_holds_the_same(project: Path, llmctl: Invoke, runs: list[str], ending: str) -> None:
    assert llmctl("export", "first", "-o", f"x.{ending}").code == 0
    rows = read(project / f"x.{ending}", "SELECT run_id, case_id, output, passed, score, input_tokens FROM given")
    assert [row[:4] for row in rows] == [
        (runs[0], "card", "billing", True),
        (runs[0], "parcel", "shipping", True),
        (runs[0], "hours", "other", False),
    ]
    assert [column[0] for column in read(project / f"x.{ending}", "DESCRIBE FROM given")] == list(
        VIEWS["results"].columns
    )


def test_several_views_go_to_a_directory(project: Path, llmctl: Invoke, runs: list[str]) -> None:
    words = [word for view in VIEWS for word in ("--what", view)]
    result = llmctl("export", "--all", *words, "-o", "data", "--json")
    document = json.loads(result.out)
    assert document["schema"] == "llmctl/export/1"
    assert document["run_id"] is None
    assert {path.name for path in (project / "data").iterdir()} == {f"{view}.parquet" for view in VIEWS}
    counts = {file["what"]: file["rows"] for file in document["files"]}
    assert counts["runs"] == 2
    assert counts["results"] == 5
    assert counts["calls"] == 3
    assert counts["scores"] == 10
    for file in document["files"]:
        assert read(Path(file["path"]), "SELECT count(*) FROM given") == [(file["rows"],)]
        assert Path(file["path"]).stat().st_size == file["size_bytes"]


def test_the_calls_of_a_run_are_those_that_it_refers_to(project: Path, llmctl: Invoke, runs: list[str]) -> None:
    assert llmctl("export", runs[1], "--what", "calls", "--what", "attempts", "-o", "data", "--format", "csv").code == 0
    for view in ("calls", "attempts"):
        assert read(project / "data" / f"{view}.csv", "SELECT DISTINCT run_id, count(*) FROM given GROUP BY ALL") == [
            (runs[0], 2)
        ]


def test_the_same_store_makes_the_same_file(project: Path, llmctl: Invoke, runs: list[str]) -> None:
    for name in ("one.jsonl", "two.jsonl"):
        llmctl("export", "--all", "--what", "scores", "-o", name)
    assert (project / "one.jsonl").read_bytes() == (project / "two.jsonl").read_bytes()


def test_an_answer_is_no_formula(project: Path, llmctl: Invoke) -> None:
    write(project, "testbanks/route.yaml", """
        prompts: [route]
        evaluators: [exact]
        cases: [{id: "=a", vars: {brand: Acme, ticket: "x"}, expected: "@b"}]
        """)  # fmt: skip
    config = project / "llmctl.toml"
    config.write_text(config.read_text().replace('answer = "other"', 'answer = "=1+1"'))
    llmctl("eval")
    assert llmctl("export", "-o", "x.csv").code == 0
    with (project / "x.csv").open(encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["case_id"], row["expected"], row["output"]) == ("'=a", "'@b", "'=1+1")
    assert row["reason"]


def test_a_key_stays_redacted(project: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-" + "a1b2c3d4" * 5
    monkeypatch.setenv("OPENAI_API_KEY", key)
    bank = project / "testbanks" / "route.yaml"
    bank.write_text(bank.read_text().replace("When are you open?", f"My key is {key}"))
    llmctl("eval")
    words = [word for view in VIEWS for word in ("--what", view)]
    assert llmctl("export", *words, "-o", "data", "--format", "jsonl").code == 0
    assert key not in "".join(path.read_text() for path in (project / "data").iterdir())
    assert "My key is" in (project / "data" / "cases.jsonl").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Say where to"),
        (("@last", "--all", "-o", "x.csv"), "Give a run, or --all."),
        (("-o", "x.xlsx"), 'the ending of "x.xlsx"'),
        (("-o", "x.csv", "--what", "runs", "--what", "calls"), "One file holds one view."),
        (("-o", "x.csv", "--format", "json"), "do not agree"),
        (("-o", "none/x.csv"), "There is no directory"),
        (("-o", "none/deeper"), "cannot be made"),
        (("-o", "llmctl.toml"), "the ending"),
        (("-o", "x.csv", "--what", "result"), 'There is no view "result".'),
        (("-o", "x.csv", "--what", "result_rows"), "There is no view"),
        (("nightly", "-o", "x.csv"), 'There is no run "nightly".'),
    ],
)
def test_what_cannot_be_done_is_said(
    project: Path, llmctl: Invoke, runs: list[str], arguments: tuple[str, ...], message: str
) -> None:
    before = (project / "llmctl.toml").read_bytes()
    result = llmctl("export", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in " ".join(result.err.split())
    assert not (project / "x.csv").exists()
    assert (project / "llmctl.toml").read_bytes() == before


def test_an_empty_store_says_what_to_do(project: Path, llmctl: Invoke) -> None:
    for arguments in ((), ("--all",)):
        result = llmctl("export", *arguments, "-o", "x.csv")
        assert result.code == 2
        assert "There is no run yet." in result.err
    assert not (project / "x.csv").exists()
