"""The classification report through the front door: `eval`, `show`, a run that goes on, files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Invoke, Result, write

BANK = """
prompts: [route]
defaults:
  vars: {brand: Acme}
evaluators:
  - exact
cases:
  - {id: c1, vars: {ticket: card 1}, expected: billing}
  - {id: c2, vars: {ticket: card 2}, expected: billing}
  - {id: p1, vars: {ticket: parcel 1}, expected: shipping}
  - {id: p2, vars: {ticket: parcel or card 2}, expected: shipping}
  - {id: h1, vars: {ticket: hours}, expected: [other, hours]}
  - {id: h2, vars: {ticket: where}, expected: other}
  - {id: h3, vars: {ticket: when}, expected: hours}
  - {id: h4, vars: {ticket: open}, expected: hours}
"""


@pytest.fixture
def labelled(project: Path) -> Path:
    write(project, "testbanks/route.yaml", BANK)
    return project


def report(result: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(result.out)["classification"]
    return found


def test_it_is_in_every_form_of_the_report_and_the_same_in_show(labelled: Path, llmctl: Invoke) -> None:
    said = llmctl("eval", "-o", "report.md", "-o", "report.json")
    assert "Classes by exact\n" in said.out
    assert "  5 of 8 right: accuracy 62.5 %" in said.out
    assert "## Classes by `exact`" in (labelled / "report.md").read_text()
    [written] = json.loads((labelled / "report.json").read_text())["classification"]
    shown = llmctl("show", "@last")
    assert shown.out.split("\n\n")[1] == said.out.split("\n\n")[1]
    [document] = report(llmctl("show", "@last", "--json"))
    assert document == written
    assert document["confusion"] == {
        "expected": ["billing", "hours", "other", "shipping"],
        "answered": ["billing", "hours", "other", "shipping", "(other)", "(no answer)"],
        "counts": [[2, 0, 0, 0, 0, 0], [0, 0, 2, 0, 0, 0], [0, 0, 2, 0, 0, 0], [1, 0, 0, 1, 0, 0]],
    }
    assert document["classes"][3]["recall"] == 0.5
    assert document["classes"][1]["precision"] is None
    assert document["micro"] == {"precision": 0.625, "recall": 0.625, "f1": 0.625}
    assert document["most_confused"][0] == {"expected": "hours", "answered": "other", "count": 2}


def test_a_part_of_an_expected_object(labelled: Path, llmctl: Invoke) -> None:
    head = BANK.partition("cases:")[0].replace(
        "  - exact\n", "  - exact: {ignore_case: true}\n    against: {from: expected/queue}\n"
    )
    cases = [
        f"  - {{id: c{number}, vars: {{ticket: {ticket}}}, expected: {{queue: {queue}}}}}\n"
        for number, (ticket, queue) in enumerate([("card", "Billing"), ("parcel", "Shipping")] * 2)
    ]
    write(labelled, "testbanks/route.yaml", f"{head}cases:\n{''.join(cases)}")
    said = llmctl("eval", "--json")
    assert said.code == 0, said.err
    [document] = report(said)
    assert [one["label"] for one in document["classes"]] == ["billing", "shipping"]
    assert document["accuracy"] == 1.0
    assert report(llmctl("show", "@last", "--json")) == [document]


def test_free_answers_have_none(project: Path, llmctl: Invoke) -> None:
    said = llmctl("eval", "--json")
    assert report(said) == []
    assert "Classes by" not in llmctl("show", "@last").out


def test_a_run_that_goes_on_counts_what_was_there(labelled: Path, llmctl: Invoke) -> None:
    llmctl("eval", "-j", "1")
    [journal] = (labelled / ".llmctl" / "runs").glob("*.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    results = [number for number, line in enumerate(lines) if b'"type":"result"' in line]
    journal.write_bytes(b"".join(lines[: results[3]]))  # as a kill leaves it
    [part] = report(llmctl("show", "@last", "--json"))
    [whole] = report(llmctl("eval", "--resume", "--json"))
    assert (part["results"], whole["results"]) == (3, 8)
    assert whole["correct"] == 5


def test_repeats_each_count(labelled: Path, llmctl: Invoke) -> None:
    [once] = report(llmctl("eval", "--json"))
    [thrice] = report(llmctl("eval", "-r", "3", "--json"))
    assert (thrice["results"], thrice["draws"]) == (24, 3)
    assert thrice["accuracy_interval_95"] == pytest.approx(once["accuracy_interval_95"])
