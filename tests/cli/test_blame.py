"""`llmctl blame`, as a person calls it: real git, the fake model, every call counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Invoke, write
from tests.cli.git import commit_all, git
from tests.cli.test_power import keys

MODELS = """
[models.fake]
model = "fake/script"
price = {input = 1, output = 2}
params = {max_tokens = 16}
options = {answers = [{match = "terse", answer = "no idea"}], answer = "billing"}
"""
BANK = """
prompts: [route]
evaluators: [exact]
cases:
  - {id: card, vars: {ticket: My card}, expected: billing}
  - {id: card-2, vars: {ticket: My other card}, expected: billing}
"""


def prompt(number: int, *, terse: bool) -> str:
    words = f"Version {number}." + (" Be terse." if terse else "")
    return f'model: fake\nmessages: [{{role: user, content: "{words} {{{{ ticket }}}}"}}]\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Nine versions of a prompt; the sixth breaks the case. Nothing is evaluated."""
    write(tmp_path, "llmctl.toml", MODELS)
    write(tmp_path, ".gitignore", ".llmctl\n")
    write(tmp_path, "testbanks/route.yaml", BANK)
    write(tmp_path, "prompts/route.yaml", prompt(1, terse=False))
    commit_all(tmp_path)
    for number in range(2, 10):
        commit(tmp_path, number, terse=number >= 6)
    return tmp_path


def commit(root: Path, number: int, *, terse: bool) -> None:
    write(root, "prompts/route.yaml", prompt(number, terse=terse))
    git(root, "commit", "-qam", f"version {number}")


def blamed(llmctl: Invoke, *flags: str) -> dict[str, Any]:
    document = json.loads(llmctl("blame", "card", *flags, "--json").out)
    (report,) = document["reports"]
    assert isinstance(report, dict)
    return report


def calls(llmctl: Invoke) -> int:
    """All that was ever sent."""
    rows = json.loads(llmctl("sql", "SELECT count(*) AS n FROM calls", "--json").out)
    return int(rows[0]["n"])


def states(report: dict[str, Any]) -> str:
    return "".join(
        {"passes": "g", "fails": "b", "flaky": "f", "not known": "?"}[one["state"]] for one in report["versions"]
    )


def test_without_answers_it_says_what_asking_would_take(llmctl: Invoke, repository: Path) -> None:
    result = llmctl("blame", "card")
    assert result.code == 4
    assert "Not known: too few versions have an answer." in result.out
    assert "To find out, at most 5 versions would be asked: 5 calls, about $0.00025. `--bisect` does it." in result.out
    assert json.loads(llmctl("runs", "--json").out)["runs"] == []


def test_bisect_finds_the_commit_with_few_calls(llmctl: Invoke, repository: Path) -> None:
    result = llmctl("blame", "card", "--bisect")
    assert result.code == 0, result.err
    first = result.out.splitlines()[1]
    assert first.startswith("Broken by ") and first.endswith(", version 6).")
    assert '  -messages: [{role: user, content: "Version 5. {{ ticket }}"}]\n' in result.out
    assert '  +messages: [{role: user, content: "Version 6. Be terse. {{ ticket }}"}]\n' in result.out
    assert calls(llmctl) == 5
    # The runs are like any other: only this case, at a revision.
    rows = json.loads(llmctl("sql", "SELECT case_id, prompt FROM results ORDER BY run_id", "--json").out)
    assert {row["case_id"] for row in rows} == {"card"}
    assert rows[0]["prompt"].startswith("route@")
    again = llmctl("blame", "card", "--bisect")
    assert calls(llmctl) == 5
    assert again.out.splitlines()[1] == first


def test_stored_runs_tell_it_whatever_their_commit(llmctl: Invoke, repository: Path) -> None:
    """A run of uncommitted files counts for the commit that makes the same call later."""
    write(repository, "prompts/route.yaml", prompt(10, terse=False))
    llmctl("eval")
    commit(repository, 10, terse=False)
    write(repository, "prompts/route.yaml", prompt(11, terse=True))
    llmctl("eval")
    commit(repository, 11, terse=True)
    before = calls(llmctl)
    report = blamed(llmctl)
    assert (report["finding"], report["first_bad"]["subject"]) == ("found", "version 11")
    assert report["last_good"]["subject"] == "version 10"
    assert calls(llmctl) == before


def test_changes_that_are_not_committed_are_a_version(llmctl: Invoke, repository: Path) -> None:
    write(repository, "prompts/route.yaml", prompt(5, terse=False))
    llmctl("eval")
    git(repository, "commit", "-qam", "back to 5")
    write(repository, "prompts/route.yaml", prompt(12, terse=True))
    llmctl("eval")
    result = llmctl("blame", "card")
    assert result.code == 0, result.err
    assert "Broken by changes that are not committed." in result.out
    assert '  +messages: [{role: user, content: "Version 12. Be terse. {{ ticket }}"}]\n' in result.out


