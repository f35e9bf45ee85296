"""Evaluators that run code of the project, and facts of the call, through the front door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Invoke, write
from tests.providers.app.conftest import ends

CONFIG = """
[project]
allow_code = true

[models.fake]
model = "fake/script"
options = {answers = [{match = "card", answer = "billing"}, {match = "parcel", answer = "shipping"}], answer = "other"}
"""
PROMPT = """
model: fake
template: "Ticket: {{ ticket }}"
"""
BANK = """
prompts: [route]
evaluators:
  - python: checks/queue.py:right
  - command: [sh, checks/known.sh, billing, shipping]
    metric: known
    weight: 0
cases:
  - {id: card, vars: {ticket: My card}, expected: billing}
  - {id: parcel, vars: {ticket: My parcel}, expected: SHIPPING}
  - {id: hours, vars: {ticket: Opening hours?}, expected: hours}
"""
RIGHT = """
import os, pathlib
pathlib.Path('ran').write_text(str(os.getpid()))
def right(context):
    return {"passed": context.output == context.expected.lower(), "explanation": f"wanted {context.expected}"}
"""
KNOWN = """
touch ran
json=$(cat)
for word in "$@"; do
  case "$json" in *"\\"output\\": \\"$word\\""*) exit 0 ;; esac
done
echo "none of $*"
exit 1
"""


@pytest.fixture
def checked(tmp_path: Path) -> Path:
    write(tmp_path, "llmctl.toml", CONFIG)
    write(tmp_path, "prompts/route.yaml", PROMPT)
    write(tmp_path, "testbanks/route.yaml", BANK)
    write(tmp_path, "checks/queue.py", RIGHT)
    write(tmp_path, "checks/known.sh", KNOWN)
    return tmp_path


def results(llmctl: Invoke, *flags: str) -> dict[str, dict[str, Any]]:
    result = llmctl("eval", "--json", *flags)
    assert result.code == 0, result.err
    return {row["case_id"]: row for row in json.loads(result.out)["results"]}


def explained(llmctl: Invoke, case: str, metric: str) -> str:
    scores = json.loads(llmctl("show", "@last", case, "--json").out)["results"][0]["scores"]
    return next(str(score["explanation"]) for score in scores if score["metric"] == metric)


def test_code_judges_and_its_scores_are_kept(checked: Path, llmctl: Invoke) -> None:
    rows = results(llmctl)
    assert {name: row["passed"] for name, row in rows.items()} == {"card": True, "parcel": True, "hours": False}
    assert explained(llmctl, "hours", "python").startswith("wanted hours (")
    assert explained(llmctl, "hours", "known") == 'sh ended with exit code 1: "none of billing shipping".'


def test_its_process_ends_with_the_run(checked: Path, llmctl: Invoke) -> None:
    write(checked, "testbanks/route.yaml", BANK.replace("known.sh", "off.sh"))
    write(checked, "checks/off.sh", "exit 0\n")
    results(llmctl)
    assert ends(int((checked / "ran").read_text()))


@pytest.mark.parametrize("command", ["validate", "eval"])
def test_no_code_runs_unless_the_project_says_so(checked: Path, llmctl: Invoke, command: str) -> None:
    write(checked, "llmctl.toml", CONFIG.replace("allow_code = true", ""))
    result = llmctl(command)
    assert result.code == 2
    assert "testbanks/route.yaml:3:13\n  error: `python` runs code, which llmctl.toml does not allow" in result.err
    assert "Add `allow_code = true` under [project] in llmctl.toml." in result.err
    assert not (checked / "ran").exists()
    assert not list(checked.glob(".llmctl/runs/*.jsonl"))


def test_validate_runs_no_code_even_where_it_is_allowed(checked: Path, llmctl: Invoke) -> None:
    bank = BANK.replace("queue.py:right\n", "queue.py:right\n    good: [billing]\n    bad: [other]\n")
    write(checked, "testbanks/route.yaml", bank)
    assert llmctl("validate", "--strict").code == 0
    write(checked, "checks/queue.py", "def wrong(context): ...\n")
    result = llmctl("validate")
    assert result.code == 2
    assert "There is no function `right` in checks/queue.py" in result.err + result.out
    assert not (checked / "ran").exists()


def test_a_function_that_breaks_leaves_no_verdict_and_names_its_line(checked: Path, llmctl: Invoke) -> None:
    write(checked, "checks/queue.py", "def right(context):\n    return context.expected.words\n")
    result = llmctl("eval", "--json", "--limit", "1")
    assert result.code == 4
    [row] = json.loads(result.out)["results"]
    assert (row["case_id"], row["passed"]) == ("card", None)
    assert "AttributeError: 'str' object has no attribute 'words' (checks/queue.py, line 2)" in row["reason"]


def test_a_slow_function_does_not_hold_up_other_results(checked: Path, llmctl: Invoke) -> None:
    """The slow one waits until the quick one's result is in the journal: it could not, if the journal waited for it."""
    write(
        checked,
        "checks/queue.py",
        "import glob, time\ndef right(context):\n    while True:\n"
        "        text = ''.join(open(name).read() for name in glob.glob('.llmctl/runs/*.jsonl'))\n"
        '        if \'"quick"\' in text.partition(\'"type":"plan"\')[2]: return True\n        time.sleep(0.01)\n',
    )
    bank = """
    prompts: [route]
    cases:
      - {id: slow, vars: {ticket: one}, expected: other, evaluators: [{python: "checks/queue.py:right"}]}
      - {id: quick, vars: {ticket: two}, expected: other, evaluators: [exact]}
    """
    write(checked, "testbanks/route.yaml", bank)
    assert all(row["passed"] for row in results(llmctl, "-j", "1").values())
    [journal] = checked.glob(".llmctl/runs/*.jsonl")
    recorded = [line for line in journal.read_text().splitlines() if '"result"' in line]
    assert ['"quick"' in line for line in recorded] == [True, False]


