"""`bank mine` through the front door: proposals with reasons, and nothing added without a yes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmctl.errors import ModelError
from llmctl.providers.embeddings_weights import locate
from tests.cli.conftest import Invoke, write
from tests.cli.test_bank_add import KEY, bank_text, logged, take_in

BANK = """
prompts: [route]
defaults:
  vars: {brand: Acme}
evaluators:
  - exact
cases:
  - {id: card, vars: {ticket: My card was declined}, expected: billing}
  - {id: parcel, vars: {ticket: Where is my parcel?}, expected: shipping}   # keep me
"""


@pytest.fixture
def shop(project: Path, llmctl: Invoke) -> Path:
    """A bank, and traffic with something of everything."""
    write(project, "testbanks/route.yaml", BANK)
    many = [logged(100 + n, f"Where is my parcel number {n}?", latency_ms=100 + n) for n in range(40)]
    take_in(
        project,
        llmctl,
        *many,
        logged(1, "Where is my parcel number 99?", answer="wrong\x1b[31m"),
        logged(2, "where is my  PARCEL?"),
        logged(3, "Where is my parcel and my card?", finish="length"),
        logged(
            4, "Where is my parcel, written as JSON?", answer="{", request={"response_format": {"type": "json_object"}}
        ),
        logged(5, "Quelle recette de galettes bretonnes au sarrasin ?"),
        logged(6, "Is my parcel slow?", latency_ms=20_000),
        logged(7, "Quelle recette de galettes bretonnes au  sarrasin ?"),
        logged(8, "My card was declined at the shop", answer="x"),
    )
    write(project, "right.txt", "billing")
    assert llmctl("feedback", "add", "call-1", "--down").code == 0
    assert llmctl("feedback", "add", "call-2", "--down").code == 0
    assert llmctl("feedback", "add", "call-8", "--correction", "right.txt").code == 0
    return project


def reasons(document: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(one["vars"]["ticket"], [reason["reason"] for reason in one["reasons"]]) for one in document["proposals"]]


def test_proposals_have_reasons_and_are_ranked(shop: Path, llmctl: Invoke) -> None:
    before = bank_text(shop)
    result = llmctl("bank", "mine", "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["schema"] == "llmctl/bank-mine/1"
    assert document["looked_at"] == 48
    assert reasons(document) == [
        ("My card was declined at the shop", ["corrected"]),
        ("Where is my parcel number 99?", ["thumbs down"]),
        ("Where is my parcel, written as JSON?", ["breaks its schema"]),
        ("Where is my parcel and my card?", ["truncated"]),
        ("Quelle recette de galettes bretonnes au sarrasin ?", ["unlike the bank"]),
        ("Is my parcel slow?", ["slow"]),
    ]
    assert document["left_out"]["in_bank"] == 1
    assert [one["expected"] for one in document["proposals"]] == ["billing", *[None] * 5]
    assert document["proposals"][4]["calls"] == 2
    assert bank_text(shop) == before


def test_without_a_terminal_nothing_is_added_without_yes(shop: Path, llmctl: Invoke) -> None:
    before = bank_text(shop)
    result = llmctl("bank", "mine")
    assert result.code == 0, result.err
    assert "6 proposed, none added. --yes adds them" in result.out
    assert "thumbs down" in result.out
    assert "wrong\\x1b[31m" in result.out
    assert "\x1b" not in result.out
    assert bank_text(shop) == before
    assert llmctl("bank", "mine", "--json", "--yes").code == 2


def test_yes_adds_what_can_be_added_and_says_the_rest(shop: Path, llmctl: Invoke) -> None:
    before = bank_text(shop)
    result = llmctl("bank", "mine", "--yes", "--limit", "2")
    assert result.code == 0, result.err
    assert "2 proposed, 1 added, 1 could not be added." in result.out
    assert "has no expected answer" in result.out
    assert "llmctl bank add --from" in result.out
    after = bank_text(shop)
    assert after.startswith(before)
    assert "      ticket: My card was declined at the shop\n    expected: billing\n" in after
    assert ", corrected, expected: a correction\n" in after
    assert llmctl("validate", "--strict").code == 0
    again = json.loads(llmctl("bank", "mine", "--json").out)
    assert "My card was declined at the shop" not in [ticket for ticket, _ in reasons(again)]
    assert again["left_out"]["in_bank"] == 2


def test_the_filter_chooses_the_traffic(shop: Path, llmctl: Invoke) -> None:
    truncated = json.loads(llmctl("bank", "mine", "--json", "--status", "truncated").out)
    assert [names for _, names in reasons(truncated)] == [["truncated"]]
    none = llmctl("bank", "mine", "--since", "2030-01-01", "--yes")
    assert none.code == 0
    assert "Nothing to propose." in none.out
    assert llmctl("bank", "mine", "--where", "nothing = 1").code == 2
    assert llmctl("bank", "mine", "--bank", "nope").code == 2


def test_what_has_no_variables_is_counted(shop: Path, llmctl: Invoke) -> None:
    call = logged(50, "x", finish="length")
    call["request"]["messages"] = [{"role": "user", "content": "of nobody's template"}]
    take_in(shop, llmctl, call)
    document = json.loads(llmctl("bank", "mine", "--json").out)
    assert sum(document["left_out"]["no_variables"].values()) == 1
    text = llmctl("bank", "mine").out
    assert "--map NAME=PATH" in text
    mapped = json.loads(llmctl("bank", "mine", "--json", "--map", "ticket=messages[-1].content").out)
    assert mapped["left_out"]["no_variables"] == {}


def test_traffic_of_another_prompt_is_left_out(shop: Path, llmctl: Invoke) -> None:
    write(shop, "prompts/other.yaml", "model: fake\ntemplate: 'Say {{ word }}'\n")
    prompt = {"metadata": {"prompt": {"name": "other", "variables": {"word": "x"}}}}
    take_in(shop, llmctl, logged(60, "x", finish="length", request=prompt))
    document = json.loads(llmctl("bank", "mine", "--json").out)
    assert document["of_other_prompts"] == 1
    assert document["found"]["truncated"] == 1


def test_redact_keeps_personal_data_out_of_proposals_and_cases(shop: Path, llmctl: Invoke) -> None:
    take_in(shop, llmctl, logged(70, f"I am ann@example.com with {KEY}", answer="ask bob@example.com"))
    write(shop, "right.txt", "write to ann@example.com")
    llmctl("feedback", "add", "call-70", "--correction", "right.txt")
    shown = llmctl("bank", "mine", "--json", "--redact").out
    assert "<EMAIL_" in shown
    result = llmctl("bank", "mine", "--redact", "--yes")
    for text in (shown, result.out, bank_text(shop)):
        assert "example.com" not in text
        assert KEY not in text
    assert "expected: write to <EMAIL_" in bank_text(shop).replace('"', "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize(("typed", "added"), [("y\nq\n", 1), ("n\nq\n", 0), ("maybe\nn\nn\nq\n", 0), ("\x04", 0)])
def test_on_a_terminal_each_is_asked_for(shop: Path, llmctl: Invoke, typed: str, added: int) -> None:
    before = bank_text(shop)
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    command = [sys.executable, "-m", "llmctl", "bank", "mine"]
    with subprocess.Popen(command, cwd=shop, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE) as child:
        os.close(theirs)
        shown = read_all(ours)
        assert child.stderr is not None
        said = child.stderr.read()
    os.close(ours)
    assert child.returncode == 0, said
    assert "Add it? y/n/q" in shown
    assert f"{added} added" in shown
    assert bank_text(shop).startswith(before)
    assert bank_text(shop).count("- {id") + bank_text(shop).count("- id") == 2 + added


def read_all(terminal: int) -> str:
    """What comes until the other end is closed."""
    data = b""
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # Linux says so that the other end is closed
            break
        if not piece:
            break
        data += piece
    return data.decode()


def test_meaning_decides_with_semantic(shop: Path, llmctl: Invoke) -> None:
    try:
        locate("all-MiniLM-L6-v2", offline=True)
    except ModelError:
        pytest.skip("the embedding model is not installed")
    take_in(shop, llmctl, logged(80, "Has the package with what I bought been dispatched yet?"))
    ticket = "Has the package with what I bought been dispatched yet?"
    by_words = dict(reasons(json.loads(llmctl("bank", "mine", "--json").out)))
    assert by_words[ticket] == ["unlike the bank"]
    by_meaning = llmctl("bank", "mine", "--json", "--semantic")
    assert by_meaning.code == 0, by_meaning.err
    found = dict(reasons(json.loads(by_meaning.out)))
    assert ticket not in found
    assert found["Quelle recette de galettes bretonnes au sarrasin ?"] == ["unlike the bank"]
