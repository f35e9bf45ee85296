"""The lists of runs and of models, and the line about one call."""

from __future__ import annotations

import json

import pytest

from llmctl.outcome import Outcome
from llmctl.providers.records import Attempt, Call, Usage
from llmctl.report.calls import call_json, call_line
from llmctl.report.documents import json_text, runs_json
from llmctl.report.models import ModelRow, render_models
from llmctl.report.runs import render_runs
from llmctl.runs.history import RunState, RunSummary
from tests.report.samples import HOSTILE, controls, printed, run_summary

RUNS = [
    run_summary(),
    run_summary(status=RunState.KILLED, label="try 2", done=80, passed=70, failed=10, cost_usd=None, dirty=True),
]


def listed(*runs: RunSummary, width: int = 80) -> str:
    return printed(lambda console: render_runs(console, runs), width)


def test_runs_at_80_columns() -> None:
    assert (
        listed(*RUNS)
        == """\
run            started (UTC)     status      passed    rate  coverage  label
0k3jd92ma1x7z  2026-11-23 10:00  completed  100/120  83.3 %     100 %
0k3jd92ma1x7z  2026-11-23 10:00  killed       70/80  87.5 %    66.7 %  try 2
"""
    )


def test_runs_at_140_columns() -> None:
    assert (
        listed(*RUNS, width=140)
        == """\
run            started (UTC)     status      passed    rate  coverage     cost  label  at
0k3jd92ma1x7z  2026-11-23 10:00  completed  100/120  83.3 %     100 %   $0.012         abcdef123 main
0k3jd92ma1x7z  2026-11-23 10:00  killed       70/80  87.5 %    66.7 %  unknown  try 2  abcdef123+changes main
"""
    )


def test_runs_of_other_commands_say_by_which() -> None:
    filled = run_summary(command="llmctl --debug -C shop gate --baseline HEAD")
    lines = listed(run_summary(), filled).split("\n")
    assert [line.split()[4] for line in lines[1:3]] == ["eval", "gate"]
    assert " by " not in listed(run_summary())


def test_complete_runs_need_no_coverage_and_fit_their_cost() -> None:
    text = listed(run_summary())
    assert "coverage" not in text
    assert "$0.012" in text


def test_a_run_without_evidence_has_no_rate() -> None:
    assert listed(run_summary(done=0, passed=0, failed=0, commit=None)).split("\n")[1].split()[4:] == [
        "0/0",
        "-",
        "0.0",
        "%",
        "$0.012",
    ]


def test_a_cost_with_unknown_parts_is_a_lower_bound() -> None:
    assert ">= $0.012" in listed(run_summary(unpriced_calls=2))
    assert "unknown" in listed(run_summary(unpriced_calls=2, cost_usd=None))
    assert "unknown" in listed(run_summary(unpriced_calls=2, cost_usd=0.0))


def test_damage_is_said() -> None:
    assert listed(run_summary(damaged_lines=3)).endswith(
        "0k3jd92ma1x7z: 3 lines of its journal are damaged and not counted.\n"
    )


def test_no_runs_say_what_to_do() -> None:
    assert listed() == "No runs yet. Next: llmctl eval\n"


def test_runs_as_json() -> None:
    document = json.loads(json_text(runs_json(RUNS)))
    assert document["schema"] == "llmctl/runs/1"
    assert document["runs"][1]["cost_usd"] is None
    assert document["runs"][0]["started_at"] == "2026-11-23T10:00:00+00:00"


MODELS = [
    ModelRow("small", "local/smollm2-135m", "local", "", True, "", 0, 0),
    ModelRow("gpt", "openai/gpt-4o-mini", "direct", "https://api.openai.com/v1", False, "OPENAI_API_KEY is not set."),
]


def test_models() -> None:
    assert (
        printed(lambda console: render_models(console, MODELS), 100)
        == """\
name   model               ready  USD per 1M in      out  by      endpoint
small  local/smollm2-135m  yes                0        0  local
gpt    openai/gpt-4o-mini  no           unknown  unknown  direct  https://api.openai.com/v1
gpt: OPENAI_API_KEY is not set.
"""
    )


def test_no_models() -> None:
    assert "No models in llmctl.toml" in printed(lambda console: render_models(console, []))


def call(**values: object) -> Call:
    fields: dict[str, object] = {
        "key": "k",
        "provider": "openai",
        "model": "openai/gpt-4o-mini",
        "transport": "direct",
        "endpoint": "https://api.openai.com/v1",
        "outcome": Outcome.ANSWERED,
        "latency_ms": 210.0,
        "usage": Usage(45, 8),
        "finish_reason": "stop",
    }
    return Call(**(fields | values))  # type: ignore[arg-type]


def test_the_line_about_a_call() -> None:
    assert call_line(call()) == "answered; 210 ms; tokens 45 in, 8 out; cost unknown; finish reason stop"
    late = call(outcome=Outcome.TIMEOUT, usage=Usage(), cost_usd=0.5, finish_reason=None, error="No answer.\nNone.")
    assert call_line(late) == "timeout; 210 ms; tokens unknown in, unknown out; cost $0.50: No answer.⏎None."


def test_a_call_as_json() -> None:
    document = json.loads(json_text(call_json(call(attempts=(Attempt(1, 0.0, 210.0, Outcome.ANSWERED, status=200),)))))
    assert document["outcome"] == "answered"
    assert document["cost_usd"] is None
    assert document["attempts"][0]["status"] == 200


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_in_every_column(hostile: str) -> None:
    one = run_summary(label=hostile, status=hostile, branch=hostile, commit=hostile, run_id=hostile)
    model = ModelRow(hostile, hostile, hostile, hostile, False, hostile)
    for width in (80, 140):
        assert controls(listed(one, width=width)) == []
        assert controls(printed(lambda console: render_models(console, [model]), width)) == []
    assert controls(call_line(call(error=hostile, finish_reason=hostile))) == []
