"""`sql` through the front door."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import Invoke, write

RESULTS = "SELECT case_id, passed, score FROM results ORDER BY case_id"


def test_an_empty_store_answers(project: Path, llmctl: Invoke) -> None:
    result = llmctl("sql", "SELECT count(*) AS runs FROM runs")
    assert (result.code, result.out) == (0, "  runs\nbigint\n     0\n")
    assert not (project / ".llmctl").exists()


def test_a_table(project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    result = llmctl("sql", RESULTS)
    assert result.code == 0, result.err
    assert result.out == (
        "case_id  passed    score\n"
        "varchar  boolean  double\n"
        "card     true        1.0\n"
        "hours    false       0.0\n"
        "parcel   true        1.0\n"
    )
    assert result.err == ""


def test_a_run_that_was_made_meanwhile_is_seen(project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    llmctl("eval", "--label", "second")
    assert json.loads(llmctl("sql", "--json", "SELECT label FROM runs ORDER BY run_id").out) == [
        {"label": None},
        {"label": "second"},
    ]


def test_a_table_shows_the_first_rows(project: Path, llmctl: Invoke) -> None:
    result = llmctl("sql", "SELECT * FROM range(101)")
    assert result.out.count("\n") == 103
    assert result.out.endswith("100 rows shown, there are more: --limit N, or -o FILE.\n")
    assert llmctl("sql", "SELECT * FROM range(100)").out.endswith("\n    99\n")
    assert llmctl("sql", "SELECT * FROM range(101)", "--limit", "2").out.splitlines()[2:] == [
        "     0",
        "     1",
        "2 rows shown, there are more: --limit N, or -o FILE.",
    ]


def test_json_is_a_bare_list_of_rows(project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    rows = json.loads(llmctl("sql", "--json", "SELECT case_id, passed, tags FROM results ORDER BY ALL").out)
    assert rows == [
        {"case_id": "card", "passed": True, "tags": ["smoke"]},
        {"case_id": "hours", "passed": False, "tags": []},
        {"case_id": "parcel", "passed": True, "tags": ["smoke", "hard"]},
    ]
    assert len(json.loads(llmctl("sql", "--json", "FROM range(5000)").out)) == 5000
    assert len(json.loads(llmctl("sql", "--json", "--limit", "7", "FROM range(5000)").out)) == 7


def test_csv(project: Path, llmctl: Invoke) -> None:
    result = llmctl("sql", "--csv", "SELECT 'a,b' AS x, '=1+1' AS y, -1 AS z")
    assert (result.code, result.out) == (0, 'x,y,z\n"a,b",\'=1+1,-1\n')


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "parquet"])
def test_a_file(project: Path, llmctl: Invoke, ending: str) -> None:
    llmctl("eval")
    result = llmctl("sql", RESULTS, "-o", f"found.{ending}")
    assert (result.code, result.out, result.err) == (0, "", f"3 rows in found.{ending}\n")
    with duckdb.connect() as con:
        rows = con.execute(f"FROM '{project / 'found'}.{ending}'").fetchall()
    assert [row[0] for row in rows] == ["card", "hours", "parcel"]
    assert [bool(row[1]) for row in rows] == [True, False, True]
    assert {path.name for path in project.iterdir()} == {
        ".llmctl",
        "llmctl.toml",
        "prompts",
        "testbanks",
        f"found.{ending}",
    }


def test_a_parquet_file_may_be_cut_and_asked_with_parameters(project: Path, llmctl: Invoke) -> None:
    arguments = ("SELECT range AS n FROM range(9) WHERE n > $least::INT;", "--param", "least=4", "--limit", "2")
    assert llmctl("sql", *arguments, "-o", "n.parquet").code == 0
    with duckdb.connect() as con:
        assert con.execute(f"FROM '{project / 'n.parquet'}'").fetchall() == [(5,), (6,)]


def test_a_wrong_query_leaves_the_file_that_is_there(project: Path, llmctl: Invoke) -> None:
    for ending in ("csv", "parquet"):
        write(project, f"x.{ending}", "old")
        assert llmctl("sql", "SELECT 'x'::INT", "-o", f"x.{ending}").code == 2
        assert (project / f"x.{ending}").read_text() == "old"
    assert not list(project.glob(".x*"))


def test_parameters(project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    result = llmctl("sql", "--csv", "SELECT count(*) AS n FROM results WHERE case_id = $id", "--param", "id=card")
    assert result.out == "n\n1\n"
    missing = llmctl("sql", "SELECT $id")
    assert missing.code == 2
    assert "The query needs a value for: id." in missing.err
    assert "--param name=value" in missing.err


def test_a_query_from_a_file_or_standard_input(project: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, "q.sql", "-- é\nSELECT 5 AS n;\n")
    assert llmctl("sql", "--file", "q.sql", "--csv").out == "n\n5\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"SELECT 6 AS n")))
    assert llmctl("sql", "-", "--csv").out == "n\n6\n"


def test_a_mistake_in_a_file_has_its_place(project: Path, llmctl: Invoke) -> None:
    write(project, "q.sql", "SELECT case_id,\n  scre\nFROM results\n")
    result = llmctl("sql", "-f", "q.sql")
    assert result.code == 2
    assert result.err == (
        "q.sql:2:3\n"
        '  error: There is no column "scre".\n'
        "    2 |   scre\n"
        "      |   ^\n"
        '    Did you mean "score"?\n'
        "\n"
        "1 error.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "Give a query"),
        (("SELECT 1", "--file", "q.sql"), 2, "Give a query"),
        (("--file", "none.sql"), 2, "cannot be read: No such file"),
        (("--file", "binary.sql"), 2, "is not UTF-8 text"),
        (("SELECT 1", "--json", "--csv"), 2, "Give one of"),
        (("SELECT 1", "-o", "x.xlsx"), 2, 'the ending of "x.xlsx"'),
        (("SELECT 1", "-o", "none/x.csv"), 2, "There is no directory"),
        (("SELECT 1", "--param", "x"), 2, "--param takes NAME=VALUE"),
        (("",), 2, "The query is empty."),
        (("DROP VIEW results",), 2, "The store is read only: DROP is refused."),
        (("FROM read_text('llmctl.toml')",), 2, "no files, no network, no extensions"),
        (("SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b", "--timeout", "0.2"), 4, "longer"),
    ],
)
def test_what_cannot_be_done_is_said(
    project: Path, llmctl: Invoke, arguments: tuple[str, ...], code: int, message: str
) -> None:
    (project / "binary.sql").write_bytes(b"SELECT '\xff'")
    result = llmctl("sql", *arguments)
    assert (result.code, result.out) == (code, "")
    assert message in " ".join(result.err.split())


def test_the_views_are_listed(project: Path, llmctl: Invoke) -> None:
    listed = llmctl("sql", "--tables")
    assert listed.code == 0
    assert "results  One row for each target, case and repeat of a run.\n" in listed.out
    assert "  passed         boolean    The verdict; NULL: no evidence." in listed.out
    one = llmctl("sql", "--tables", "banks")
    assert one.out.startswith("banks  One row for each bank of a run.\n")
    assert "case_id" not in one.out
    document = json.loads(llmctl("sql", "--tables", "--json").out)
    assert document["schema"] == "llmctl/sql-tables/1"
    assert [view["name"] for view in document["views"]][:3] == ["runs", "results", "scores"]
    assert llmctl("sql", "--tables", "reslts").code == 2


def test_a_key_that_reached_the_store_is_not_printed(
    project: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-" + "a1b2c3d4" * 5)
    for arguments in ((), ("--json",), ("--csv",)):
        result = llmctl("sql", "SELECT $key AS x", "--param", "key=sk-" + "a1b2c3d4" * 5, *arguments)
        assert result.code == 0
        assert "a1b2c3d4" not in result.out
