"""What a side is called: prompt, run, label or revision; two meanings are an error with both."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.compare.side import SideKind
from llmctl.compare.sides.opening import open_sides
from llmctl.compare.sides.references import SideReference, resolve, resolve_pair
from llmctl.errors import UsageError
from llmctl.project.git import resolve_commit
from tests.cli.conftest import PROMPT, Invoke, write
from tests.cli.git import git
from tests.compare.sides.conftest import context


@pytest.fixture
def run_id(tracked: Path, llmctl: Invoke) -> str:
    """One run, labelled `nightly`."""
    assert llmctl("eval", "--label", "nightly").code == 0
    (journal,) = (tracked / ".llmctl/runs").glob("*.jsonl")
    return journal.stem


def test_each_kind_is_found_by_its_name(tracked: Path, run_id: str) -> None:
    look, commit = context(tracked), resolve_commit(tracked, "main")
    assert resolve(None, look) == SideReference("", SideKind.FILES)
    assert resolve("route", look) == SideReference("route", SideKind.PROMPT, prompt="route")
    assert resolve("prompts/route.yaml", look).prompt == "route"
    at_main = SideReference("route@main", SideKind.PROMPT, prompt="route", rev="main", commit=commit)
    assert resolve("route@main", look) == at_main
    assert resolve("main", look) == SideReference("main", SideKind.FILES, rev="main", commit=commit)
    for text in ("@last", run_id[:6], run_id, "nightly"):
        assert resolve(text, look) == SideReference(text, SideKind.RUN, run_id=run_id)


def test_a_prefix_decides_between_two_meanings(tracked: Path, run_id: str) -> None:
    write(tracked, "prompts/nightly.yaml", PROMPT)
    git(tracked, "branch", "nightly")
    git(tracked, "tag", "route")
    look = context(tracked)
    with pytest.raises(UsageError) as error:
        resolve("nightly", look)
    commit = resolve_commit(tracked, "nightly")[:7]
    assert error.value.message == (
        f'"nightly" means 3 things: the prompt nightly, the run {run_id} by its label, '
        f"the git revision nightly ({commit})."
    )
    assert "prompt:, run:, label: or rev:" in (error.value.hint or "")
    with pytest.raises(UsageError, match='"route" means 2 things: the prompt route, the git revision route'):
        resolve("route", look)
    assert resolve("prompt:nightly", look).prompt == "nightly"
    assert resolve("label:nightly", look).run_id == run_id
    assert resolve(f"run:{run_id[:8]}", look).run_id == run_id
    assert resolve("run:@last", look).run_id == run_id
    assert resolve("rev:nightly", look).rev == "nightly"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("rout", 'There is no prompt, run, label or git revision "rout".', 'Did you mean "route"?'),
        ("mian", 'There is no prompt, run, label or git revision "mian".', 'Did you mean "main"?'),
        ("nightyl", 'There is no prompt, run, label or git revision "nightyl".', 'Did you mean "nightly"?'),
        ("qqq", 'There is no prompt, run, label or git revision "qqq".', "`llmctl runs` lists runs"),
        ("route@mian", "There is no git revision mian.", 'Did you mean "main"?'),
        ("@last~7", "There is only 1 run.", ""),
        ("run:qqqqqq", 'There is no run "run:qqqqqq".', ""),
        ("rev:qqq", "There is no git revision qqq.", ""),
        ("prompt:rout", "There is no prompt `rout`.", "route"),
        ("prompt:", "names no prompt", ""),
        ("--upload-pack=x", 'There is no prompt, run, label or git revision "--upload-pack=x".', ""),
    ],
)
def test_what_is_not_there_is_one_sentence_with_the_nearest_name(
    tracked: Path, run_id: str, text: str, message: str, hint: str
) -> None:
    assert run_id
    with pytest.raises(UsageError) as error:
        resolve(text, context(tracked))
    assert message in error.value.message
    assert hint in (error.value.hint or "")


def test_a_new_prompt_is_not_at_the_revision(tracked: Path) -> None:
    write(tracked, "prompts/new.yaml", PROMPT)
    with pytest.raises(UsageError, match="There is no prompt `new`"):
        resolve("new@main", context(tracked))
    git(tracked, "rm", "-q", "prompts/route.yaml")
    assert resolve("route@main", context(tracked)).prompt == "route"


def test_the_defaults_of_a_pair(tracked: Path) -> None:
    look = context(tracked)
    a, b = resolve_pair(None, None, look)
    assert (a.rev, a.kind, b.rev, b.kind) == ("HEAD", SideKind.FILES, None, SideKind.FILES)
    a, b = resolve_pair("main", None, look)
    assert (a.rev, b.rev, b.kind) == ("main", None, SideKind.FILES)
    a, b = resolve_pair("route", None, look)
    assert (a.prompt, a.rev, b.prompt, b.rev) == ("route", "HEAD", "route", None)
    a, b = resolve_pair("route@main", None, look)
    assert (a.prompt, a.rev, b.prompt, b.rev) == ("route", "main", "route", None)
    a, b = resolve_pair("route", "main", look)
    assert (a.prompt, a.rev, b.prompt, b.rev) == ("route", None, None, "main")


def test_without_a_repository_the_default_names_another_way(project: Path) -> None:
    with pytest.raises(UsageError) as error:
        resolve_pair(None, None, context(project))
    assert "is in no git repository, so HEAD cannot be read" in error.value.message
    assert "llmctl diff @last~1 @last" in (error.value.hint or "")


def test_for_a_gate_a_revision_is_where_this_branch_left_it(tracked: Path) -> None:
    base = resolve_commit(tracked, "main")
    git(tracked, "checkout", "-q", "-b", "work")
    git(tracked, "commit", "-q", "--allow-empty", "-m", "work")
    git(tracked, "checkout", "-q", "main")
    git(tracked, "commit", "-q", "--allow-empty", "-m", "main goes on")
    git(tracked, "checkout", "-q", "work")
    look = context(tracked)
    reference = resolve("main", look, branched=True)
    assert (reference.rev, reference.commit, reference.branched_from) == (base[:12], base, "main")
    assert resolve("route@main", look, branched=True).branched_from is None
    with open_sides(look, reference) as (side,):
        assert side.title == f"the commit where this branch left main ({base[:7]})"
        assert (side.commit, side.labels) == (base, (f"route@{base[:12]}",))
