"""`quality` through the front door."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Invoke
from tests.traffic.feedback.logs import NOW, call, keep, logged, say


def twelve(project: Path) -> None:
    store = project / ".llmctl"
    names = [str(number) for number in range(24)]
    logged(store, *(call(name, version="1" if int(name) < 12 else "2", at=NOW + int(name) * 86_400) for name in names))
    keep(store, *(say(name, value=float(int(name) % 3 > 0)) for name in names), say("1", "edit", 0.0))


def test_by_prompt_version_with_intervals_and_evidence(project: Path, llmctl: Invoke) -> None:
    twelve(project)
    result = llmctl("quality")
    assert result.code == 0, result.err
    assert result.out.splitlines()[:4] == [
        "What users say",
        "prompt version  calls  with feedback  rated               up  corrections  comments",
        "reply 1            12     12 (100 %)     12  66.7 % [39, 87]            0         0",
        "reply 2            12     12 (100 %)     12  66.7 % [39, 87]            0         0",
    ]
    assert "reply 1 to 2, rated up: 66.7 % to 66.7 %, +0.0 points" in result.out
    assert "no evidence of a change." in " ".join(result.out.split())
    assert "What users do" in result.out


def test_json_over_time(project: Path, llmctl: Invoke) -> None:
    twelve(project)
    document = json.loads(llmctl("quality", "--by", "model", "--every", "week", "--json").out)
    assert document["schema"] == "llmctl/quality/1"
    assert (document["by"], document["every"]) == ("model", "week")
    assert sum(one["calls"] for one in document["over_time"]) == 24
    assert document["groups"][0]["implicit"]["accepted_unedited"]["count"] == 1
    text = llmctl("quality", "--every", "week").out
    assert "week (UTC)" in text
    assert "2026-11-16" in text


def test_mistakes_and_an_empty_store(project: Path, llmctl: Invoke) -> None:
    assert llmctl("quality").out == "No logged calls. Next: llmctl traffic import FILE\n"
    assert not (project / ".llmctl").exists()
    assert 'put together by "vibes"' in llmctl("quality", "--by", "vibes").err
    assert 'no step "hour"' in llmctl("quality", "--every", "hour").err
    assert llmctl("quality", "--since", "soon").code == 2


def test_hostile_names_are_shown_safely(project: Path, llmctl: Invoke) -> None:
    hostile = call("a", version="\x1b[31m\u202e2")
    logged(project / ".llmctl", hostile)
    keep(project / ".llmctl", say("a"))
    result = llmctl("quality")
    assert "\\x1b[31m" in result.out
    assert "\x1b" not in result.out
    assert "\u202e" not in result.out
