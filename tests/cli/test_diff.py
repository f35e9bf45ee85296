"""`llmctl diff`, as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import BANK, CONFIG, PROMPT, Invoke, write
from tests.cli.git import commit_all

EDITED = """
[models.fake]
model = "fake/script"
price = {input = 1, output = 2}
params = {max_tokens = 64}

[models.fake.options]
answer = "other"
answers = [
  {match = "card", answer = "billing"},
  {match = "polite.*parcel", answer = "shipping, dear customer, with the kindest regards of the whole team"},
  {match = "parcel", answer = "shipping, dear friend, with the kindest regards of the whole team"},
  {match = "polite.*open", answer = "hours"},
]
"""
FRIENDLY = BANK.replace(
    "expected: shipping", 'expected: "shipping, dear friend, with the kindest regards of the whole team"'
)


@pytest.fixture
def repository(project: Path) -> Path:
    """The project, committed; the fake model answers a polite prompt otherwise."""
    write(project, "llmctl.toml", EDITED)
    write(project, ".gitignore", ".llmctl\n")
    write(project, "testbanks/route.yaml", FRIENDLY)
    commit_all(project)
    return project


def edit(root: Path) -> None:
    """The edit whose effect is asked for."""
    write(root, "prompts/route.yaml", PROMPT.replace("Ticket:", "Be polite. Ticket:"))


def test_without_an_edit_nothing_differs(llmctl: Invoke, repository: Path) -> None:
    assert llmctl("eval").code == 0
    result = llmctl("diff")
    assert result.code == 0, result.err
    assert result.out == (
        f"HEAD ({_head(repository)}) -> the files here\n"
        "\n"
        "route · route · fake\n"
        "The same: both sides refer to the same answers, and judge them alike.\n"
        "Pass rate 66.7 % [20, 94] on both sides.\n"
        "3 pairs: no regressions, no fixes, no other outputs changed.\n"
        "\n"
        "No result differs.\n"
    )


def _head(root: Path) -> str:
    return (root / ".git" / "refs" / "heads" / "main").read_text()[:7]


def test_missing_answers_are_said_and_nothing_is_sent(llmctl: Invoke, repository: Path) -> None:
    llmctl("eval")
    edit(repository)
    result = llmctl("diff")
    assert result.code == 4
    assert "Side B, the files here: 3 of 3 results have no stored answer." in result.out
    assert "3 calls would be sent, 3 answers are there already" in result.out
    assert "--run-missing sends what is missing, then compares." in result.out
    document = json.loads(llmctl("diff", "--json").out)
    assert document["missing"]["calls"] == 3
    assert len(json.loads(llmctl("runs", "--json").out)["runs"]) == 1


def test_run_missing_sends_and_compares(llmctl: Invoke, repository: Path) -> None:
    llmctl("eval")
    edit(repository)
    result = llmctl("diff", "--run-missing")
    assert result.code == 0, result.err
    lines = result.out
    assert "3 pairs: 1 regression, 1 fix, no other outputs changed." in lines
    assert "output    shipping, dear [-friend-]{+customer+}, with the kindest" in lines
    assert "No drop larger than 69.3 points, and no gain larger than 69.3 (95 %)." in lines
    assert "    -  Ticket: {{ ticket }}\n    +  Be polite. Ticket: {{ ticket }}\n" in lines
    assert "significant" not in lines
    again = llmctl("diff")
    assert again.code == 0
    assert again.out == lines


def test_a_run_is_a_side_and_so_is_a_label(llmctl: Invoke, repository: Path) -> None:
    llmctl("eval", "--label", "before")
    edit(repository)
    llmctl("eval")
    result = llmctl("diff", "before", "@last")
    assert result.code == 0, result.err
    assert "Regressions: 1\n  parcel\n" in result.out
    assert "Fixes: 1\n  hours\n" in result.out
    backwards = llmctl("diff", "@last", "before")
    assert "Regressions: 1\n  hours\n" in backwards.out


def test_changed_evaluators_are_used_for_both_runs(llmctl: Invoke, repository: Path) -> None:
    llmctl("eval", "--label", "before")
    changed = FRIENDLY.replace("expected: hours", "expected: other").replace("exact\n", "exact: {ignore_case: true}\n")
    write(repository, "testbanks/route.yaml", changed)
    llmctl("eval", "--label", "after")
    for sides in (("before", "after"), ("after", "before")):
        result = json.loads(llmctl("diff", *sides, "--json").out)
        (cell,) = result["cells"]
        assert result["empty"]
        assert (cell["pairs"], cell["rescored"], cell["apart"]["count"]) == (3, 3, 0)
        assert cell["rate_a"]["passed"] == cell["rate_b"]["passed"] == 3  # 2 by what was expected before
        assert [row["mean_a"] == row["mean_b"] for row in cell["metrics"]] == [True, True]
        assert {change["kind"] for change in result["changes"]} == {"evaluators", "bank"}


def test_a_case_on_top_a_tag_and_another_order_leave_the_diff_empty(llmctl: Invoke, project: Path) -> None:
    write(project, "testbanks/route.yaml", BANK.replace("{id: parcel, ", "{").replace("{id: hours, ", "{"))
    llmctl("eval", "--label", "before")
    head, _, cases = BANK.replace("{id: parcel, ", "{").replace("{id: hours, ", "{").partition("cases:\n")
    moved = sorted(cases.replace("smoke", "fast").splitlines(), reverse=True)
    first = "  - {vars: {ticket: A new one}, expected: other}"
    write(project, "testbanks/route.yaml", "\n".join([head + "cases:", first, *moved]))
    llmctl("eval", "--label", "after")
    result = json.loads(llmctl("diff", "before", "after", "--json").out)
    assert result["empty"]
    (cell,) = result["cells"]
    assert (cell["pairs"], cell["cases_only_b"]["count"], cell["changed_outputs"]) == (3, 1, 0)
    assert "no regressions, no fixes, no other outputs changed" in llmctl("diff", "before", "after").out


def test_another_model_is_compared_with_the_one_before(llmctl: Invoke, project: Path) -> None:
    write(project, "llmctl.toml", CONFIG)
    llmctl("eval", "--label", "before")
    write(project, "prompts/route.yaml", PROMPT.replace("model: fake", "model: echo"))
    llmctl("eval", "--label", "after")
    result = llmctl("diff", "before", "after")
    assert "route · route · fake -> echo\n" in result.out
    assert "model of route on fake -> echo" in result.out


def test_the_document_says_everything(llmctl: Invoke, repository: Path) -> None:
    llmctl("eval", "--label", "before")
    edit(repository)
    llmctl("eval")
    document = json.loads(llmctl("diff", "before", "@last", "--json").out)
    assert document["schema"] == "llmctl/diff/1"
    page = (Path(__file__).parents[2] / "docs" / "diff.md").read_text(encoding="utf-8")
    unsaid = sorted(key for key in _keys(document, free=("missing",)) if f"`{key}`" not in page)
    assert unsaid == []


def _keys(value: object, free: tuple[str, ...] = ()) -> set[str]:
    match value:
        case dict():
            return {str(key) for key in value} | set().union(*(_keys(value[key]) for key in value if key not in free))
        case list():
            return set().union(*map(_keys, value)) if value else set()
    return set()


def test_files_of_every_ending(llmctl: Invoke, repository: Path) -> None:
    llmctl("eval", "--label", "before")
    edit(repository)
    llmctl("eval")
    result = llmctl("diff", "before", "@last", "-o", "a.json", "-o", "a.md", "-o", "a.html")
    assert result.code == 0, result.err
    assert json.loads((repository / "a.json").read_text())["cells"][0]["regression_count"] == 1
    markdown = (repository / "a.md").read_text()
    assert "### Regressions: 1" in markdown and "[-friend-]{+customer+}" in markdown
    assert "parcel" in (repository / "a.html").read_text()


def test_a_file_that_cannot_be_written_is_said_first(llmctl: Invoke, repository: Path) -> None:
    result = llmctl("diff", "-o", "a.csv")
    assert (result.code, result.out) == (2, "")
    assert "A diff can be written to .json, .md or .html." in result.err
    assert llmctl("diff", "-o", "nowhere/a.md").code == 2


def test_a_budget_needs_something_to_send(llmctl: Invoke, repository: Path) -> None:
    result = llmctl("diff", "--max-cost", "1")
    assert result.code == 2
    assert "without it nothing is sent" in result.err


def test_a_budget_ends_the_command_before_it_compares(llmctl: Invoke, repository: Path) -> None:
    llmctl("eval")
    edit(repository)
    result = llmctl("diff", "--run-missing", "--max-cost", "0")
    assert result.code == 5
    assert result.out == ""
    assert "nothing is compared" in result.err


def test_banks_prompts_models_and_cases_are_chosen(llmctl: Invoke, repository: Path) -> None:
    llmctl("eval", "--label", "before")
    edit(repository)
    llmctl("eval")
    chosen = ("-b", "testbanks/route.yaml", "-p", "route", "-m", "fake", "-t", "smoke", "-k", "par*")
    (cell,) = json.loads(llmctl("diff", "before", "@last", *chosen, "--json").out)["cells"]
    assert (cell["pairs"], cell["regression_count"], cell["fix_count"]) == (1, 1, 0)
    result = llmctl("diff", "before", "@last", "-m", "nobody")
    assert result.code == 2
    assert "No results of the two sides are selected." in result.err


def test_limit_lists_fewer_flips(llmctl: Invoke, repository: Path) -> None:
    llmctl("eval", "--label", "before")
    edit(repository)
    llmctl("eval")
    result = llmctl("diff", "before", "@last", "--limit", "0")
    assert "Regressions: 1\n  ... and 1 more (--limit N)\n" in result.out
