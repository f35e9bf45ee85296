"""`feedback add|import|implicit|list` through the front door."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Invoke
from tests.traffic.test_importing import log, pair


def test_several_things_are_said_of_one_call_at_once(project: Path, llmctl: Invoke) -> None:
    log(project / "log.jsonl", [pair(1), pair(2)])
    llmctl("traffic", "import", "log.jsonl")
    (project / "right.txt").write_text("billing\n", encoding="utf-8")
    words = ("--down", "--score", "2", "--label", "wrong-queue", "--correction", "right.txt", "--comment", "a\x1b[2Jb")
    result = llmctl("feedback", "add", "chatcmpl-1", *words, "--by", "anna", "--name", "queue")
    assert result.code == 0, result.err
    assert result.out.splitlines()[1:] == [
        "    rating      down",
        "    score       2",
        "    label       wrong-queue",
        "    correction  billing",
        "    comment     a\\x1b[2Jb",
    ]
    listed = json.loads(llmctl("feedback", "list", "chatcmpl-1", "--json").out)
    assert listed["schema"] == "llmctl/feedback-list/1"
    assert {one["kind"]: one["text"] for one in listed["feedback"]}["correction"] == "billing"
    assert {one["by"] for one in listed["feedback"]} == {"anna"}
    assert {one["name"] for one in listed["feedback"]} == {"queue"}
    assert listed["total"] == 5
    shown = llmctl("traffic", "show", "chatcmpl-1")
    assert "correction    queue, billing, by human" in shown.out
    text = llmctl("feedback", "list", "--kind", "comment", "--limit", "1").out
    assert "a\\x1b[2Jb" in text
    assert "\x1b" not in text
    found = json.loads(llmctl("sql", "--json", "SELECT kind, prompt, model FROM feedback WHERE value = 0").out)
    assert found == [{"kind": "rating", "prompt": None, "model": "gpt-4o-mini"}]


def test_mistakes_are_one_sentence_and_keep_nothing(project: Path, llmctl: Invoke) -> None:
    log(project / "log.jsonl", [pair(1)])
    llmctl("traffic", "import", "log.jsonl")
    (project / "latin.txt").write_bytes(b"\xff\xfe\x00")
    (project / "blank.txt").write_text(" \n")
    for words, said in {
        ("add", "chatcmpl-9", "--up"): 'There is no call "chatcmpl-9".',
        ("add", "chatcmpl-1"): "Nothing is said of the call.",
        ("add", "chatcmpl-1", "--up", "--down"): "Give --up or --down, not both.",
        ("add", "chatcmpl-1", "--score", "nan"): "--score takes a finite number.",
        ("add", "chatcmpl-1", "--correction", "none.txt"): "The correction none.txt cannot be read",
        ("add", "chatcmpl-1", "--correction", "latin.txt"): "is not UTF-8",
        ("add", "chatcmpl-1", "--correction", "blank.txt"): "The correction is empty.",
        ("import", "none.jsonl"): "There is no file none.jsonl.",
        ("import", "log.jsonl", "--map", "idd=x"): "Did you mean id?",
        ("implicit",): "Nothing is given to compare.",
        ("implicit", "log.jsonl", "--id", "response.id"): "--final: no row has a final.",
        ("list", "--kind", "ratings"): 'no feedback of the kind "ratings"',
        ("list", "--explicit", "--implicit"): "not both",
    }.items():
        result = llmctl("feedback", *words)
        assert result.code == 2, (words, result)
        assert said in result.err
        assert "Traceback" not in result.err
    assert not (project / ".llmctl" / "events.jsonl").exists()


def test_import_ends_with_its_summary_and_4_where_something_cannot_be_read(project: Path, llmctl: Invoke) -> None:
    log(project / "log.jsonl", [pair(1)])
    llmctl("traffic", "import", "log.jsonl")
    log(project / "vellum.jsonl", [{"externalId": "chatcmpl-1", "quality": 1}, {"externalId": "x", "quality": 0}, '{"'])
    result = llmctl("feedback", "import", "vellum.jsonl")
    assert result.code == 4
    assert result.out.splitlines()[-1] == "imported 2, skipped 1: not JSON x 1"
    assert "unknown calls   1 of no call known here" in result.out
    document = json.loads(llmctl("feedback", "import", "vellum.jsonl", "--json").out)
    assert document["schema"] == "llmctl/feedback-import/1"
    assert (document["imported"], document["skipped"], document["unknown_calls"]) == (0, 3, 0)
    assert document["summary"] == "imported 0, skipped 3: imported already x 2, not JSON x 1"
    assert "? x" in llmctl("feedback", "list", "--unknown").out


def test_implicit_feedback_stays_apart_from_explicit(project: Path, llmctl: Invoke) -> None:
    log(project / "log.jsonl", [pair(number) for number in range(3)])
    llmctl("traffic", "import", "log.jsonl")
    (project / "sent.csv").write_text("id,final\nchatcmpl-0,shipping\nchatcmpl-1,billing\nchatcmpl-2,\n")
    result = llmctl("feedback", "implicit", "sent.csv")
    assert result.code == 0, result.err
    assert result.out.splitlines() == ["edits           accepted 1, edited 1, abandoned 1", "imported 3, skipped 0"]
    llmctl("feedback", "add", "chatcmpl-0", "--up")
    assert json.loads(llmctl("feedback", "list", "--implicit", "--json").out)["total"] == 3
    assert [one["kind"] for one in json.loads(llmctl("feedback", "list", "--explicit", "--json").out)["feedback"]] == [
        "rating"
    ]
    text = llmctl("feedback", "list", "--implicit").out
    assert "accepted unedited" in text
    assert "abandoned" in text
    assert "% edited: billing" in text
    drafts = log(project / "drafts.jsonl", [{"id": "chatcmpl-1", "t": "ship"}, {"id": "chatcmpl-9", "t": "x"}])
    log(project / "finals.jsonl", [{"id": "chatcmpl-1", "t": "shop"}])
    two = llmctl("feedback", "implicit", "--drafts", drafts.name, "--finals", "finals.jsonl", "--final", "t", "--json")
    assert json.loads(two.out)["edits"] == {"edited": 1, "abandoned": 1}


def test_a_call_of_a_run_is_named_by_run_and_number(project: Path, llmctl: Invoke) -> None:
    assert llmctl("eval").code == 0
    run = json.loads(llmctl("runs", "--json").out)["runs"][0]["run_id"]
    result = llmctl("feedback", "add", f"{run[:11]}.1", "--up", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["call_id"] == f"{run}.1"
    query = "SELECT call_id, prompt, model, length(prompt_version) AS digits, run_id FROM feedback"
    assert json.loads(llmctl("sql", "--json", query).out) == [
        {"call_id": f"{run}.1", "prompt": "route", "model": "fake", "digits": 12, "run_id": run}
    ]
    assert llmctl("feedback", "add", f"{run}.99", "--up").code == 2
    log(project / "log.jsonl", [pair(1)])
    llmctl("traffic", "import", "log.jsonl")
    assert "Not counted: 1 thing said of calls of runs" in llmctl("quality").out
