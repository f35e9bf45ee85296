"""`llmctl replay` through the front door: what is sent, what is kept, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Invoke, write
from tests.cli.replay_logs import logged, write_log
from tests.support.openai_server import OpenAIServer, Reply

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
FORMAT = {"type": "json_object"}
BANK = """
    prompts: [ask]
    evaluators:
      - one_of: [one, two]
    gate: {min_pass_rate: 0.9}
    cases:
      - {id: a, vars: {text: one}}
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def served(tmp_path: Path, server: OpenAIServer) -> Path:
    """A project of two models on the server, and a log of three calls."""
    models = "".join(
        f'[models.{name}]\nmodel = "openai/{name}"\napi_base = "{server.url}"\n' for name in ("echo", "new")
    )
    write(tmp_path, "llmctl.toml", models)
    write(tmp_path, "prompts/ask.yaml", "model: new\ntemplate: 'Repeat the word {{ text }}'\n")
    write(tmp_path, "testbanks/ask.yaml", BANK)
    calls = [logged(number, f"Repeat the word {text}", text) for number, text in enumerate(("one", "two", "three"))]
    calls[0]["request"] |= {"temperature": 0.7, "seed": 5, "max_tokens": 9, "tools": [TOOL], "response_format": FORMAT}
    write_log(tmp_path / "log.jsonl", calls)
    return tmp_path


def asked(server: OpenAIServer) -> list[Any]:
    """What the server was asked, in the order of the messages."""
    return sorted((one.json for one in server.seen), key=lambda body: (body["model"], body["messages"][-1]["content"]))


def document(llmctl: Invoke, *arguments: str) -> Any:
    result = llmctl(*arguments, "--json")
    assert result.code == 0, result.err
    return json.loads(result.out)


def query(llmctl: Invoke, sql: str) -> Any:
    return document(llmctl, "sql", sql)


@pytest.mark.usefixtures("served")
def test_the_same_messages_go_to_another_model(llmctl: Invoke, server: OpenAIServer) -> None:
    result = llmctl("replay", "log.jsonl", "-m", "new")

    assert result.code == 0, result.err
    assert "imported 3" in result.err
    first = asked(server)[0]
    assert [body["model"] for body in asked(server)] == ["new"] * 3
    assert first["messages"] == [{"role": "user", "content": "Repeat the word one"}]
    kept = {name: first[name] for name in ("temperature", "seed", "max_tokens", "tools", "response_format")}
    assert kept == {"temperature": 0.7, "seed": 5, "max_tokens": 9, "tools": [TOOL], "response_format": FORMAT}


@pytest.mark.usefixtures("served")
def test_parameters_go_over_the_logged_ones(llmctl: Invoke, server: OpenAIServer) -> None:
    found = document(llmctl, "replay", "log.jsonl", "--param", "temperature=0", "--param", "max_completion_tokens=4")

    first = asked(server)[0]
    assert (first["model"], first["temperature"], first["seed"]) == ("echo", 0, 5)
    assert first.get("max_tokens", first.get("max_completion_tokens")) == 4
    assert found["schema"] == "llmctl/replay/1"
    rows = query(llmctl, "SELECT DISTINCT bank, prompt, model FROM results")
    assert rows == [{"bank": "traffic/echo", "prompt": "logged+max_completion_tokens=4,temperature=0", "model": "echo"}]


@pytest.mark.usefixtures("served")
def test_a_prompt_is_rendered_with_the_variables_found(llmctl: Invoke, server: OpenAIServer) -> None:
    write(Path(), "prompts/polite.yaml", "model: new\ntemplate: 'Kindly name {{ text }}'\n")

    assert llmctl("replay", "log.jsonl", "-p", "polite", "-p", "ask").code == 0

    said = [body["messages"][-1]["content"] for body in asked(server)]
    texts = ("one", "three", "two")
    assert said == [f"Kindly name {text}" for text in texts] + [f"Repeat the word {text}" for text in texts]
    assert query(llmctl, "SELECT DISTINCT vars->>'text' AS text FROM cases ORDER BY 1") == [
        {"text": text} for text in texts
    ]


