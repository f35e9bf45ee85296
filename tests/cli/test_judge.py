"""Judges through the front door: `eval` with a judge, and `judge calibrate`."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Invoke, Result, write

CONFIG = """
    [models.echo]
    model = "fake/echo"
    price = {input = 1, output = 1}

    [models.strict]
    model = "fake/script"
    price = {input = 10, output = 10}
    options.answer = '{"reason": "Fine.", "verdict": "pass"}'
    options.answers = [
      {match = "OUTPUT [0-9a-f]+>>>\\nrude", answer = '{"reason": "It is rude.", "verdict": "fail"}'},
      {match = "OUTPUT [0-9a-f]+>>>\\nodd", answer = "Yes, it passes."},
    ]

    [judge]
    model = "strict"
"""
PROMPT = """
    model: echo
    params: {max_tokens: 8}
    template: "{{ text }}"
"""
BANK = """
    prompts: [echo]
    evaluators:
      - judge: It is polite.
        metric: polite
    cases:
      - {id: nice, vars: {text: thank you}}
      - {id: rude, vars: {text: rude words}}
      - {id: odd, vars: {text: odd words}}
"""


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    write(tmp_path, "llmctl.toml", CONFIG)
    write(tmp_path, "prompts/echo.yaml", PROMPT)
    write(tmp_path, "testbanks/echo.yaml", BANK)
    return tmp_path


def report(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.out)
    return document


def by_case(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["case_id"]: row for row in document["results"]}


def test_a_judge_gives_verdicts_and_what_it_did_not_say_is_no_evidence(judged: Path, llmctl: Invoke) -> None:
    result = llmctl("eval", "--json")
    rows = by_case(report(result))
    assert {case: row["passed"] for case, row in rows.items()} == {"nice": True, "rude": False, "odd": None}
    assert "The judge (strict) says fail: It is rude." in rows["rude"]["reason"]
    assert "not JSON" in rows["odd"]["reason"]
    assert result.code == 4  # a third of the results has no evidence


def test_the_judges_calls_are_counted_apart(judged: Path, llmctl: Invoke) -> None:
    document = report(llmctl("eval", "--json"))
    judging = document["judging"]
    assert (judging["sent"], judging["reused"]) == (3, 0)
    assert judging["cost_usd"] > 0
    assert document["total"]["sent"] == 3
    nice = by_case(document)["nice"]
    assert nice["cost_usd"] == pytest.approx(4e-6)  # two words in, two out, by the target's own price
    shown = report(llmctl("show", "@last", "--json"))["judging"]
    assert (shown["sent"], shown["cost_usd"]) == (3, pytest.approx(judging["cost_usd"]))
    [run] = report(llmctl("runs", "--json"))["runs"]
    assert run["calls"] == 6
    assert run["cost_usd"] == pytest.approx(judging["cost_usd"] + document["total"]["spent_usd"])


def test_what_was_judged_is_not_asked_again_until_the_judge_is_another(judged: Path, llmctl: Invoke) -> None:
    llmctl("eval")

    def sent(*flags: str) -> tuple[int, int]:
        judging = report(llmctl("eval", "--json", *flags))["judging"]
        return judging["sent"], judging["reused"]

    assert sent() == (0, 3)
    assert sent("--no-cache") == (3, 0)
    write(judged, "testbanks/echo.yaml", BANK.replace("polite.", "very polite."))
    assert sent() == (3, 0)
    write(
        judged, "testbanks/echo.yaml", BANK.replace("judge: It is polite.", "judge: {rubric: It is polite., votes: 3}")
    )
    assert sent() == (9, 0)
    assert sent() == (0, 9)


def test_a_dry_run_counts_the_judges_calls_too(judged: Path, llmctl: Invoke) -> None:
    expected = report(llmctl("eval", "--dry-run", "--json"))
    assert (expected["calls"], expected["judge_calls"]) == (3, 3)
    assert expected["cost_usd"] > sum(target["cost_usd"] for target in expected["targets"])
    assert "and 3 to judges" in llmctl("eval", "--dry-run").out
    llmctl("eval")
    again = report(llmctl("eval", "--dry-run", "--json"))
    assert (again["judge_calls"], again["judges"][0]["kept"]) == (0, 3)
    write(judged, "testbanks/echo.yaml", BANK.replace("polite.", "very polite."))
    assert report(llmctl("eval", "--dry-run", "--json"))["judge_calls"] == 3


def test_a_dry_run_counts_votes_and_both_orders(judged: Path, llmctl: Invoke) -> None:
    arguments = "judge: {rubric: r, votes: 2, pairwise: true}\n        against: a reference"
    write(judged, "testbanks/echo.yaml", BANK.replace("judge: It is polite.", arguments))
    assert report(llmctl("eval", "--dry-run", "--json"))["judge_calls"] == 12


def test_the_budget_holds_for_judges_and_a_resumed_run_makes_what_is_missing(judged: Path, llmctl: Invoke) -> None:
    cases = "".join(f"\n      - {{id: c{n}, vars: {{text: thank you {n}}}}}" for n in range(40))
    write(judged, "testbanks/echo.yaml", BANK.partition("cases:")[0] + "cases:" + cases)
    first = llmctl("eval", "--json", "--max-cost", "0.05", "-j", "2")
    assert first.code == 5, first.err
    document = report(first)
    assert document["run"]["status"] == "stopped"
    assert 0 < document["total"]["done"] < 40
    assert document["total"]["errors"] == 0  # what was not judged is missing, and not without a verdict
    spent = document["judging"]["cost_usd"] + document["total"]["spent_usd"]
    assert spent <= 0.05
    before = document["judging"]["sent"]
    second = llmctl("eval", "--resume", "--json", "--max-cost", "1")
    assert second.code == 0, second.err
    resumed = report(second)
    assert (resumed["total"]["done"], resumed["total"]["passed"]) == (40, 40)
    assert resumed["judging"]["sent"] == 40 - before
    shown = report(llmctl("show", "@last", "--json"))
    assert shown["judging"]["sent"] == 40


def test_a_judge_without_a_price_is_refused_under_a_budget(judged: Path, llmctl: Invoke) -> None:
    write(judged, "llmctl.toml", CONFIG.replace('model = "strict"', 'model = "ollama/some-judge"'))
    result = llmctl("eval", "--max-cost", "1")
    assert result.code == 2
    assert "ollama/some-judge" in result.err and "price" in result.err


def test_a_run_stops_when_its_judge_does_not_answer_any_more(judged: Path, llmctl: Invoke) -> None:
    write(
        judged,
        "llmctl.toml",
        CONFIG.replace("options.answer =", "options.faults = [401, 401, 401]\n    options.answer ="),
    )
    result = llmctl("eval", "--json", "-j", "1")
    document = report(result)
    assert result.code == 4
    assert document["run"]["status"] == "stopped"
    assert "the judge gives no answers" in document["run"]["error"]
    assert document["missing"] > 0
    assert document["total"]["passed"] == 0


def test_x_stops_before_more_is_judged_and_resume_goes_on(judged: Path, llmctl: Invoke) -> None:
    cases = "".join(f"\n      - {{id: c{n}, vars: {{text: rude words {n}}}}}" for n in range(40))
    write(judged, "testbanks/echo.yaml", BANK.partition("cases:")[0] + "cases:" + cases)
    write(judged, "llmctl.toml", CONFIG.replace("options.answer =", "options.latency_ms = 20\n    options.answer ="))
    first = llmctl("eval", "--json", "-x", "1", "-j", "1")
    assert first.code == 5
    document = report(first)
    assert document["missing"] > 0
    assert document["total"]["errors"] == 0
    second = report(llmctl("eval", "--resume", "--json", "-x", "1000"))
    assert (second["total"]["done"], second["missing"]) == (40, 0)
    assert second["judging"]["sent"] == 40 - document["judging"]["sent"]


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        (CONFIG.partition("[judge]")[0], 2, "`judge` names no model"),
        (CONFIG.replace('model = "strict"', 'model = "stritc"'), 2, "Did you mean `strict`?"),
        (CONFIG.replace('model = "strict"', 'model = "openai/gpt-4o-mini"'), 4, "OPENAI_API_KEY"),
        (CONFIG.replace('model = "strict"', 'model = "opnai/gpt"'), 2, "opnai"),
        (CONFIG.replace('model = "strict"', 'modle = "strict"'), 2, "modle"),
    ],
)
def test_a_judge_that_cannot_be_asked_is_found_before_any_call(
    judged: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch, config: str, code: int, said: str
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    write(judged, "llmctl.toml", config)
    result = llmctl("eval")
    assert result.code == code
    assert said in result.err
    assert not list(judged.glob(".llmctl/runs/*.jsonl"))
    if code == 2:
        checked = llmctl("validate")
        assert checked.code == 2 and said in checked.err


LABELS = """
    output,label.anna,label.ben,case
    thank you,pass,pass,nice
    rude words,fail,fail,rude
    rude indeed,FAIL,pass,
    good day,yes,1,
    fine,no,,
    odd words,pass,pass,odd
