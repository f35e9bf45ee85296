"""`bank add` through the front door: a logged call or a result becomes a case, and the bank stays what it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmctl.importers.bank.update import opened_bank
from llmctl.project.loader import load_config
from tests.cli.conftest import Invoke, write
from tests.traffic.to_bank.test_block_yaml import HOSTILE, clean

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
BANK = """
# What the shop asks.
prompts: [route]
defaults:
  vars: {brand: Acme}
evaluators:
  - exact
cases:
  - {id: card, vars: {ticket: My card was declined}, expected: billing}   # keep me

gate: {min_pass_rate: 0.9}   # the rule
"""


def logged(number: int, ticket: str, **changes: Any) -> dict[str, Any]:
    """A call that the prompt `route` has made."""
    return {
        "request": {
            "model": "gpt-4o-mini",
            "messages": [
                {"role": "system", "content": "You route tickets of Acme."},
                {"role": "user", "content": f"Ticket: {ticket}"},
            ],
            **changes.pop("request", {}),
        },
        "response": {
            "id": f"call-{number}",
            "object": "chat.completion",
            "created": 1_795_000_000 + number,
            "model": "gpt-4o-mini-2026-03-01",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": changes.pop("answer", "shipping")},
                    "finish_reason": changes.pop("finish", "stop"),
                }
            ],
            "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
        },
        **changes,
    }


def take_in(project: Path, llmctl: Invoke, *calls: dict[str, Any]) -> None:
    """Import calls."""
    (project / "log.jsonl").write_text("".join(f"{json.dumps(call)}\n" for call in calls))
    result = llmctl("traffic", "import", "log.jsonl")
    assert result.code == 0, result.err


def bank_text(project: Path) -> str:
    return (project / "testbanks/route.yaml").read_text(encoding="utf-8")


@pytest.fixture
def shop(project: Path) -> Path:
    write(project, "testbanks/route.yaml", BANK)
    return project


def test_a_corrected_call_becomes_a_case_and_the_rest_of_the_file_stays(shop: Path, llmctl: Invoke) -> None:
    take_in(shop, llmctl, logged(1, "Hello,\n\nwhere: is # it?"))
    write(shop, "right.txt", "returns\n")
    assert llmctl("feedback", "add", "call-1", "--down", "--correction", "right.txt").code == 0
    before = bank_text(shop)
    result = llmctl("bank", "add", "--from", "call-1", "--tag", "hard", "--must-pass")
    assert result.code == 0, result.err
    head, gate = before.split("\ngate:")
    case_id = json.loads(llmctl("traffic", "list", "--json").out)["calls"][0]["call_id"][:8]
    assert bank_text(shop) == (
        f"{head}  # from traffic {case_id}, gpt-4o-mini, 2026-11-18, thumbs down, corrected, expected: a correction\n"
        f"  - id: traffic-{case_id}\n"
        "    vars:\n"
        "      ticket: |-\n"
        "        Hello,\n"
        "\n"
        "        where: is # it?\n"
        "    expected: returns\n"
        "    tags: [hard]\n"
        "    must_pass: true\n"
        f"\ngate:{gate}"
    )
    assert f"llmctl eval route -k traffic-{case_id}" in result.out
    assert llmctl("validate", "--strict").code == 0


def test_an_accepted_answer_is_expected_and_a_disputed_one_is_not(shop: Path, llmctl: Invoke) -> None:
    take_in(shop, llmctl, logged(1, "Where is my parcel?"), logged(2, "May I pay by invoice?"))
    llmctl("feedback", "add", "call-1", "--up")
    llmctl("feedback", "add", "call-2", "--up")
    llmctl("feedback", "add", "call-2", "--down")
    first = json.loads(llmctl("bank", "add", "--from", "call-1", "--json", "--dry-run").out)
    assert first["schema"] == "llmctl/bank-add/1"
    assert (first["case"]["expected"], first["expected_from"]) == ("shipping", "the answer, thumbs up")
    before = bank_text(shop)
    second = llmctl("bank", "add", "--from", "call-2")
    assert second.code == 2
    assert "has no expected answer" in second.err
    assert "--expected FILE" in second.err
    assert bank_text(shop) == before


def test_without_an_expected_answer_it_is_said(shop: Path, llmctl: Invoke) -> None:
    write(shop, "testbanks/route.yaml", BANK.replace("- exact", "- length: {max: 99}"))
    take_in(shop, llmctl, logged(1, "Where is my parcel?"))
    result = llmctl("bank", "add", "--from", "call-1", "--id", "parcel")
    assert result.code == 0, result.err
    assert "none: neither a correction nor a thumb up says what is right" in " ".join(result.out.split())
    assert "expected: a" not in bank_text(shop)
    assert llmctl("bank", "add", "--from", "call-1", "--correction", "--force").code == 2
    again = llmctl("bank", "add", "--from", "call-1", "--id", "parcel", "--force")
    assert (again.code, "parcel already" in again.err) == (2, True)


def test_nearly_the_same_question_needs_force(shop: Path, llmctl: Invoke) -> None:
    take_in(shop, llmctl, logged(1, "my  CARD was declined"), logged(2, "Nothing like it at all"))
    write(shop, "right.txt", "billing")
    refused = llmctl("bank", "add", "--from", "call-1", "--expected", "right.txt")
    assert refused.code == 2
    assert "The case card of the bank route asks the same." in refused.err
    assert llmctl("bank", "add", "--from", "call-1", "--expected", "right.txt", "--force").code == 0
    assert llmctl("bank", "add", "--from", "call-2", "--expected", "right.txt").code == 0
    again = llmctl("bank", "add", "--from", "call-2", "--expected", "right.txt")
    assert again.code == 2


def test_keys_never_reach_the_bank_and_personal_data_not_with_redact(shop: Path, llmctl: Invoke) -> None:
    take_in(shop, llmctl, logged(1, "Mail ann@example.com please", answer=f"use {KEY}"))
    write(shop, "right.txt", f"ask ann@example.com with {KEY}")
    assert llmctl("bank", "add", "--from", "call-1", "--expected", "right.txt", "--redact", "--id", "x").code == 0
    text = bank_text(shop)
    assert KEY not in text
    assert "example.com" not in text
    assert "ticket: Mail <EMAIL_1> please" in text.replace('"', "")
    assert "ask <EMAIL_1> with [redacted]" in text


def test_a_variable_that_is_missing_is_an_error_with_a_way_out(shop: Path, llmctl: Invoke) -> None:
    call = logged(1, "x", request={"metadata": {"prompt": {"name": "route", "variables": {"note": "Is it late?"}}}})
    take_in(shop, llmctl, call)
    write(shop, "right.txt", "other")
    before = bank_text(shop)
    result = llmctl("bank", "add", "--from", "call-1", "--expected", "right.txt")
    assert result.code == 2
    assert "The prompt `route` needs `ticket`" in result.err
    assert "--map ticket=PATH" in result.err
    assert bank_text(shop) == before
    done = llmctl("bank", "add", "--from", "call-1", "--expected", "right.txt", "--map", "ticket=messages[-1].content")
    assert done.code == 0, done.err
    assert 'ticket: "Ticket: x"' in bank_text(shop)


def test_a_call_without_variables_is_said(shop: Path, llmctl: Invoke) -> None:
    call = logged(1, "x")
    call["request"]["messages"] = [{"role": "user", "content": "nobody's template"}]
    take_in(shop, llmctl, call)
    result = llmctl("bank", "add", "--from", "call-1")
    assert result.code == 2
    assert "variables" in result.err
    assert "--map NAME=PATH" in result.err
    write(shop, "right.txt", "other")
    assert llmctl("bank", "add", "--from", "call-1", "--expected", "right.txt", "--var", "ticket=Hm?").code == 0
    assert "ticket: Hm?" in bank_text(shop)


def test_a_result_of_a_run_goes_to_another_bank(project: Path, llmctl: Invoke) -> None:
    assert llmctl("eval").code == 0
    write(
        project,
        "testbanks/hard.yaml",
        "prompts: [route]\nevaluators: [exact]\ncases:\n  - {id: a, vars: {ticket: a, brand: b}, expected: a}\n",
    )
    assert "asks the same" in llmctl("bank", "add", "--from", "@last/hours").err
    result = llmctl("bank", "add", "--from", "@last/hours", "--bank", "hard")
    assert result.code == 0, result.err
    text = (project / "testbanks/hard.yaml").read_text()
    assert "case hours, fake, failed, expected: the case of the run" in text
    assert text.endswith(
        "  - id: hours\n    vars:\n      brand: Acme\n      ticket: When are you open?\n    expected: hours\n"
    )
    shown = json.loads(llmctl("show", "@last", "parcel", "--json").out)
    call_id = json.dumps(shown).partition('"call_id": "')[2].partition('"')[0]
    assert llmctl("bank", "add", "--from", call_id, "--bank", "hard").code == 0
    assert "  - id: parcel\n" in (project / "testbanks/hard.yaml").read_text()
    assert llmctl("bank", "add", "--from", "@last/nothing", "--bank", "hard").code == 2


def test_a_bank_that_is_not_there_is_made(shop: Path, llmctl: Invoke) -> None:
    take_in(shop, llmctl, logged(1, "Where is my parcel?"))
    write(shop, "right.json", '{"queue": "shipping", "n": 1.10}')
    assert llmctl("bank", "add", "--from", "call-1", "--bank", "new").code == 2
    assert llmctl("bank", "add", "--from", "call-1", "--bank", "new", "--prompt", "nope").code == 2
    assert llmctl("bank", "add", "--from", "call-1", "--bank", "../new", "--prompt", "route").code == 2
    result = llmctl(
        "bank",
        "add",
        "--from",
        "call-1",
        "--bank",
        "deep/new",
        "--prompt",
        "route",
        "--expected",
        "right.json",
        "--id",
        "p",
    )
    assert result.code == 0, result.err
    text = (shop / "testbanks/deep/new.yaml").read_text()
    assert text.startswith("prompts:\n  - route\nevaluators:\n  - json\ncases:\n  # from traffic ")
    assert text.endswith("    expected:\n      queue: shipping\n      n: 1.10\n")
    assert llmctl("validate").code == 0


def test_cases_in_a_table_stay_there(shop: Path, llmctl: Invoke) -> None:
    write(shop, "testbanks/route.yaml", "prompts: [route]\nevaluators: [exact]\ninclude:\n  - file: rows.csv\n")
    rows = write(shop, "testbanks/rows.csv", "id,brand,ticket,expected\na,Acme,My card was declined,billing\n")
    before = rows.read_text()
    take_in(shop, llmctl, logged(1, "Where is my parcel?"))
    write(shop, "right.txt", "shipping")
    result = llmctl("bank", "add", "--from", "call-1", "--expected", "right.txt")
    assert result.code == 0, result.err
    assert "Other cases stand in testbanks/rows.csv" in " ".join(result.out.split())
    assert rows.read_text() == before
    assert "cases:\n  # from traffic" in bank_text(shop)
    assert "2 cases: all good" in llmctl("validate").out


def test_mistakes_are_one_sentence(shop: Path, llmctl: Invoke) -> None:
    take_in(shop, llmctl, logged(1, "Where is my parcel?"))
    write(shop, "testbanks/other.yaml", BANK)
    for words, said in {
        ("--from", "nothing"): 'There is no call "nothing".',
        ("--from", "call-1"): "The banks other, route may be meant.",
        ("--from", "call-1", "--bank", "rout"): "Did you mean",
        ("--from", "call-1", "--bank", "route", "--expected", "no.txt"): "There is no file",
        ("--from", "call-1", "--bank", "route", "--expected", "x", "--correction"): "not both",
        ("--from", "call-1", "--bank", "route", "--prompt", "route"): "already",
    }.items():
        result = llmctl("bank", "add", *words)
        assert result.code == 2, words
        assert said in " ".join(result.err.split()), words
        assert "Traceback" not in result.err


def test_a_bank_that_cannot_be_edited_is_left_alone(shop: Path, llmctl: Invoke) -> None:
    text = "prompts: [route]\nevaluators: [exact]\ncases: [{id: a, vars: {ticket: a, brand: b}, expected: x}]\n"
    write(shop, "testbanks/route.yaml", text)
    take_in(shop, llmctl, logged(1, "Where is my parcel?"))
    write(shop, "right.txt", "shipping")
    result = llmctl("bank", "add", "--from", "call-1", "--expected", "right.txt")
    assert result.code == 2
    assert "cannot be changed here" in result.err
    assert bank_text(shop) == text


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=st.one_of(st.sampled_from(HOSTILE), st.text(max_size=80)).filter(lambda text: bool(text.strip())))
def test_hostile_values_come_back_exactly(project: Path, llmctl: Invoke, value: str) -> None:
    write(project, "testbanks/route.yaml", BANK)
    variables = {"ticket": value, "brand": "Other"}
    call = logged(1, "x", request={"metadata": {"prompt": {"name": "route", "variables": variables}}})
    call["response"]["id"] = f"h-{abs(hash(value))}"
    (project / "log.jsonl").write_text(json.dumps(call))
    llmctl("traffic", "import", "log.jsonl")
    (project / "right.txt").write_bytes(str(clean(value)).encode())
    result = llmctl(
        "bank", "add", "--from", call["response"]["id"], "--expected", "right.txt", "--id", "new", "--force"
    )
    assert result.code == 0, result.err
    assert "\x1b" not in result.out
    case = opened_bank(load_config(project / "llmctl.toml", {}), "route").cases["new"]
    expected = str(clean(value)).removeprefix("\ufeff").removesuffix("\n").removesuffix("\r")
    assert (case.vars, case.expected) == ({"ticket": clean(value), "brand": "Other"}, expected)