@pytest.mark.usefixtures("served")
def test_the_logged_requests_are_sent_again_beside_the_candidate(llmctl: Invoke, server: OpenAIServer) -> None:
    assert llmctl("replay", "log.jsonl", "-m", "new", "--baseline", "rerun").code == 0

    assert [body["model"] for body in asked(server)] == ["echo"] * 3 + ["new"] * 3
    lanes = query(llmctl, "SELECT bank, prompt, model, count(*) AS n FROM results GROUP BY ALL ORDER BY model")
    assert lanes == [
        {"bank": "traffic/echo", "prompt": "logged", "model": "echo", "n": 3},
        {"bank": "traffic/echo", "prompt": "logged", "model": "new", "n": 3},
    ]


@pytest.mark.usefixtures("served")
def test_the_rerun_has_no_parameters_of_the_project(llmctl: Invoke, server: OpenAIServer) -> None:
    text = Path("llmctl.toml").read_text(encoding="utf-8")
    Path("llmctl.toml").write_text(text.replace("[models.new]", "params = {temperature = 0.1}\n[models.new]"))

    assert llmctl("replay", "log.jsonl", "-m", "echo", "--baseline", "rerun").code == 0

    assert sorted(body["temperature"] for body in asked(server) if "seed" in body) == [0.1, 0.7]


@pytest.mark.usefixtures("served")
def test_nothing_is_sent_twice(llmctl: Invoke, server: OpenAIServer) -> None:
    assert llmctl("replay", "log.jsonl", "-m", "new").code == 0
    assert llmctl("replay", "@last", "-m", "new").code == 0
    assert len(server.seen) == 3

    assert llmctl("replay", "-m", "new", "--no-cache").code == 0
    assert len(server.seen) == 6


@pytest.mark.usefixtures("served")
def test_calls_of_files_are_meant_also_where_they_were_imported_before(llmctl: Invoke, server: OpenAIServer) -> None:
    write_log(Path("other.jsonl"), [logged(7, "Repeat the word seven", "seven")])
    assert llmctl("traffic", "import", "log.jsonl", "other.jsonl").code == 0

    result = llmctl("replay", "other.jsonl", "-m", "new")

    assert result.code == 0
    assert "imported already" in result.err
    assert [body["messages"][-1]["content"] for body in asked(server)] == ["Repeat the word seven"]


@pytest.mark.usefixtures("served")
def test_a_filter_and_a_condition_choose_within_a_file(llmctl: Invoke, server: OpenAIServer) -> None:
    assert llmctl("replay", "log.jsonl", "-m", "new", "--where", "output = 'two'").code == 0
    assert [body["messages"][-1]["content"] for body in asked(server)] == ["Repeat the word two"]
    assert llmctl("replay", "log.jsonl", "-m", "new", "--logged-model", "other").code == 2


@pytest.mark.usefixtures("served")
def test_equal_calls_are_asked_once_with_their_weight(llmctl: Invoke, server: OpenAIServer) -> None:
    write_log(Path("same.jsonl"), [logged(number, "Repeat the word it", "it") for number in range(10, 15)])

    assert llmctl("replay", "same.jsonl", "-m", "new").code == 0

    assert len(server.seen) == 1
    assert query(llmctl, "SELECT weight FROM cases") == [{"weight": 5}]


@pytest.mark.usefixtures("served")
def test_logged_answers_are_scored_without_a_call(llmctl: Invoke, server: OpenAIServer) -> None:
    result = llmctl("replay", "log.jsonl", "--mode", "output-only", "--bank", "ask")

    assert result.code == 0, result.err
    assert not server.seen
    assert "2 of 3 passed" in result.out
    rows = query(llmctl, "SELECT prompt, model, output, passed, input_tokens FROM results ORDER BY output")
    assert [(row["output"], row["passed"]) for row in rows] == [("one", True), ("three", False), ("two", True)]
    assert rows[0] == {"prompt": "logged", "model": "echo", "output": "one", "passed": True, "input_tokens": 3}