"""


def calibrate(llmctl: Invoke, *flags: str) -> tuple[Result, dict[str, Any]]:
    result = llmctl("judge", "calibrate", "labels.csv", "--json", *flags)
    return result, json.loads(result.out) if result.out else {}


def test_calibrate_compares_a_judge_with_people(judged: Path, llmctl: Invoke) -> None:
    write(judged, "labels.csv", LABELS)
    result, document = calibrate(llmctl)
    assert result.code == 0, result.err
    # compared: nice (pass, pass), rude (fail, fail), good day (pass, pass), fine (fail, pass); Anna and Ben are divided
    # on one output, and of one the judge says nothing that counts
    assert document["table"] == [[2, 0], [1, 1]]
    assert document["pass_fail"] == {"both": 2, "judge_only": 1, "truth_only": 0, "neither": 1}
    assert (document["outputs"], document["compared"], document["without_verdict"]) == (6, 4, 1)
    assert document["agreement"]["value"] == 0.75
    assert document["kappa"]["value"] == pytest.approx(0.5)
    assert document["sensitivity"]["value"] == 1.0
    assert document["specificity"]["interval_95"] == pytest.approx([0.0945, 0.9055], abs=1e-4)
    assert [row["row"] for row in document["disagreements"]] == [6]
    assert [row["case"] for row in document["no_verdict"]] == ["odd"]
    assert "4 labels are few" in result.err
    assert "divided" in result.err
    text = llmctl("judge", "calibrate", "labels.csv").out
    assert "kappa" in text and "specificity" in text and "row 6: people say fail." in text


def test_calibrating_twice_sends_nothing_and_no_run_is_taken_for_it(judged: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    last = report(llmctl("show", "@last", "--json"))["run"]["run_id"]
    write(judged, "labels.csv", LABELS)
    _, first = calibrate(llmctl)
    assert (first["calls"]["sent"], first["calls"]["reused"]) == (3, 3)  # what the run has judged is known
    _, second = calibrate(llmctl)
    assert (second["calls"]["sent"], second["calls"]["reused"]) == (0, 6)
    assert second["kappa"] == first["kappa"]
    assert report(llmctl("show", "@last", "--json"))["run"]["run_id"] == last
    assert len(report(llmctl("runs", "--json"))["runs"]) == 3


def test_the_report_says_whether_a_judge_is_calibrated(judged: Path, llmctl: Invoke) -> None:
    def said() -> str:
        judge = report(llmctl("eval", "--json"))["judging"]["judges"][0]
        return str(judge["calibration"])

    assert said().startswith("no calibration")
    write(judged, "labels.csv", LABELS)
    calibrate(llmctl)
    assert (judged / "testbanks/.calibration/echo/polite.json").exists()
    assert said().startswith("calibrated 20")
    shown = llmctl("eval", "-o", "report.md").out
    assert "on 5 labels, kappa 0.50 [-0.23, 1.00]" in " ".join(shown.split())
    assert "kappa 0.50" in (judged / "report.md").read_text(encoding="utf-8")

    write(judged, "testbanks/echo.yaml", BANK.replace("polite.", "very polite."))
    assert "is stale: its rubric or another argument changed" in said()
    write(judged, "testbanks/echo.yaml", BANK)
    write(
        judged, "llmctl.toml", CONFIG.replace('"Fine."', '"Good."').replace('{"reason": "Fine."', '{"reason": "Good."')
    )
    assert "the settings or the weights of its model changed" in said()
    write(judged, "llmctl.toml", CONFIG.replace('[judge]\n    model = "strict"', '[judge]\n    model = "echo"'))
    assert "the judge is now fake/echo, not fake/script" in said()
    (judged / "testbanks/.calibration/echo/polite.json").write_text("{", encoding="utf-8")
    assert "cannot be read" in said()


@pytest.mark.parametrize(
    ("labels", "flags", "said"),
    [
        (
            "output,label\nhello,maybe\n",
            (),
            'The label "maybe" is no verdict of this judge, which says "pass", "fail".',
        ),
        ("output,label\n,pass\n", (), "needs an `output`"),
        ("output,lable\nhello,pass\n", (), "needs a `label`"),
        ("output,label,case\nhello,pass,nobody\n", (), 'has no case "nobody"'),
        ("output,label\n", (), "There are no labels"),
        ("output,label\nhello,pass\n", ("--metric", "tone"), "There are: --bank echo --metric polite."),
        ("output,label\nhello,pass\n", ("--bank", "ecko"), "echo"),
        (None, (), "cannot be read"),
    ],
)
def test_mistakes_in_labels_are_found_before_any_call(
    judged: Path, llmctl: Invoke, labels: str | None, flags: tuple[str, ...], said: str
) -> None:
    if labels is not None:
        write(judged, "labels.csv", labels)
    result = llmctl("judge", "calibrate", "labels.csv", *flags)
    assert result.code == 2
    assert said in result.err
    assert not list(judged.glob(".llmctl/runs/*.jsonl"))


def test_a_judge_that_says_nothing_that_counts_is_not_calibrated(judged: Path, llmctl: Invoke) -> None:
    write(judged, "labels.csv", "output,label\nodd one,pass\n")
    result = llmctl("judge", "calibrate", "labels.csv")
    assert result.code == 4
    assert "The judge gave no verdict on any of the outputs" in result.err
    assert not (judged / "testbanks/.calibration").exists()


def test_grades_are_compared_with_weights(judged: Path, llmctl: Invoke) -> None:
    bank = BANK.replace("judge: It is polite.", "judge: {rubric: r, scale: 1-3, threshold: 2}")
    write(judged, "testbanks/echo.yaml", bank)
    answers = [
        f"""  {{match = "OUTPUT [0-9a-f]+>>>\\n{n}", answer = '{{"reason": "r", "verdict": {n}}}'}},"""
        for n in (1, 2, 3)
    ]
    judge = ["[models.grader]", 'model = "fake/script"', "options.answers = [", *answers, "]"]
    config = CONFIG.replace('model = "strict"', 'model = "grader"')
    (judged / "llmctl.toml").write_text("\n".join([textwrap.dedent(config), *judge]), encoding="utf-8")
    rows = [("1 a", 1), ("2 b", 2), ("3 c", 3), ("1 d", 2), ("3 e", 3), ("2 f", 1)]
    write(judged, "labels.jsonl", "\n".join(json.dumps({"output": text, "label": label}) for text, label in rows))
    result = llmctl("judge", "calibrate", "labels.jsonl", "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["table"] == [[1, 1, 0], [1, 1, 0], [0, 0, 2]]
    assert document["kappa"]["value"] == pytest.approx(0.75)  # quadratic weights; without them 0.5
    assert document["alpha"] is not None
