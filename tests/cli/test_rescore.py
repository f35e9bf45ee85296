"""`llmctl rescore`: stored answers, today's evaluators; nothing is sent to a target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmctl.runs.rescore import bulk, import_ahead
from tests.cli.conftest import BANK, CONFIG, Invoke, Result, write
from tests.cli.test_engine import MODEL, PRICE
from tests.cli.test_judge import BANK as JUDGED_BANK
from tests.cli.test_judge import CONFIG as JUDGED_CONFIG
from tests.cli.test_judge import PROMPT as JUDGED_PROMPT
from tests.support.openai_server import OpenAIServer, Reply


def document(result: Result) -> dict[str, Any]:
    assert result.out, result.err
    read: dict[str, Any] = json.loads(result.out)
    return read


def verdicts(report: dict[str, Any]) -> dict[str, bool | None]:
    return {row["case_id"]: row["passed"] for row in report["results"]}


def flips(report: dict[str, Any]) -> set[tuple[str, bool | None, bool | None]]:
    return {(flip["case_id"], flip["passed_before"], flip["passed"]) for flip in report["rescored"]["flips"]}


def apart(report: dict[str, Any], kind: str) -> list[str]:
    return [case["case_id"] for case in report["rescored"][f"cases_{kind}"]]


def only_run(llmctl: Invoke) -> str:
    [run] = document(llmctl("runs", "--json"))["runs"]
    return str(run["run_id"])


def test_todays_expected_answers_judge_the_stored_outputs(project: Path, llmctl: Invoke) -> None:
    first = document(llmctl("eval", "--json"))
    old = project / ".llmctl" / "runs" / f"{first['run']['run_id']}.jsonl"
    before = old.read_bytes()
    write(
        project, "testbanks/route.yaml", BANK.replace("expected: hours", "expected: other").replace("billing", "bills")
    )
    result = llmctl("rescore", "@last", "--json")
    report = document(result)
    assert result.code == 0, result.err
    assert report["schema"] == "llmctl/rescore/1"
    assert report["run"]["run_id"] != first["run"]["run_id"]
    assert report["rescored"]["from"] == first["run"]["run_id"]
    assert verdicts(report) == {"card": False, "parcel": True, "hours": True}
    assert flips(report) == {("card", True, False), ("hours", False, True)}
    assert (report["total"]["sent"], report["total"]["cached"]) == (0, 3)
    assert old.read_bytes() == before
    kept = {row["case_id"]: (row["call_id"], row["output"], row["latency_ms"]) for row in first["results"]}
    assert {row["case_id"]: (row["call_id"], row["output"], row["latency_ms"]) for row in report["results"]} == kept


def test_nothing_is_sent_and_the_new_run_is_a_run_like_any_other(project: Path, llmctl: Invoke) -> None:
    with OpenAIServer() as server:
        write(project, "llmctl.toml", CONFIG + MODEL.format(url=server.url, more=PRICE))
        write(project, "testbanks/route.yaml", BANK.replace("prompts: [route]", "prompts: [route]\nmodels: [gpt]"))
        llmctl("eval")
        sent = len(server.seen)
        text = llmctl("rescore", "@last", "-o", str(project / "again.csv"))
        assert len(server.seen) == sent == 3
    assert text.code == 0, text.err
    assert "no verdict changed" in text.out
    runs = document(llmctl("runs", "--json"))["runs"]
    assert [(run["planned"], run["done"], run["calls"]) for run in runs] == [(3, 3, 0), (3, 3, 3)]
    assert (project / "again.csv").read_text(encoding="utf-8-sig").count("\n") == 4
    assert "card" in llmctl("show", "@last", "card").out
    assert llmctl("rescore", "@last").code == 0  # also of a run that was itself scored again


def test_cases_that_ask_something_else_are_set_apart(project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    changed = BANK.replace("Where is my parcel?", "Where is my box?").replace("id: hours", "id: opening")
    write(project, "testbanks/route.yaml", changed)
    report = document(llmctl("rescore", "@last", "--json"))
    assert verdicts(report) == {"card": True}
    assert (apart(report, "changed"), apart(report, "new"), apart(report, "gone")) == (
        ["parcel"],
        ["opening"],
        ["hours"],
    )
    assert "1 case not scored, since they ask something else today" in llmctl("rescore", first_run(llmctl)).out


def first_run(llmctl: Invoke) -> str:
    return str(document(llmctl("runs", "--json"))["runs"][-1]["run_id"])


def test_a_variable_that_no_prompt_uses_may_change(project: Path, llmctl: Invoke) -> None:
    bank = BANK.replace("ticket: My card was declined", "ticket: My card was declined, seen: 1")
    write(project, "testbanks/route.yaml", bank)
    llmctl("eval")
    write(project, "testbanks/route.yaml", bank.replace("seen: 1", "seen: 2"))
    report = document(llmctl("rescore", "@last", "--json"))
    assert apart(report, "changed") == []
    assert len(report["results"]) == 3


def test_judges_keep_their_scores_until_they_are_asked(tmp_path: Path, llmctl: Invoke) -> None:
    for path, text in (
        ("llmctl.toml", JUDGED_CONFIG),
        ("prompts/echo.yaml", JUDGED_PROMPT),
        ("testbanks/echo.yaml", JUDGED_BANK),
    ):
        write(tmp_path, path, text)
    llmctl("eval")
    same = document(llmctl("rescore", "@last", "--json"))
    assert same["rescored"]["stale_scores"] == 0
    assert verdicts(same) == {"nice": True, "rude": False, "odd": None}
    assert same["judging"]["sent"] == 0
    write(tmp_path, "testbanks/echo.yaml", JUDGED_BANK.replace("It is polite.", "It is very polite."))
    stale = document(llmctl("rescore", "@last", "--json"))
    assert stale["rescored"]["stale_scores"] == 3
    assert all(score.get("stale") for row in stale["results"] for score in row["scores"])
    assert verdicts(stale) == {"nice": True, "rude": False, "odd": None}
    asked = document(llmctl("rescore", "@last", "--judge", "--json"))
    assert (asked["judging"]["sent"], asked["rescored"]["stale_scores"]) == (3, 0)
    assert document(llmctl("rescore", "@last", "--judge", "--json"))["judging"]["sent"] == 0


def test_a_new_judge_gives_no_verdict_unless_it_is_asked(tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, "llmctl.toml", JUDGED_CONFIG)
    write(tmp_path, "prompts/echo.yaml", JUDGED_PROMPT)
    plain = JUDGED_BANK.replace("- judge: It is polite.\n        metric: polite", "- length: 50")
    write(tmp_path, "testbanks/echo.yaml", plain)
    llmctl("eval")
    write(tmp_path, "testbanks/echo.yaml", JUDGED_BANK)
    result = llmctl("rescore", "@last", "--json")
    assert set(verdicts(document(result)).values()) == {None}
    assert result.code == 4
    assert "--judge asks it" in document(result)["results"][0]["reason"]


def test_code_of_the_project_judges_again(project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    config = (project / "llmctl.toml").read_text() + "\n[project]\nallow_code = true\n"
    write(project, "llmctl.toml", config)
    write(project, "checks.py", "def short(context):\n    return len(context.output) < 7\n")
    write(project, "testbanks/route.yaml", BANK.replace("- exact", "- python: checks.py:short"))
    report = document(llmctl("rescore", "@last", "--json"))
    assert verdicts(report) == {"card": False, "parcel": False, "hours": True}


def test_tool_calls_are_read_from_the_calls(project: Path, llmctl: Invoke) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"what": "box"}'}}
    with OpenAIServer() as server:
        write(project, "llmctl.toml", CONFIG + MODEL.format(url=server.url, more=PRICE))
        bank = BANK.replace("prompts: [route]", "prompts: [route]\nmodels: [gpt]").replace("- exact", "- length: 99")
        write(project, "testbanks/route.yaml", bank)
        server.script("gpt", *[Reply("", message={"tool_calls": [call]}, finish_reason="tool_calls")] * 3)
        llmctl("eval")
        llmctl("eval")  # its results refer to calls of the first run
    called = "- tool_calls: [{name: find, arguments: {what: box}}]"
    write(project, "testbanks/route.yaml", bank.replace("- length: 99", called))
    report = document(llmctl("rescore", "@last", "--json"))
    assert set(verdicts(report).values()) == {True}, report["results"][0]["reason"]


def many(count: int, evaluator: str = "exact") -> str:
    cases = "\n".join(
        f"  - {{id: c{n}, vars: {{ticket: my card {n}}}, expected: {'billing' if n % 3 else 'other'},"
        f" group: g{n // 5}, tags: [t{n % 2}]}}"
        for n in range(count)
    )
    return f"prompts: [route]\ndefaults:\n  vars: {{brand: Acme}}\nevaluators:\n  - {evaluator}\ncases:\n{cases}\n"


def test_children_make_the_same_report(project: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, "testbanks/route.yaml", many(60))
    llmctl("eval")
    run = only_run(llmctl)
    write(project, "testbanks/route.yaml", many(60, "contains: bill"))
    here = document(llmctl("rescore", run, "--json"))
    monkeypatch.setattr(bulk, "_WORTH_PROCESSES", 1)
    monkeypatch.setattr(bulk, "_BATCH", 7)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    there = document(llmctl("rescore", run, "--json"))
    for report in (here, there):
        del report["run"]
    assert there == here
    assert len(here["results"]) == 60
    assert len(here["rescored"]["flips"]) == 20


@pytest.fixture
def in_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_WORTH_PROCESSES", 1)
    monkeypatch.setattr(bulk, "_BATCH", 7)
    monkeypatch.setattr("os.cpu_count", lambda: 2)


@pytest.mark.usefixtures("in_children")
def test_a_child_that_ends_is_one_sentence(project: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, "testbanks/route.yaml", many(30))
    llmctl("eval")
    run = only_run(llmctl)
    monkeypatch.setattr(bulk, "_CHILD", "llmctl.no_such_module")
    result = llmctl("rescore", run)
    assert result.code == 4
    assert "A process that scores ended" in result.err
    assert "Traceback" not in result.err


def test_it_cannot_be_resumed_and_says_so(project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    run = only_run(llmctl)
    llmctl("rescore", run)
    result = llmctl("eval", "--resume", "@last")
    assert result.code == 2
    assert f"llmctl rescore {run}" in result.err


def test_mistakes_leave_nothing_behind(project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    write(project, "testbanks/route.yaml", BANK.replace("- exact", "- exakt"))
    result = llmctl("rescore", "@last")
    assert result.code == 2
    assert "exakt" in result.err
    write(project, "testbanks/route.yaml", BANK)
    assert llmctl("rescore", "@last", "nothing").code == 2
    write(project, "testbanks/other.yaml", BANK)
    assert "no results of the bank other" in llmctl("rescore", "@last", "other").err
    assert llmctl("rescore", "@last~7").code == 2
    assert len(list((project / ".llmctl" / "runs").iterdir())) == 1
    (project / "testbanks/route.yaml").unlink()
    gone = llmctl("rescore", "@last")
    assert gone.code == 2
    assert "3 cases no longer there" in gone.err


def rows(report: dict[str, Any]) -> dict[tuple[str, str, int], tuple[str, str, str]]:
    """What was answered, and under which call, by case, model and repeat."""
    return {
        (row["case_id"], row["model"], row["repeat"]): (row["call_id"], row["call_key"], row["output"])
        for row in report["results"]
    }


def test_every_model_and_repeat_keeps_its_own_answer(project: Path, llmctl: Invoke) -> None:
    with OpenAIServer() as server:
        two = MODEL.format(url=server.url, more=PRICE) + MODEL.format(url=server.url, more=PRICE).replace("gpt", "two")
        write(project, "llmctl.toml", CONFIG + two)
        bank = BANK.replace("prompts: [route]", "prompts: [route]\nmodels: [gpt, two]").replace(
            "- exact", "- length: 99"
        )
        write(project, "testbanks/route.yaml", bank)
        for model in ("gpt", "two"):
            server.script(model, *[Reply(f"{model} {number}") for number in range(6)])
        first = document(llmctl("eval", "-r", "2", "--json"))
    assert len(set(rows(first).values())) == 12
    write(project, "testbanks/route.yaml", bank.replace("- length: 99", "- contains: two\n  - length: 3"))
    again = document(llmctl("rescore", "@last", "--json"))
    assert rows(again) == rows(first)
    assert [len(row["scores"]) for row in again["results"]] == [3] * 12
    assert {(row["model"], row["passed"]) for row in again["results"]} == {("gpt", False), ("two", False)}
    assert {row["scores"][0]["passed"] for row in again["results"] if row["model"] == "two"} == {True}


def test_variables_may_be_written_in_another_order(project: Path, llmctl: Invoke) -> None:
    bank = many(2).replace("{ticket: my card 1}", "{ticket: my card 1, seen: 1, more: [a, b]}")
    write(project, "testbanks/route.yaml", bank)
    llmctl("eval")
    run = only_run(llmctl)
    other = bank.replace("{ticket: my card 1, seen: 1, more: [a, b]}", "{more: [a, b], seen: 1, ticket: my card 1}")
    write(project, "testbanks/route.yaml", other)
    assert apart(document(llmctl("rescore", run, "--json")), "changed") == []


def test_a_flip_says_why_it_failed_before(project: Path, llmctl: Invoke) -> None:
    first = document(llmctl("eval", "--json"))
    [failed] = [row for row in first["results"] if not row["passed"]]
    fixed = BANK.replace("expected: hours", f"expected: {failed['output']}")
    write(project, "testbanks/route.yaml", fixed)
    [flip] = document(llmctl("rescore", "@last", "--json"))["rescored"]["flips"]
    assert flip["reason"] == failed["reason"] != ""


@pytest.mark.usefixtures("in_children")
def test_the_journal_is_imported_while_it_grows(project: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, "testbanks/route.yaml", many(30))
    llmctl("eval")
    run = only_run(llmctl)
    monkeypatch.setattr(import_ahead, "_WORTH_LINES", 5)
    assert llmctl("rescore", run).code == 0
    latest = document(llmctl("runs", "--json"))["runs"][0]
    assert (latest["planned"], latest["done"], latest["damaged_lines"]) == (30, 30, 0)
    found = json.loads(llmctl("sql", "SELECT count(*) AS n, count(DISTINCT run_id) AS runs FROM results", "--json").out)
    assert found == [{"n": 60, "runs": 2}]


@pytest.mark.parametrize("command", [("rescore", "@last"), ("eval",), ("validate",)])
def test_a_mistake_of_all_cases_is_said_once(project: Path, llmctl: Invoke, command: tuple[str, ...]) -> None:
    write(project, "testbanks/route.yaml", many(30))
    llmctl("eval")
    write(project, "testbanks/route.yaml", many(30, "regex: 'a('"))
    result = llmctl(*command)
    said = " ".join((result.out + result.err).split())
    assert result.code == 2
    assert said.count("missing )") == 1, said
    assert '(case "c0" and 29 more cases).' in said
    assert "testbanks/route.yaml:5:" in said
