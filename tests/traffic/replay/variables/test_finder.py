"""The variables of a logged call: recorded, inverted at the right version of the prompt, or mapped."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmctl.errors import UsageError
from llmctl.project.loader import load_config
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.replay.variables import Kind, Origin, Recovered, VariableFinder
from llmctl.traffic.replay.variables.versions import MAX_COMMITS, PromptVersions

ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}
FIRST = "You route support tickets.\n\nTicket: {{ ticket }}"
SECOND = "You route tickets of {{ brand }} to a queue.\n\nTicket: {{ ticket }}"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose prompt `triage` has an older version in git."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    root = tmp_path / "project"
    (root / "prompts").mkdir(parents=True)
    (root / "llmctl.toml").write_text("")
    git(root, "init", "-q", "-b", "main")
    write(root, "triage", FIRST)
    commit(root, "first")
    write(root, "triage", SECOND)
    commit(root, "second")
    return root


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True)
    return done.stdout.decode().strip()


def commit(root: Path, message: str) -> str:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", message)
    return git(root, "rev-parse", "HEAD")


def write(root: Path, name: str, template: str) -> None:
    path = root / "prompts" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"      {line}\n" if line else "\n" for line in template.split("\n"))
    path.write_text(f"messages:\n  - role: user\n    content: |-\n{lines}")


def call(text: str | None, name: str | None = "triage", version: str | None = None, **more: Any) -> LoggedCall:
    messages = None if text is None else ({"role": "user", "content": text},)
    return LoggedCall("test", messages=messages, prompt_name=name, prompt_version=version, **more)


def find(root: Path, logged: LoggedCall, maps: Mapping[str, str] | None = None) -> Recovered:
    return VariableFinder(load_config(root / "llmctl.toml", {}), {}, maps or {}).find(logged)


def first(ticket: str) -> str:
    return FIRST.replace("{{ ticket }}", ticket)


def second(ticket: str) -> str:
    return SECOND.replace("{{ ticket }}", ticket).replace("{{ brand }}", "Acme")


def test_recorded_variables_are_taken_as_they_are(root: Path) -> None:
    found = find(root, call("not what the prompt makes", variables={"ticket": 5}))
    assert found == Recovered({"ticket": 5}, Origin.RECORDED, None, Kind.FOUND)


def test_the_prompt_that_lies_here(root: Path) -> None:
    found = find(root, call(second("lost")))
    assert found == Recovered({"brand": "Acme", "ticket": "lost"}, Origin.INVERTED, None, Kind.FOUND, "triage")


def test_an_older_version_is_found_in_git(root: Path) -> None:
    found = find(root, call(first("lost")))
    assert (found.variables, found.origin) == ({"ticket": "lost"}, Origin.INVERTED)
    assert found.prompt == f"triage@{git(root, 'rev-parse', '--short=7', 'HEAD~1')}"


def test_the_version_that_the_log_names_is_the_only_one_that_counts(root: Path) -> None:
    older = git(root, "rev-parse", "HEAD~1")
    git(root, "tag", "release-1", older)
    for version in (older, older[:7], "release-1"):
        assert find(root, call(first("lost"), version=version)).variables == {"ticket": "lost"}
        refused = find(root, call(second("lost"), version=version))
        assert (refused.kind, refused.variables) == (Kind.NO_MATCH, None)
        assert refused.reason == f"the prompt triage@{older[:7]} does not make its messages"


def test_a_digest_names_a_version(root: Path) -> None:
    older = PromptVersions(load_config(root / "llmctl.toml", {})).of("triage")[1].prompt
    assert find(root, call(first("lost"), version=older.digest[:12])).variables == {"ticket": "lost"}
    assert find(root, call(second("lost"), version=f"sha256:{older.digest}")).kind is Kind.NO_MATCH


@pytest.mark.parametrize("version", ["3", "production", "main", "deadbeef", "--all", "HEAD^{/x}", "\0", "../x"])
def test_a_version_that_names_no_commit_leaves_all_of_them(root: Path, version: str) -> None:
    assert find(root, call(first("lost"), version=version)).variables == {"ticket": "lost"}
    assert find(root, call(second("lost"), version=version)).variables == {"brand": "Acme", "ticket": "lost"}


def test_a_branch_means_its_own_history(root: Path) -> None:
    git(root, "checkout", "-q", "-b", "try", "HEAD~1")
    write(root, "triage", "Tell me the queue of this ticket: {{ text }}")
    commit(root, "try")
    git(root, "checkout", "-q", "main")
    tried = call("Tell me the queue of this ticket: lost", version="try")
    assert find(root, tried).variables == {"text": "lost"}
    assert find(root, call("Tell me the queue of this ticket: lost")).kind is Kind.NO_MATCH


def test_without_git_the_files_are_all_there_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert find(root, call(second("lost"), version="abcdef0")).variables == {"brand": "Acme", "ticket": "lost"}
    assert find(root, call(first("lost"))).reason == "the prompt triage does not make its messages"


@pytest.mark.parametrize("name", ["triage.yaml", "prompts/triage.yaml", "./prompts/triage.yml"])
def test_a_prompt_named_by_its_path(root: Path, name: str) -> None:
    assert find(root, call(second("lost"), name)).variables == {"brand": "Acme", "ticket": "lost"}


def test_a_prompt_named_by_its_last_part(root: Path) -> None:
    write(root, "support/reply", "Please answer this customer: {{ text }}")
    assert find(root, call("Please answer this customer: hi", "reply")).variables == {"text": "hi"}


def test_a_prompt_that_was_deleted_since(root: Path) -> None:
    (root / "prompts" / "triage.yaml").unlink()
    commit(root, "gone")
    assert find(root, call(first("lost"))).variables == {"ticket": "lost"}


@pytest.mark.parametrize("name", ["gone", "../secrets", "-x", "/etc/passwd", "a\nb", "x" * 5_000, ":(glob)**"])
def test_a_name_that_is_no_prompt(root: Path, name: str) -> None:
    assert find(root, call("anything", name)).kind is Kind.UNKNOWN_PROMPT
    assert find(root, call(second("lost"), name)).variables == {"brand": "Acme", "ticket": "lost"}


def test_a_call_that_names_no_prompt_is_recognised(root: Path) -> None:
    assert find(root, call(first("lost"), None)).variables == {"ticket": "lost"}
    assert find(root, call("anything else", None)).kind is Kind.NO_PROMPT


def test_a_prompt_without_words_of_its_own_recognises_nothing(root: Path) -> None:
    write(root, "plain", "{{ question }}")
    assert find(root, call("anything else", None)).kind is Kind.NO_PROMPT
    assert find(root, call("anything else", "plain")).variables == {"question": "anything else"}


def test_two_prompts_that_make_the_same_messages(root: Path) -> None:
    write(root, "twin", SECOND)
    found = find(root, call(second("lost"), None))
    assert (found.kind, found.reason) == (Kind.AMBIGUOUS, "more than one prompt makes its messages: triage, twin")


def test_a_sentence_that_was_taken_away_is_not_taken_for_the_users(root: Path) -> None:
    write(root, "asked", "Question: {{ question }}\nAnswer in one word.")
    commit(root, "one word")
    write(root, "asked", "Question: {{ question }}")
    # The prompt that lies here makes these messages too, with the old prompt's sentence as part of the question.
    found = find(root, call("Question: Why?\nAnswer in one word.", "asked"))
    assert found.variables == {"question": "Why?"}


def test_versions_that_differ_by_too_little_are_ambiguous(root: Path) -> None:
    write(root, "asked", "Question: {{ question }}")
    commit(root, "asked")
    write(root, "asked", "Question: {{ question }}!")
    found = find(root, call("Question: Why not!", "asked"))
    assert found.kind is Kind.AMBIGUOUS
    assert found.reason is not None
    assert found.reason.endswith("both make its messages, of other values")
    assert find(root, call("Question: Why not?", "asked")).variables == {"question": "Why not?"}


def test_a_renamed_variable_has_its_new_name(root: Path) -> None:
    write(root, "triage", SECOND.replace("ticket }}", "text }}"))
    assert find(root, call(second("lost"))).variables == {"brand": "Acme", "text": "lost"}


def test_variables_that_changed_places_are_ambiguous(root: Path) -> None:
    write(root, "triage", "You route tickets of {{ ticket }} to a queue.\n\nTicket: {{ brand }}")
    assert find(root, call(second("lost"))).kind is Kind.AMBIGUOUS


def test_an_ambiguous_reading_is_said_with_its_variables(root: Path) -> None:
    write(root, "letter", "A letter of {{ name }} from {{ city }}")
    found = find(root, call("A letter of Ann from Rome from Rome", "letter"))
    assert found == Recovered(
        None, None, "by letter its messages leave more than one value for `name`, `city`", Kind.AMBIGUOUS
    )


def test_a_template_that_cannot_be_inverted(root: Path) -> None:
    write(root, "listed", "{% for one in all %}{{ one }}{% endfor %}")
    found = find(root, call("x", "listed"))
    assert (found.kind, found.reason) == (Kind.NOT_INVERTIBLE, "the prompt listed has a `{% for %}`")


def test_no_messages(root: Path) -> None:
    assert find(root, call(None)).kind is Kind.NO_MESSAGES


def test_a_map_wins_for_the_names_it_gives(root: Path) -> None:
    logged = call(second("lost"), metadata={"brand": "Bolt", "n": 5})
    found = find(root, logged, {"brand": "metadata.brand", "number": "metadata.n"})
    assert (found.variables, found.origin) == ({"brand": "Bolt", "ticket": "lost", "number": 5}, Origin.MAPPED)
    recorded = call(second("lost"), metadata={"brand": "Bolt"}, variables={"brand": "Acme", "x": 1})
    assert find(root, recorded, {"brand": "metadata.brand"}).variables == {"brand": "Bolt", "x": 1}


def test_a_map_alone_is_enough(root: Path) -> None:
    found = find(root, call("anything else", None), {"question": "messages[-1].content"})
    assert (found.variables, found.origin) == ({"question": "anything else"}, Origin.MAPPED)


def test_a_map_may_leave_one_way_to_read_the_rest(root: Path) -> None:
    write(root, "letter", "A letter of {{ name }} from {{ city }}")
    logged = call("A letter of Ann from Rome from Rome", "letter", user="Rome")
    assert find(root, logged, {"city": "user"}).variables == {"name": "Ann from Rome", "city": "Rome"}


def test_what_a_map_names_and_the_call_lacks(root: Path) -> None:
    found = find(root, call(second("lost")), {"brand": "metadata.brand"})
    assert (found.kind, found.variables) == (Kind.NOT_MAPPED, None)
    assert found.reason == "what --map names is not in it: brand"


def test_a_path_that_cannot_be_read_is_a_usage_error(root: Path) -> None:
    with pytest.raises(UsageError, match=r"--map brand: the path metadata\.\. cannot be read"):
        find(root, call("x"), {"brand": "metadata.."})


def test_a_hostile_log_does_not_keep_git_busy(root: Path) -> None:
    finder = VariableFinder(load_config(root / "llmctl.toml", {}), {}, {})
    versions = finder._versions
    for number in range(300):
        finder.find(call("x", f"unknown{number}", f"{number:040x}"))
        finder.find(call("x", version=f"{number:040x}"))
    assert len(versions._of) <= 202
    assert len(versions._commits) == 200


def test_only_the_last_commits_are_looked_at(root: Path) -> None:
    for number in range(MAX_COMMITS):
        write(root, "triage", f"Version {number} of this prompt: {{{{ ticket }}}}")
        commit(root, str(number))
    assert find(root, call("Version 0 of this prompt: lost")).variables == {"ticket": "lost"}
    assert find(root, call(second("lost"))).kind is Kind.NO_MATCH
