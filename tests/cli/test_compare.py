"""`llmctl compare`, as a person calls it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, write
from tests.cli.git import commit_all
from tests.cli.test_power import keys

MODELS = """
[models.right]
model = "fake/script"
price = {input = 10, output = 20}
options = {answer = "yes"}

[models.half]
model = "fake/script"
price = {input = 1, output = 2}
options = {answers = [{match = "[02468]\\\\b", answer = "yes"}], answer = "no"}

[models.alike]
model = "fake/script"
price = {input = 100, output = 200}
options = {latency_ms = 60, answer = "yes", answers = [{match = " 7\\\\b", answer = "no"}]}
"""


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """Forty cases, three models: one is right, one nearly, one half of the time."""
    write(tmp_path, "llmctl.toml", MODELS)
    write(tmp_path, "prompts/ask.yaml", 'model: right\nmessages: [{role: user, content: "Is it {{ n }}"}]\n')
    write(
        tmp_path,
        "testbanks/ask.yaml",
        """
        prompts: [ask]
        models: [right, half, alike]
        evaluators: [exact]
        include: [{file: ask.jsonl, set: {expected: "yes"}}]
        """,
    )
    write(tmp_path, "testbanks/ask.jsonl", "".join(f'{{"id": "c{n}", "n": "{n}"}}\n' for n in range(40)))
    return tmp_path


def test_all_targets_of_the_last_run(llmctl: Invoke, bank: Path) -> None:
    llmctl("eval")
    result = llmctl("compare")
    assert result.code == 0, result.err
    assert (
        "ask · right has the highest pass rate here; its lead over ask · alike could be chance.\n"
        "40 cases, the same for every target.\n" in result.out
    )
    lines = [line.split() for line in result.out.splitlines() if " % [" in line]
    assert [line[:7] for line in lines] == [
        ["*", "ask", "right", "100", "%", "[91,", "100]"],
        ["ask", "alike", "97.5", "%", "[87,", "100]", "$0.50"],
        ["*", "ask", "half", "50.0", "%", "[35,", "65]"],
    ]
    assert (
        "  The lead of ask · right over ask · alike, 2.5 points [-6.5, +12.9], could be chance: p 0.50.\n" in result.out
    )
    assert "  ask · right is better than ask · half by 50.0 points" in result.out
    assert "p < 0.001." in result.out


def test_costs_are_of_a_thousand_cases(llmctl: Invoke, bank: Path) -> None:
    llmctl("eval")
    (found,) = json.loads(llmctl("compare", "--json").out)["banks"]
    assert found["comparisons"] == 3
    costs = {one["model"]: one["cost_per_1000_usd"] for one in found["targets"]}
    spent = {one["model"]: one["cost_usd"] for one in json.loads(llmctl("show", "@last", "--json").out)["targets"]}
    assert costs == pytest.approx({model: cost / 40 * 1000 for model, cost in spent.items()})


def test_versions_of_a_prompt_stand_side_by_side(llmctl: Invoke, bank: Path) -> None:
    commit_all(bank)
    write(bank, "prompts/ask.yaml", 'model: half\nmessages: [{role: user, content: "Is it really {{ n }}"}]\n')
    llmctl("eval", "-p", "ask@HEAD", "-p", "ask", "-m", "half", "-m", "right")
    (found,) = json.loads(llmctl("compare", "--json").out)["banks"]
    assert {(one["prompt"], one["model"]) for one in found["targets"]} == {
        ("ask", "half"), ("ask", "right"), ("ask@HEAD", "half"), ("ask@HEAD", "right")
    }  # fmt: skip
    assert found["comparisons"] == 6


def test_a_side_of_files_is_compared_as_far_as_it_is_stored(llmctl: Invoke, bank: Path) -> None:
    commit_all(bank)
    llmctl("eval", "-m", "right", "-m", "half")
    result = llmctl("compare", "rev:HEAD")
    assert result.code == 4
    assert "Without any evidence, and left out: ask@HEAD · alike." in result.out
    assert "Answers are missing" in result.err
    assert llmctl("compare", "rev:HEAD", "-m", "right", "-m", "half").code == 0


def test_files_of_every_ending(llmctl: Invoke, bank: Path) -> None:
    llmctl("eval")
    result = llmctl("compare", "-o", "a.md", "-o", "a.json", "-o", "a.svg")
    assert result.code == 0, result.err
    assert "| \\* | `ask` | `right` | 100 % [91, 100] | 100 % |" in (bank / "a.md").read_text()
    assert json.loads((bank / "a.json").read_text())["schema"] == "llmctl/compare/1"
    chart = ET.parse(bank / "a.svg").getroot()
    texts = ["".join(one.itertext()) for one in chart.iter("{http://www.w3.org/2000/svg}text")]
    assert {"ask · right", "ask · half", "ask · alike", "cost of 1,000 cases (logarithmic)"} <= set(texts)
    assert len(list(chart.iter("{http://www.w3.org/2000/svg}circle"))) == 3


def test_a_file_that_cannot_be_written_is_said_first(llmctl: Invoke, bank: Path) -> None:
    result = llmctl("compare", "-o", "a.html")
    assert (result.code, result.out) == (2, "")
    assert "It can be written to .md, .json or .svg." in result.err


def test_without_a_run_there_is_nothing_to_compare(llmctl: Invoke, bank: Path) -> None:
    result = llmctl("compare")
    assert (result.code, result.out) == (2, "")


def test_the_document_is_described(llmctl: Invoke, bank: Path) -> None:
    llmctl("eval")
    page = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")
    document = json.loads(llmctl("compare", "--json").out)
    assert sorted(key for key in keys(document) if f"`{key}`" not in page) == []