@pytest.mark.usefixtures("served")
def test_logged_answers_that_were_scored_cannot_be_resumed_into_calls(llmctl: Invoke, server: OpenAIServer) -> None:
    assert llmctl("replay", "log.jsonl", "--mode", "output-only", "--bank", "ask").code == 0

    for command in ("eval", "replay"):
        result = llmctl(command, "--resume", "@last")
        assert result.code == 2
        assert "scores logged answers, and sends nothing" in result.err.replace("\n", " ")
    assert not server.seen


@pytest.mark.usefixtures("served")
def test_a_correction_is_what_was_expected(llmctl: Invoke) -> None:
    write(Path(), "exact.yaml", "evaluators: [exact]\n")
    result = llmctl("replay", "log.jsonl", "--mode", "output-only", "--evaluators", "exact.yaml")
    assert result.code == 2
    assert "exact of exact.yaml needs an expected answer" in result.err.replace("\n", " ")

    [call] = query(llmctl, "SELECT call_id FROM traffic WHERE output = 'one'")
    Path("right.txt").write_text("one", encoding="utf-8")
    assert llmctl("feedback", "add", call["call_id"], "--correction", "right.txt").code == 0
    result = llmctl("replay", "--mode", "output-only", "--evaluators", "exact.yaml")
    assert "2 of 3 calls have no correction: exact does not score them" in result.err.replace("\n", " ")
    assert query(llmctl, "SELECT output, expected FROM results WHERE passed") == [{"output": "one", "expected": "one"}]


@pytest.mark.usefixtures("served")
def test_logged_answers_are_scored_before_the_candidate_is_asked(llmctl: Invoke, server: OpenAIServer) -> None:
    server.script("new", Reply("one"))

    found = document(llmctl, "replay", "log.jsonl", "-m", "new", "--bank", "ask")

    passed = {lane["lane"]: lane["passed"]["calls"] for lane in found["candidates"][0]["lanes"] if lane["passed"]}
    assert passed == {"observed": 2, "candidate": 3}
    runs = query(llmctl, "SELECT run_id, passed, calls FROM runs ORDER BY run_id")
    assert [(run["passed"], run["calls"]) for run in runs] == [(2, 0), (3, 3)]
    assert document(llmctl, "show", "@last")["run"]["run_id"] == runs[1]["run_id"]


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("answer", "rules", "code", "verdict"),
    [
        ("one", "{min_pass_rate: 0.9}", 0, "PASS"),
        ("none", "{min_pass_rate: 0.9}", 1, "FAIL"),
        ("one", "{min_pass_rate: {rate: 0.9, confidence: 0.95}}", 3, "INCONCLUSIVE"),
        ("one", "{max_new_failures: 0}", 0, "PASS"),
    ],
)
def test_a_gate_judges_the_candidate_by_the_rules(
    llmctl: Invoke, server: OpenAIServer, answer: str, rules: str, code: int, verdict: str
) -> None:
    write(Path(), "testbanks/ask.yaml", BANK.replace("{min_pass_rate: 0.9}", rules))
    server.script("new", Reply(answer))

    result = llmctl("replay", "log.jsonl", "-m", "new", "--bank", "ask", "--gate")

    assert (result.code, f"\n{verdict}" in result.out) == (code, True), result.out + result.err