def test_a_case_that_passes_was_not_broken(llmctl: Invoke, repository: Path) -> None:
    write(repository, "prompts/route.yaml", prompt(1, terse=False))
    llmctl("eval")
    result = llmctl("blame", "card")
    assert result.code == 0
    assert "It passes: the answer of the newest version (not committed). Nothing broke it." in result.out


def test_a_flip_between_equal_calls_is_noise_and_no_commit(llmctl: Invoke, repository: Path) -> None:
    write(
        repository,
        "llmctl.toml",
        MODELS.replace('answer = "billing"}', 'answer = "billing", flake_rate = 0.5, flake_answer = "?"}'),
    )
    write(repository, "prompts/route.yaml", prompt(13, terse=False))
    git(repository, "commit", "-qam", "flaky")
    llmctl("eval", "-r", "8", "-k", "card")
    result = llmctl("blame", "card")
    assert result.code == 3, result.out
    assert "It is flaky: " in result.out and "No commit broke it." in result.out
    assert blamed(llmctl)["flaky"]


def test_more_answers_know_a_version_better(llmctl: Invoke, repository: Path) -> None:
    report = blamed(llmctl, "--bisect", "--repeat", "3")
    assert (report["finding"], report["first_bad"]["subject"]) == ("found", "version 6")
    assert (report["first_bad"]["passed"], report["first_bad"]["evidence"]) == (0, 3)
    assert report["sent"] == calls(llmctl) == 15


@pytest.mark.parametrize("answers", [1, 2])
def test_one_answer_a_version_is_said_to_be_little(llmctl: Invoke, repository: Path, answers: int) -> None:
    blamed(llmctl, "--bisect", "--repeat", str(answers))
    said = "One answer a version says little" in llmctl("blame", "card").out
    assert said == (answers == 1)


def test_no_more_is_asked_of_a_version_than_it_takes(llmctl: Invoke, repository: Path) -> None:
    llmctl("eval", "-r", "4")
    before = calls(llmctl)
    report = blamed(llmctl, "--bisect")
    assert (report["finding"], report["first_bad"]["subject"]) == ("found", "version 6")
    assert report["versions"][-1]["evidence"] == 4
    assert report["sent"] == calls(llmctl) - before == 4


def test_a_case_that_was_changed_is_not_the_prompts_fault(llmctl: Invoke, repository: Path) -> None:
    write(repository, "prompts/route.yaml", prompt(1, terse=False))
    git(repository, "commit", "-qam", "back")
    llmctl("eval")
    write(repository, "testbanks/route.yaml", BANK.replace("expected: billing", "expected: shipping"))
    git(repository, "commit", "-qam", "expects shipping")
    result = llmctl("blame", "card")
    assert result.code == 0, result.err
    assert "The case was changed: its answer passed before, to the very call that fails today." in result.out
    assert "Commits that touched the test banks since: " in result.out and "expects shipping." in result.out


def test_a_budget_stops_the_search(llmctl: Invoke, repository: Path) -> None:
    result = llmctl("blame", "card", "--bisect", "--max-cost", "0")
    assert result.code == 5
    assert calls(llmctl) == 0
    assert llmctl("blame", "card", "--max-cost", "1").code == 2


def test_a_model_that_gives_no_answer_ends_the_search(llmctl: Invoke, repository: Path) -> None:
    write(
        repository,
        "llmctl.toml",
        '[models.fake]\nmodel = "fake/script"\noptions = {answers = [{match = "nothing", answer = "x"}]}\n',
    )
    git(repository, "commit", "-qam", "a model without answers")
    result = llmctl("blame", "card", "--bisect")
    assert result.code == 4
    assert calls(llmctl) == 1


def test_commits_that_change_nothing_of_the_call_are_one_version(llmctl: Invoke, repository: Path) -> None:
    write(repository, "prompts/other.yaml", prompt(1, terse=False))
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "another prompt")
    report = blamed(llmctl)
    assert len(report["versions"]) == 9
    assert report["versions"][-1]["later_commits"] == 1


def test_only_so_many_commits_are_looked_at(llmctl: Invoke, repository: Path) -> None:
    report = blamed(llmctl, "--limit", "3")
    assert (len(report["versions"]), report["more_commits"]) == (3, True)
    assert states(report) == "???"


def test_unknown_cases_and_no_git_are_said(llmctl: Invoke, project: Path) -> None:
    result = llmctl("blame", "cart")
    assert result.code == 2
    assert 'There is no case "cart" in the banks here.' in result.err and 'Did you mean "card"?' in result.err
    result = llmctl("blame", "card")
    assert result.code == 2
    assert "is in no git repository" in " ".join(result.err.split())


def test_the_document_is_described(llmctl: Invoke, repository: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")
    document = json.loads(llmctl("blame", "card", "--bisect", "--json").out)
    assert sorted(key for key in keys(document) if f"`{key}`" not in page) == []
