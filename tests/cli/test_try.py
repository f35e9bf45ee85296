"""`try` through the front door."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Invoke, write


def test_one_call(project: Path, llmctl: Invoke) -> None:
    result = llmctl("try", "route", "--var", "brand=Acme", "--var", "ticket=my card")
    assert result.code == 0, result.err
    assert result.out == "billing\n"
    assert not (project / ".llmctl").exists()


def test_a_variable_from_a_file_and_json(project: Path, llmctl: Invoke) -> None:
    file = write(project, "ticket.txt", "about a parcel")
    result = llmctl("try", "route", "--var", "brand=Acme", "--var", f"ticket=@{file}", "-m", "echo", "--json")
    document = json.loads(result.out)
    assert document["schema"] == "llmctl/try/1"
    assert document["output"] == "Ticket: about a parcel"


def test_a_missing_variable(project: Path, llmctl: Invoke) -> None:
    result = llmctl("try", "route", "--var", "ticket=x")
    assert result.code == 2
    assert "brand" in result.err and "--var" in result.err


def test_a_hostile_answer_is_shown_visibly(project: Path, llmctl: Invoke) -> None:
    result = llmctl("try", "route", "-m", "echo", "--var", "brand=x", "--var", "ticket=\x1b[2J\x9bred\u202e[bold]")
    assert result.code == 0, result.err
    assert not set(result.out) & {"\x1b", "\x9b", "\u202e"}
    assert "[bold]" in result.out
