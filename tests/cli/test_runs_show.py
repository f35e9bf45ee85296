"""`runs` and `show` through the front door."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Invoke


def test_no_runs_yet(project: Path, llmctl: Invoke) -> None:
    assert llmctl("runs").code == 0
    assert json.loads(llmctl("runs", "--json").out)["runs"] == []
    result = llmctl("show", "@last")
    assert result.code == 2


def test_show_a_run_by_last_id_prefix_and_label(project: Path, llmctl: Invoke) -> None:
    llmctl("eval", "--label", "first")
    llmctl("eval", "-t", "smoke")
    run_ids = [run["run_id"] for run in json.loads(llmctl("runs", "--json").out)["runs"]]
    assert run_ids == sorted(run_ids, reverse=True)

    def shown(reference: str) -> str:
        document = json.loads(llmctl("show", reference, "--json").out)
        assert document["schema"] == "llmctl/show/1"
        return str(document["run"]["run_id"])

    assert shown("@last") == run_ids[0]
    assert shown("@last~1") == run_ids[1] == shown("first")
    assert shown(run_ids[1]) == run_ids[1]


def test_show_says_what_eval_said(project: Path, llmctl: Invoke) -> None:
    said = llmctl("eval").out
    shown = llmctl("show", "@last").out
    assert "2/3" in shown
    assert [line for line in shown.splitlines() if "hours" in line] == [
        line for line in said.splitlines() if "hours" in line
    ]


def test_show_a_case_with_its_payload(project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    result = llmctl("show", "@last", "hours", "--payloads")
    assert result.code == 0, result.err
    for text in ("When are you open?", "You route tickets of Acme.", "other", "hours", "exact"):
        assert text in result.out
    document = json.loads(llmctl("show", "@last", "route/hours", "--json").out)
    [one] = document["results"]
    body = json.loads(one["call"]["attempts"][0]["request_body"])
    assert body["messages"][1]["content"] == "Ticket: When are you open?"


def test_an_unknown_case_names_the_nearest(project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    result = llmctl("show", "@last", "hour")
    assert result.code == 2
    assert "hours" in result.err


def test_an_unknown_run(project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    assert llmctl("show", "zzzzzz").code == 2


def test_a_run_is_written_as_a_page(project: Path, llmctl: Invoke) -> None:
    assert llmctl("eval", "-o", "eval.html").code == 0
    result = llmctl("show", "@last", "-o", "shown.html", "-o", "shown.jsonl")
    assert result.code == 0, result.err
    assert "2/3" in result.out
    for name in ("eval.html", "shown.html"):
        page = (project / name).read_text(encoding="utf-8")
        assert "2 of 3 results passed" in page
        assert "Failed: 1" in page
        assert '"hours"' in page
    assert len((project / "shown.jsonl").read_text(encoding="utf-8").splitlines()) == 3


def test_what_cannot_be_written_is_said_before_anything_is_shown(project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    for arguments, said in ((("-o", "run.xls"), "No report format"), (("hours", "-o", "run.html"), "not one case")):
        result = llmctl("show", "@last", *arguments)
        assert (result.code, result.out) == (2, "")
        assert said in result.err
