"""`llmctl gate` through the front door: what is sent, what is said, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmctl.runs.journal_reader import JournalLine, read_journal
from llmctl.runs.records import ResultEvent
from tests.cli.conftest import Invoke, Result, write
from tests.cli.git import commit_all, git
from tests.support.openai_server import OpenAIServer, Reply

CONFIG = """
[models.gpt]
model = "openai/gpt"
api_base = "{url}"
params = {{max_tokens = 8}}
price = {{input = 1.0, output = 1000.0}}

[eval]
concurrency = 8
{more}
"""
WELL = "Say: "
BROKEN = "Never say: "


def bank(count: int, rules: str, marked: tuple[int, ...] = ()) -> str:
    cases = "".join(
        f"  - {{id: c{n}, vars: {{q: word {n}}}{', must_pass: true' if n in marked else ''}}}\n" for n in range(count)
    )
    rule = "".join(f"  {line}\n" for line in rules.split("; ") if line)
    gate = f"gate:\n{rule}" if rule else ""
    return f"prompts: [p]\n{gate}evaluators:\n  - regex: '^Say'\ncases:\n{cases}"


def prompt(root: Path, says: str) -> None:
    write(root, "prompts/p.yaml", f'model: gpt\ntemplate: "{says}{{{{ q }}}}"\n')


def config(root: Path, server: OpenAIServer, more: str = "") -> None:
    write(root, "llmctl.toml", CONFIG.format(url=server.url, more=more))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpenAIServer]:
    """A repository with a committed prompt, a server that echoes it, and nothing stored."""
    with OpenAIServer() as server:
        config(tmp_path, server, "[gate]\nbaseline = 'main'\n")
        prompt(tmp_path, WELL)
        write(tmp_path, "testbanks/b.yaml", bank(200, "margin: 0.05"))
        write(tmp_path, ".gitignore", ".llmctl\n")
        commit_all(tmp_path)
        yield server


def wait_for(met: Callable[[], bool]) -> None:
    """Until something is so, at most 30 s."""
    until = time.monotonic() + 30
    while not met():
        assert time.monotonic() < until
        time.sleep(0.02)


def results_in_last_run(root: Path) -> int:
    """How many are in the journal of the newest run, whether it goes on or not."""
    last = max((root / ".llmctl/runs").glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    lines = read_journal(last)
    return sum(isinstance(line, JournalLine) and isinstance(line.event, ResultEvent) for line in lines)


def verdict(result: Result) -> Any:
    document = json.loads(result.out)
    assert document["schema"] == "llmctl/gate/1"
    assert document["exit_code"] == result.code, result.err
    return document


def rules(document: Any) -> dict[str, Any]:
    [cell] = document["cells"]
    return {rule["rule"]: rule for rule in cell["rules"]}


def test_nothing_changed_passes_by_identity(server: OpenAIServer, llmctl: Invoke) -> None:
    document = verdict(llmctl("gate", "--json"))
    assert document["verdict"] == "PASS"
    assert "same calls" in rules(document)["margin"]["sentence"]
    assert len(server.seen) == 200  # once for both sides
    assert document["calls"] == {"sent": 200, "stored": 200, "saved": 0, "cost_usd": pytest.approx(0.6, rel=0.01)}


def test_an_unchanged_candidate_stops_early_and_what_is_not_needed_is_not_sent(
    server: OpenAIServer, tmp_path: Path, llmctl: Invoke
) -> None:
    assert llmctl("gate", "--json").code == 0
    prompt(tmp_path, "Say it: ")
    server.seen.clear()
    document = verdict(llmctl("gate", "--json"))
    assert document["verdict"] == "PASS"
    assert len(server.seen) == document["calls"]["sent"] < 120
    assert document["calls"]["saved"] == 200 - len(server.seen)
    [run] = json.loads(llmctl("runs", "--json").out)["runs"][:1]
    assert (run["status"], run["planned"], run["done"]) == ("stopped", 200, len(server.seen))
    assert re.fullmatch(r"the verdict was reached after \d+ of 200 cases", run["error"])
    # Judging it a second time sends nothing and says the same.
    server.seen.clear()
    again = verdict(llmctl("gate", "--json"))
    assert not server.seen
    assert rules(again)["margin"] == rules(document)["margin"]
    # The rest can be had.
    resumed = llmctl("eval", "--resume", run["run_id"])
    assert resumed.code == 0, resumed.err
    assert len(server.seen) == document["calls"]["saved"]


def test_no_early_stop_sends_everything(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    assert llmctl("gate").code == 0
    prompt(tmp_path, "Say it: ")
    server.seen.clear()
    document = verdict(llmctl("gate", "--no-early-stop", "--json"))
    assert (document["verdict"], len(server.seen)) == ("PASS", 200)


def test_a_broken_prompt_fails_at_the_first_look(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    prompt(tmp_path, BROKEN)
    result = llmctl("gate")
    assert result.code == 1, result.out + result.err
    assert result.out.startswith("FAIL")
    assert "Exit 1" in result.out
    assert len(server.seen) == 200 + 50


def test_the_seed_is_kept_with_the_run(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    prompt(tmp_path, BROKEN)
    llmctl("gate", "--seed", "7")
    journals = sorted((tmp_path / ".llmctl/runs").glob("*.jsonl"))
    heads = [json.loads(path.read_text().splitlines()[0]) for path in journals]
    assert any('"seed": 7' in json.dumps(head) for head in heads)


def test_new_failures_are_asked_again_and_flakes_are_forgiven(
    server: OpenAIServer, tmp_path: Path, llmctl: Invoke
) -> None:
    write(tmp_path, "testbanks/b.yaml", bank(40, "max_new_failures: 0"))
    assert llmctl("gate").code == 0
    prompt(tmp_path, "Say it: ")
    server.script("gpt", *[Reply("no")] * 3, Reply())  # the first three answers are wrong, by chance
    server.seen.clear()
    document = verdict(llmctl("gate", "-j", "1", "--json"))
    assert document["verdict"] == "PASS"
    assert "flaky" in rules(document)["max_new_failures"]["sentence"]
    assert len(server.seen) == 40 + 2 * 3  # one more draw a side clears each


def test_a_new_failure_is_confirmed_on_both_sides(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, "testbanks/b.yaml", bank(40, "max_new_failures: 0"))
    assert llmctl("gate").code == 0
    write(tmp_path, "prompts/p.yaml", "model: gpt\ntemplate: \"{{ 'No' if q == 'word 3' else 'Say' }} {{ q }}\"\n")
    server.seen.clear()
    document = verdict(llmctl("gate", "--json"))
    rule = rules(document)["max_new_failures"]
    assert (document["verdict"], rule["verdict"]) == ("FAIL", "FAIL")
    assert [case["case_id"] for case in rule["cases"]] == ["c3"]
    draws = 5  # 40 x 4^-5 <= 5 %
    assert len(server.seen) == 40 + 2 * (draws - 1)
    # They are stored like all others: asked again, nothing is sent.
    server.seen.clear()
    assert llmctl("gate").code == 1
    assert not server.seen


def test_enough_confirmed_failures_spare_the_others(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, "testbanks/b.yaml", bank(60, "max_new_failures: 0"))
    commit_all(tmp_path)
    prompt(tmp_path, BROKEN)
    document = verdict(llmctl("gate", "--json"))
    [rule] = document["cells"][0]["rules"]
    assert (document["verdict"], rule["observed"]) == ("FAIL", 20)
    assert "60 cases had flipped; 40 of them were not asked to the end" in rule["sentence"]
    assert len(server.seen) == 2 * 60 + 20 * 2 * 5  # k is 6


def test_asking_again_ends_when_the_rest_is_allowed(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, "testbanks/b.yaml", bank(40, "max_new_failures: 1"))
    assert llmctl("gate").code == 0
    write(tmp_path, "prompts/p.yaml", "model: gpt\ntemplate: \"{{ 'No' if q == 'word 3' else 'Say' }} {{ q }}\"\n")
    server.script("gpt", Reply("no"), Reply())  # one flips by chance, and is cleared by the first draw
    server.seen.clear()
    document = verdict(llmctl("gate", "-j", "1", "--json"))
    assert document["verdict"] == "PASS"
    assert len(server.seen) == 40 + 2 * 2


def test_each_cell_stops_by_itself(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    other = f'\n[models.other]\nmodel = "openai/other"\napi_base = "{server.url}"\n'
    config(tmp_path, server, f"[gate]\nbaseline = 'main'\n{other}")
    write(tmp_path, "testbanks/b.yaml", f"models: [gpt, other]\n{bank(300, 'margin: 0.05')}")
    assert llmctl("gate").code == 0
    prompt(tmp_path, "Say it: ")
    server.script("other", Reply("no"))
    server.seen.clear()
    document = verdict(llmctl("gate", "--json"))
    found = {cell["model"]: cell["verdict"] for cell in document["cells"]}
    assert found == {"gpt": "PASS", "other": "FAIL"}
    assert document["verdict"] == "FAIL"
    assert len(server.bodies("other")) == 50 < len(server.bodies("gpt")) < 300


def test_a_stored_run_is_judged_without_a_call(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    assert llmctl("gate").code == 0
    prompt(tmp_path, BROKEN)
    assert llmctl("eval", "--label", "night").code == 0
    prompt(tmp_path, WELL)
    server.seen.clear()
    document = verdict(llmctl("gate", "--run", "night", "--json"))
    assert document["verdict"] == "FAIL"
    write(tmp_path, "testbanks/b.yaml", bank(200, "max_new_failures: 0"))
    document = verdict(llmctl("gate", "--run", "night", "--json"))
    assert document["verdict"] == "NOT EVALUATED"
    assert not server.seen
    refused = llmctl("gate", "--run", "night", "-p", "p")
    assert refused.code == 2 and "--run judges a stored run" in refused.err


def test_the_baseline_may_be_a_run(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    assert llmctl("eval", "--label", "good").code == 0
    prompt(tmp_path, BROKEN)
    document = verdict(llmctl("gate", "--baseline", "good", "--json"))
    assert document["verdict"] == "FAIL"
    assert "good" in document["baseline"]
    assert llmctl("gate", "--baseline", "nobody").code == 2


def test_a_budget_ends_with_5_and_no_verdict(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    server.script("gpt", Reply("Say word word word word"))
    document = verdict(llmctl("gate", "--max-cost", "0.1", "--json"))
    assert (document["exit_code"], document["verdict"]) == (5, "NOT EVALUATED")
    assert 0 < len(server.seen) < 200
    assert document["calls"]["cost_usd"] <= 0.1
    assert rules(document)["margin"]["advice"] == "Run `llmctl gate` again: only what is missing is sent."


def test_a_budget_counts_what_the_baseline_cost(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    prompt(tmp_path, "Say it: ")
    write(tmp_path, "testbanks/b.yaml", bank(60, "min_pass_rate: 1.0; margin: 0.2"))
    server.script("gpt", Reply("Say"))
    document = verdict(llmctl("gate", "-j", "1", "--max-cost", "0.1", "--json"))
    assert document["exit_code"] == 5
    assert document["calls"]["cost_usd"] <= 0.1


def test_a_provider_that_dies_half_way_is_no_verdict(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    assert llmctl("gate").code == 0
    prompt(tmp_path, "Say it: ")
    refused = Reply(status=401, payload={"error": {"message": "bad key"}})
    server.script("gpt", *[Reply()] * 20, refused)
    server.seen.clear()
    document = verdict(llmctl("gate", "-j", "2", "--json"))
    assert (document["exit_code"], document["verdict"]) == (4, "NOT EVALUATED")
    assert len(server.seen) < 30


def test_fail_wins_over_a_provider_that_died(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, "testbanks/b.yaml", bank(200, "margin: 0.05", marked=(3, 4)))
    assert llmctl("gate").code == 0
    prompt(tmp_path, BROKEN)
    server.script("gpt", Reply(), Reply(status=401, payload={"error": {"message": "bad key"}}))
    document = verdict(llmctl("gate", "-j", "1", "--json"))
    assert document["verdict"] == "FAIL"
    assert rules(document)["must_pass"]["verdict"] == "FAIL"


def test_no_rule_is_an_error_before_anything_is_sent(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, "testbanks/b.yaml", bank(5, ""))
    result = llmctl("gate")
    assert result.code == 2
    assert "min_pass_rate: 0.9" in result.err
    assert not server.seen


def test_a_missing_key_is_4(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    text = (tmp_path / "llmctl.toml").read_text()
    write(
        tmp_path, "llmctl.toml", text.replace('model = "openai/gpt"', 'model = "openai/gpt"\napi_key_env = "NOT_SET"')
    )
    result = llmctl("gate")
    assert result.code == 4
    assert "NOT_SET" in result.err
    assert not server.seen


def test_a_first_project_is_no_dead_end(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    """`[gate] baseline = "main"` before the first commit, and without a repository at all."""
    for folder in (".git",):
        subprocess.run(["rm", "-rf", folder], cwd=tmp_path, check=True)
    write(tmp_path, "testbanks/b.yaml", bank(10, "min_pass_rate: 0.9"))
    assert llmctl("gate").code == 0  # no rule asks for the baseline
    write(tmp_path, "testbanks/b.yaml", bank(10, "min_pass_rate: 0.9; margin: 0.2"))
    document = verdict(llmctl("gate", "--json"))
    assert document["exit_code"] == 4
    assert rules(document)["min_pass_rate"]["verdict"] == "PASS"
    assert "main" in rules(document)["margin"]["sentence"]
    git(tmp_path, "init", "-q", "-b", "main")
    assert llmctl("gate").code == 4
    assert llmctl("baseline", "save").code == 0
    document = verdict(llmctl("gate", "--json"))
    assert document["verdict"] == "PASS"
    assert document["warnings"]


def test_a_shallow_clone_says_the_line_to_add(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    for number in range(3):
        write(tmp_path, "note.txt", str(number))
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-qm", f"{number}")
    git(tmp_path, "checkout", "-qb", "change")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", "-b", "change", f"file://{tmp_path}", str(clone))
    result = llmctl("-C", str(clone), "gate")
    assert result.code == 2
    assert "fetch-depth: 0" in result.err
    assert not server.seen
    # The committed file stands in for history.
    assert llmctl("-C", str(clone), "eval").code == 0
    assert llmctl("-C", str(clone), "baseline", "save").code == 0
    document = verdict(llmctl("-C", str(clone), "gate", "--json"))
    assert document["verdict"] == "PASS"
    assert "committed" in document["baseline"]


def test_a_hostile_answer_is_shown_harmless(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, "testbanks/b.yaml", bank(3, "min_pass_rate: 1.0"))
    server.script("gpt", Reply("\x1b]0;owned\x07\x1b[2J[bold]no[/bold]\u202e"))
    result = llmctl("gate")
    assert result.code == 1
    assert "\x1b" not in result.out and "\x07" not in result.out and "\u202e" not in result.out


def test_the_verdict_as_a_file(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    assert llmctl("gate", "-o", "verdict.json").code == 0
    assert json.loads((tmp_path / "verdict.json").read_text())["verdict"] == "PASS"
    server.seen.clear()
    assert llmctl("gate", "-o", "verdict.exe").code == 2
    assert llmctl("gate", "-o", "nowhere/verdict.json").code == 2
    assert not server.seen


def test_a_dry_run_sends_nothing(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    prompt(tmp_path, "Say it: ")
    result = llmctl("gate", "--dry-run", "--json")
    document = json.loads(result.out)
    assert result.code == 0, result.err
    assert (document["candidate"]["calls"], document["baseline"]["calls"]) == (200, 200)
    assert "The baseline" in llmctl("gate", "--dry-run").out
    assert not server.seen


def test_two_versions_of_a_prompt_are_refused(server: OpenAIServer, llmctl: Invoke) -> None:
    result = llmctl("gate", "-p", "p", "-p", "p@main")
    assert result.code == 2
    assert "one version" in result.err
    assert not server.seen


def test_inconclusive_is_3_or_a_warning(server: OpenAIServer, tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, "testbanks/b.yaml", bank(20, "margin: 0.05"))
    assert llmctl("gate").code == 0
    prompt(tmp_path, "Say it: ")
    document = verdict(llmctl("gate", "--json"))
    assert (document["exit_code"], document["verdict"]) == (3, "INCONCLUSIVE")
    config(tmp_path, server, "[gate]\nbaseline = 'main'\ninconclusive = 'warn'\n")
    document = verdict(llmctl("gate", "--json"))
    assert (document["exit_code"], document["verdict"]) == (0, "INCONCLUSIVE")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_gate_keeps_what_it_has(
    server: OpenAIServer, tmp_path: Path, llmctl: Invoke, ending: signal.Signals
) -> None:
    assert llmctl("gate").code == 0
    prompt(tmp_path, "Say it: ")
    config(tmp_path, server, "timeout_s = 1\n[gate]\nbaseline = 'main'\n")
    server.script("gpt", *[Reply()] * 20, Reply(fault="hang"))
    server.seen.clear()
    command = [sys.executable, "-m", "llmctl", "gate", "-j", "1", "--json"]
    environ = {key: value for key, value in os.environ.items() if key != "LLMCTL_STORE"}
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ) as gate:
        wait_for(lambda: len(server.seen) > 20 and results_in_last_run(tmp_path) == 20)
        gate.send_signal(ending)
        out, _ = gate.communicate(timeout=30)
    if ending is signal.SIGINT:
        assert gate.returncode == 130
        assert json.loads(out)["verdict"] == "NOT EVALUATED"
    server.script("gpt", Reply())
    server.seen.clear()
    document = verdict(llmctl("gate", "--json"))
    assert document["verdict"] == "PASS"
    assert document["calls"]["stored"] == 20
