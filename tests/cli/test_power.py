"""`llmctl power`, as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, write

FLAKY = """
[models.fake]
model = "fake/script"
options = {answer = "yes", flake_rate = 0.2, flake_answer = "no"}
"""
ASK = """
model: fake
messages:
  - {role: user, content: "Is {{ n }} a number?"}
"""


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A bank of 100 cases on a model that fails a fifth of the calls."""
    write(tmp_path, "llmctl.toml", FLAKY)
    write(tmp_path, "prompts/ask.yaml", ASK)
    write(
        tmp_path,
        "testbanks/ask.yaml",
        """
        prompts: [ask]
        evaluators: [exact]
        gate: {margin: 0.1}
        include: [{file: ask.jsonl, set: {expected: "yes"}}]
        """,
    )
    write(tmp_path, "testbanks/ask.jsonl", "".join(f'{{"id": "c{n}", "n": "{n}"}}\n' for n in range(100)))
    return tmp_path


def test_nothing_stored_is_an_assumption_and_said_so(llmctl: Invoke, bank: Path) -> None:
    result = llmctl("power")
    assert result.code == 0, result.err
    assert result.out.startswith(
        "the files here\n"
        "Found in 80 % of comparisons (power), wrong in at most 5 % (alpha).\n"
        "\n"
        "ask · ask · fake\n"
        "  15.0 % of pairs differ: an assumption.\n"
        "  100 cases: the smallest drop they show is 9.3 points (9.6 by the formula).\n"
        "  For a version without any change to pass a margin of 10 points: 102 cases (107 by the formula),\n"
        "  115 where the gate looks early. 15 are missing.\n"
    )
    assert "15 % of pairs are assumed to differ." in result.out
    assert "  5           389 (382)      167 (158)      274 (263)      507 (501)      748 (745)\n" in result.out


def test_repeats_measure_it(llmctl: Invoke, bank: Path) -> None:
    llmctl("eval", "-r", "2")
    (cell,) = json.loads(llmctl("power", "--json").out)["cells"]
    found = cell["discordance"]
    assert (found["source"], found["cases"], found["answers"]) == ("draws", 100, 200)
    results = [json.loads(line) for line in _jsonl(llmctl, bank)]
    passed = {(one["case_id"], one["repeat"]): one["passed"] for one in results}
    differing = sum(passed[f"c{n}", 1] != passed[f"c{n}", 2] for n in range(100))
    assert differing > 0
    assert found["value"] == differing / 100


def _jsonl(llmctl: Invoke, bank: Path) -> list[str]:
    assert llmctl("show", "@last", "-o", "results.jsonl").code == 0
    return (bank / "results.jsonl").read_text().splitlines()


def test_a_second_run_that_sends_nothing_measures_nothing(llmctl: Invoke, bank: Path) -> None:
    llmctl("eval")
    llmctl("eval")
    (cell,) = json.loads(llmctl("power", "--json").out)["cells"]
    assert cell["discordance"]["source"] == "assumed"
    (cell,) = json.loads(llmctl("power", "@last~1", "@last", "--json").out)["cells"]
    assert cell["discordance"]["source"] == "assumed"


def test_two_versions_measure_it(llmctl: Invoke, bank: Path) -> None:
    llmctl("eval", "--label", "before")
    write(bank, "prompts/ask.yaml", ASK.replace("Is", "Would you say that"))
    llmctl("eval", "--label", "after")
    result = llmctl("power", "before", "after")
    assert result.code == 0, result.err
    assert "% of pairs of the two sides differ [" in result.out
    assert ": 100 cases, 200 answers.\n" in result.out
    (cell,) = json.loads(llmctl("power", "before", "after", "--json").out)["cells"]
    assert cell["discordance"]["source"] == "sides"


def test_nothing_is_sent(llmctl: Invoke, bank: Path) -> None:
    llmctl("power")
    assert json.loads(llmctl("runs", "--json").out)["runs"] == []


def test_margins_power_and_alpha_are_chosen(llmctl: Invoke, bank: Path) -> None:
    result = llmctl("power", "--discordance", "0.1", "--margin", "0.05", "--margin", "0.07", "--json")
    document = json.loads(result.out)
    assert document["schema"] == "llmctl/power/1"
    (cell,) = document["cells"]
    assert [(one["margin"], one["to_pass"]["formula"]) for one in cell["needed"]] == [(0.05, 274), (0.07, 150)]
    more = json.loads(llmctl("power", "--discordance", "0.1", "--margin", "0.05", "--power", "0.9", "--json").out)
    assert more["cells"][0]["needed"][0]["to_pass"]["formula"] > 274
    less = json.loads(llmctl("power", "--discordance", "0.1", "--margin", "0.05", "--alpha", "0.1", "--json").out)
    assert less["cells"][0]["needed"][0]["to_pass"]["formula"] < 274


@pytest.mark.parametrize("flags", [("--margin", "5"), ("--power", "0"), ("--alpha", "1"), ("--discordance", "-1")])
def test_what_is_no_share_is_refused(llmctl: Invoke, bank: Path, flags: tuple[str, str]) -> None:
    result = llmctl("power", *flags)
    assert (result.code, result.out) == (2, "")
    assert f"{flags[0]} lies between 0 and 1, not {flags[1]}." in result.err


def test_the_document_is_described(llmctl: Invoke, bank: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")
    document = json.loads(llmctl("power", "--json").out)
    assert sorted(key for key in keys(document) if f"`{key}`" not in page) == []


def keys(value: object) -> set[str]:
    """Every key of a document."""
    match value:
        case dict():
            return {str(key) for key in value} | set().union(*map(keys, value.values()))
        case list():
            return set().union(*map(keys, value)) if value else set()
    return set()