@pytest.mark.usefixtures("served")
def test_a_gate_compares_with_what_was_logged_or_with_the_rerun(llmctl: Invoke, server: OpenAIServer) -> None:
    server.script("new", Reply("none"))
    server.script("echo", Reply("one"))
    write(Path(), "testbanks/ask.yaml", BANK.replace("{min_pass_rate: 0.9}", "{max_new_failures: 3}"))

    logs = llmctl("replay", "log.jsonl", "-m", "new", "--bank", "ask", "--gate", "--json")
    again = llmctl("replay", "@last", "-m", "new", "--bank", "ask", "--gate", "--baseline", "rerun", "--json")

    found = [json.loads(result.out)["gate"] for result in (logs, again)]
    assert [one["baseline"] for one in found] == ["the logged answers", "the same requests, sent again"]
    assert [one["cells"][0]["baseline_passed"] for one in found] == [2, 3]


@pytest.mark.usefixtures("served")
def test_answers_that_do_not_come_are_no_pass(llmctl: Invoke, server: OpenAIServer) -> None:
    server.script("new", Reply(status=400, payload={"error": {"message": "no"}}))

    assert llmctl("replay", "log.jsonl", "-m", "new").code == 4
    assert llmctl("replay", "log.jsonl", "-m", "new", "--bank", "ask", "--gate").code == 4


@pytest.mark.usefixtures("served")
def test_a_dry_run_counts_and_sends_nothing(llmctl: Invoke, server: OpenAIServer) -> None:
    calls = [logged(20, "Write to ann@example.com", "ok"), logged(21, "Repeat the word one", None, model="echo")]
    calls.append({**logged(22, "x", "y"), "request": {"model": "echo", "messages": []}})
    write_log(Path("more.jsonl"), calls)

    found = document(llmctl, "replay", "log.jsonl", "more.jsonl", "-m", "new", "--dry-run")

    assert not server.seen
    assert found["schema"] == "llmctl/replay-dry-run/1"
    assert found["choice"]["looked_at"] == found["choice"]["chosen"] + sum(
        (found["choice"]["duplicates"], *found["choice"]["set_aside"].values())
    )
    assert found["personal_data"] == {"calls": 1, "kinds": {"EMAIL": 1}}
    assert found["sending"]["calls"] == found["choice"]["chosen"]
    text = llmctl("replay", "-m", "new", "--dry-run").out
    assert "Personal data in 1 of them: EMAIL 1" in text
    assert "cannot be replayed" in text
    assert not list(Path(".llmctl/runs").glob("*"))


@pytest.mark.usefixtures("served")
def test_a_replay_is_a_run_like_any_other(llmctl: Invoke, server: OpenAIServer) -> None:
    server.script("new", *(Reply(text) for text in ("one", "none", "none")))
    assert llmctl("replay", "log.jsonl", "-m", "new", "--bank", "ask", "--label", "mine", "-j", "1").code == 0
    assert llmctl("replay", "log.jsonl", "-m", "new", "--bank", "ask", "--no-cache", "-j", "1").code == 0
    sent = len(server.seen)

    assert "mine" in llmctl("runs").out
    assert llmctl("show", "mine").code == 0
    diff = document(llmctl, "diff", "mine", "@last")
    [cell] = diff["cells"]
    assert (cell["bank"], cell["prompt"], cell["model"]) == ("traffic", "logged", "new")
    write(Path(), "testbanks/ask.yaml", BANK.replace("[one, two]", "[none]"))
    rescored = document(llmctl, "rescore", "mine")
    assert rescored["total"]["passed"] == 2
    assert len(server.seen) == sent


@pytest.mark.usefixtures("served")
def test_a_replay_without_evaluators_has_nothing_to_be_rescored_by(llmctl: Invoke) -> None:
    assert llmctl("replay", "log.jsonl", "-m", "new").code == 0

    result = llmctl("rescore", "@last")

    assert result.code == 2
    assert "was made without evaluators" in result.err