def test_a_resumed_run_judges_by_code_where_today_s_config_allows_it(checked: Path, llmctl: Invoke) -> None:
    first = results(llmctl)
    [journal] = checked.glob(".llmctl/runs/*.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if b'"result"' in line)
    journal.write_bytes(b"".join(lines[:at]))  # as if killed before the first result
    for file in checked.glob(".llmctl/llmctl.duckdb*"):
        file.unlink()
    write(checked, "llmctl.toml", CONFIG.replace("allow_code = true", ""))
    refused = llmctl("eval", "--resume")
    assert refused.code == 2
    assert "runs code, which llmctl.toml does not allow" in refused.err
    write(checked, "llmctl.toml", CONFIG)
    again = results(llmctl, "--resume")
    assert {name: row["passed"] for name, row in again.items()} == {name: row["passed"] for name, row in first.items()}


FACTS = """
prompts: [route]
evaluators:
  - latency: 60000
  - tokens: {max: 100, of: total}
  - finish_reason: stop
  - time_to_first_token: 60000
    weight: 0
cases:
  - {id: card, vars: {ticket: My card}}
"""


def test_facts_of_the_call_count_also_where_the_answer_is_reused(checked: Path, llmctl: Invoke) -> None:
    write(checked, "testbanks/route.yaml", FACTS)
    assert results(llmctl)["card"]["passed"] is True
    assert explained(llmctl, "card", "latency").startswith("The answer took ")
    assert "set `stream: true` under `params`" in explained(llmctl, "card", "time_to_first_token")
    row = results(llmctl)["card"]
    assert (row["passed"], row["cached"]) == (True, True)
    for metric in ("latency", "tokens"):
        assert explained(llmctl, "card", metric).startswith("The call of this reused answer ")


def test_a_streamed_answer_has_a_time_to_its_first_token(checked: Path, llmctl: Invoke) -> None:
    write(checked, "testbanks/route.yaml", FACTS)
    write(checked, "prompts/route.yaml", PROMPT + "params: {stream: true}\n")
    assert results(llmctl)["card"]["passed"] is True
    assert explained(llmctl, "card", "time_to_first_token").startswith("The answer began after ")
