"""What a result that is scored again keeps of the old one, and what it takes from today's files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from llmctl.runs.append_file import AppendFile, FileCalls
from llmctl.runs.codec import encode
from llmctl.runs.journal_reader import JournalLine, read_journal, results_in
from llmctl.runs.records import Event, PlanEvent, ResultEvent, RunEvent
from tests.cli.conftest import BANK, CONFIG, Invoke, write
from tests.cli.test_engine import MODEL, PRICE
from tests.cli.test_judge import BANK as JUDGED_BANK
from tests.cli.test_judge import CONFIG as JUDGED_CONFIG
from tests.cli.test_judge import PROMPT as JUDGED_PROMPT
from tests.support.openai_server import OpenAIServer, Reply

T = TypeVar("T")
PLAIN = BANK.replace("prompts: [route]", "prompts: [route]\nmodels: [gpt]").replace("- exact", "- length: 99")


def rescored(project: Path, llmctl: Invoke, *flags: str) -> dict[str, ResultEvent]:
    """The results of the latest run, scored again, by case."""
    result = llmctl("rescore", "@last", "--json", *flags)
    document: dict[str, Any] = json.loads(result.out)
    results = {one.case_id: one for one in results_in(journal(project, document))}
    assert len(results) == document["run"]["planned"] == len(document["results"])
    return results


def journal(project: Path, document: dict[str, Any]) -> Path:
    return project / ".llmctl" / "runs" / f"{document['run']['run_id']}.jsonl"


def events_in(path: Path, kind: type[T]) -> Iterator[T]:
    lines = (line for line in read_journal(path) if isinstance(line, JournalLine))
    return (line.event for line in lines if isinstance(line.event, kind))


def test_of_a_result_that_was_written_twice_the_latest_line_is_scored(project: Path, llmctl: Invoke) -> None:
    path = journal(project, json.loads(llmctl("eval", "--json").out))
    head, card = next(events_in(path, RunEvent)), next(results_in(path))
    file = AppendFile(path, FileCalls())
    resumed: tuple[Event, ...] = (head, replace(card, output="shipping"))
    file.append([encode(event, file.last_seq + number) for number, event in enumerate(resumed, 1)])
    file.close()
    again = rescored(project, llmctl)
    assert (card.output, again["card"].output) == ("billing", "shipping")
    assert (again["card"].passed, len(again)) == (False, 3)


def test_without_evidence_the_old_reason_stays(project: Path, llmctl: Invoke) -> None:
    with OpenAIServer() as server:
        write(project, "llmctl.toml", CONFIG + MODEL.format(url=server.url, more=PRICE))
        write(project, "testbanks/route.yaml", PLAIN)
        server.script("gpt", Reply(status=400, payload={"error": {"message": "the word frobnicate is unknown"}}))
        first = json.loads(llmctl("eval", "--json").out)
    reasons = {row["case_id"]: row["reason"] for row in first["results"]}
    assert all("frobnicate" in reason for reason in reasons.values())
    again = rescored(project, llmctl)
    assert {case: one.reason for case, one in again.items()} == reasons
    assert {one.passed for one in again.values()} == {None}


def test_cases_have_the_numbers_of_todays_bank(project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    head, card, parcel, hours = BANK.replace("- {id", "@- {id").split("@")
    write(project, "testbanks/route.yaml", f"{head}{hours.rstrip()}\n  {parcel.rstrip()}\n  {card}")
    again = rescored(project, llmctl)
    assert {case: one.case_number for case, one in again.items()} == {"hours": 0, "parcel": 1, "card": 2}
    [plan] = events_in(max((project / ".llmctl" / "runs").iterdir()), PlanEvent)
    assert plan.tags == {"smoke": 2, "hard": 1}


def test_an_argument_may_come_from_todays_case(project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    bank = BANK.replace("- exact", "- contains: {from: vars.wanted}")
    for case, wanted in (("declined", "bill"), ("parcel?", "ship"), ("open?", "closed")):
        bank = bank.replace(f"{case}}}", f"{case}, wanted: {wanted}}}")
    write(project, "testbanks/route.yaml", bank)
    again = rescored(project, llmctl)
    assert {case: one.passed for case, one in again.items()} == {"card": True, "parcel": True, "hours": False}


@pytest.mark.parametrize("rubric", ["It is polite.", "It is very polite."])
def test_a_kept_score_has_todays_weight(tmp_path: Path, llmctl: Invoke, rubric: str) -> None:
    write(tmp_path, "llmctl.toml", JUDGED_CONFIG)
    write(tmp_path, "prompts/echo.yaml", JUDGED_PROMPT)
    write(tmp_path, "testbanks/echo.yaml", JUDGED_BANK)
    llmctl("eval")
    today = "metric: polite\n        weight: 0\n      - length: 50"
    bank = JUDGED_BANK.replace("metric: polite", today).replace("It is polite.", rubric)
    write(tmp_path, "testbanks/echo.yaml", bank)
    again = rescored(tmp_path, llmctl)
    scores = [next(score for score in one.scores if score.metric == "polite") for one in again.values()]
    assert [(score.weight, score.stale) for score in scores] == [(0.0, rubric != "It is polite.")] * 3
    assert {one.passed for one in again.values()} == {True}, "a weight of 0 does not decide"