@pytest.mark.usefixtures("served")
def test_calls_that_are_gone_are_said(llmctl: Invoke) -> None:
    assert llmctl("replay", "log.jsonl", "-m", "new").code == 0
    for journal in Path(".llmctl/traffic").glob("*.jsonl"):
        journal.unlink()
    for database in Path(".llmctl").glob("llmctl.duckdb*"):
        database.unlink()
    run = query(llmctl, "SELECT run_id FROM runs")[0]["run_id"]
    journal = Path(f".llmctl/runs/{run}.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-2]))  # a result and the end are missing: there is something to resume

    result = llmctl("replay", "--resume", run, "--json")

    assert any("3 calls are not in the store any more" in note for note in json.loads(result.out)["notes"]), result.err


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("log.jsonl",), "Nothing would change"),
        (("log.jsonl", "--mode", "template"), "needs a prompt. Name it: -p PROMPT"),
        (("log.jsonl", "--mode", "verbatim", "-p", "ask"), "-p renders a prompt, and the mode verbatim"),
        (("log.jsonl", "--mode", "sideways"), 'no mode "sideways"'),
        (("log.jsonl", "--mode", "output-only"), "nothing to score them by"),
        (("log.jsonl", "--mode", "output-only", "--bank", "ask", "-m", "new"), "-m has no meaning"),
        (("log.jsonl", "--mode", "output-only", "--bank", "ask", "-r", "2"), "--repeat has no meaning"),
        (("log.jsonl", "-m", "new", "--gate"), "--gate judges by evaluators"),
        (("log.jsonl", "-m", "new", "--bank", "nobank"), "nobank"),
        (("log.jsonl", "-m", "new", "--bank", "ask", "--evaluators", "x.yaml"), "not both"),
        (("log.jsonl", "-m", "new", "--evaluators", "x.yaml"), "There is no file x.yaml"),
        (("log.jsonl", "-m", "nwe"), "no model `nwe`"),
        (("log.jsonl", "-p", "nothere"), "nothere"),
        (("log.jsonl", "-m", "new", "--param", "temperature"), "--param takes NAME=VALUE"),
        (("log.jsonl", "-m", "new", "--param", "api_base=x"), '"api_base" is no parameter'),
        (("log.jsonl", "-m", "new", "--baseline", "yesterday"), 'no baseline "yesterday"'),
        (("log.jsonl", "-m", "new", "--map", "text=a"), "only a prompt has some"),
        (("log.jsonl", "-m", "new", "--dedupe", "maybe"), '"maybe"'),
        (("log.jsonl", "-m", "new", "--stratify", "model"), "Give --sample"),
        (("log.jsonl", "-m", "new", "--sample", "2", "--stratify", "moon"), '"moon"'),
        (("nothere.jsonl", "-m", "new"), "nothere.jsonl"),
        (("log.jsonl", "@last", "-m", "new"), "not both"),
        (("@last", "-m", "new"), "Nothing was imported yet"),
        (("-m", "new"), "There is no logged call to replay"),
        (("log.jsonl", "-m", "new", "-o", "report.pdf"), "report.pdf"),
        (("--resume", "@last", "-m", "new"), "-m cannot stand beside it"),
        (("--resume", "@last"), "no run"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_sent(
    llmctl: Invoke, server: OpenAIServer, arguments: tuple[str, ...], said: str
) -> None:
    result = llmctl("replay", *arguments)

    assert result.code == 2, result.err
    message = " ".join(result.err.split())
    assert said in message
    assert "Traceback" not in message
    assert not server.seen
    assert not list(Path(".llmctl/runs").glob("*"))


@pytest.mark.usefixtures("served")
def test_a_model_that_nobody_knows_is_named_with_a_way_out(llmctl: Invoke) -> None:
    write_log(Path("strange.jsonl"), [logged(30, "Say", "it", model="nosuch/one")])

    result = llmctl("replay", "strange.jsonl", "--baseline", "rerun")

    assert result.code == 2
    assert '[models."NAME"]' in result.err


@pytest.mark.usefixtures("served")
def test_resume_of_a_run_that_is_no_replay(llmctl: Invoke) -> None:
    assert llmctl("eval").code in (0, 4)

    result = llmctl("replay", "--resume")

    assert result.code == 2
    assert "is no replay" in result.err
