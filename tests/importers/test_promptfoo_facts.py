"""Facts of promptfoo's assertions, each imported as a config: the same verdict, or on the list of differences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmctl.importers.conversion import Fate
from llmctl.outcome import Outcome
from tests.importers.support import imported_config, judged

FOLDER = Path(__file__).parent / "promptfoo"
FACTS: list[dict[str, Any]] = [
    json.loads(line) for line in (FOLDER / "assertions.jsonl").read_text(encoding="utf-8").splitlines()
]
DIFFERENCES: dict[str, str] = {
    "pf-192-similar": "An embedding model judges; the same text is judged without one in the tests of `semantic`.",
}
"""Facts whose verdict is another one here, or that these tests cannot judge, and why."""


def config_of(fact: dict[str, Any]) -> dict[str, Any]:
    """A config with one test whose output is the fact's."""
    if fact["type"] == "composite":
        test = {"vars": {}, "assert": fact["asserts"]}
        if "threshold" in fact:
            test["threshold"] = fact["threshold"]
    else:
        keys = ("type", "value", "threshold", "config")
        test = {"vars": {}, "assert": [{key: fact[key] for key in keys if key in fact}]}
    return {"prompts": ["Answer."], "providers": ["echo"], "tests": [test]}


def calls_of(output: Any) -> list[dict[str, Any]]:
    """Tool calls as they are recorded."""
    calls = output.get("tool_calls", output) if isinstance(output, dict) else output
    return [
        {"type": "function", "function": {"arguments": "{}", **(call.get("function") or {"name": call["name"]})}}
        for call in calls
    ]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact["id"])
def test_same_verdict(fact: dict[str, Any], tmp_path: Path) -> None:
    one = imported_config(config_of(fact), tmp_path)
    assert one.problems() == []
    left_out = one.said(Fate.LEFT_OUT)
    assert left_out == {}
    if fact["id"] in DIFFERENCES:
        return
    output, call = fact["output"], {"latency_ms": fact.get("latency_ms"), "cost_usd": fact.get("cost")}
    if not isinstance(output, str):
        call["tool_calls"], output = calls_of(output), ""
    [case] = one.cases()
    outcome = Outcome.ANSWERED if output or call.get("tool_calls") else Outcome.EMPTY
    verdict = judged(one, case, output, outcome=outcome, **call)
    assert verdict.passed is fact["expect_pass"], verdict
