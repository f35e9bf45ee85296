"""Where a branch left another one: real repositories, whole and shallow."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.errors import UsageError
from llmctl.project.git import merge_base, resolve_commit
from tests.cli.git import commit_all, git


def commit(root: Path, text: str) -> str:
    (root / "file").write_text(text, encoding="utf-8")
    git(root, "add", ".")
    git(root, "commit", "-qm", text)
    return resolve_commit(root, "HEAD")


@pytest.fixture
def forked(tmp_path: Path) -> tuple[Path, str]:
    """`main` and `work`, each with three commits of its own, and the commit that they have in common."""
    root = tmp_path / "repo"
    root.mkdir()
    (root / "file").write_text("first", encoding="utf-8")
    commit_all(root)
    base = resolve_commit(root, "main")
    for number in range(3):
        commit(root, f"main {number}")
    git(root, "checkout", "-q", "-b", "work", base)
    for number in range(3):
        commit(root, f"work {number}")
    return root, base


def test_the_commit_where_a_branch_left_another(forked: tuple[Path, str]) -> None:
    root, base = forked
    assert merge_base(root, "main") == base
    assert merge_base(root, "HEAD") == resolve_commit(root, "work")


def test_a_clone_that_is_too_shallow_says_what_to_add(forked: tuple[Path, str], tmp_path: Path) -> None:
    root, base = forked
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth=1", "--no-single-branch", root.as_uri(), str(clone))
    with pytest.raises(UsageError) as error:
        merge_base(clone, "origin/main")
    assert error.value.message == "This clone is too shallow to tell where this branch left origin/main."
    assert "fetch-depth: 0" in (error.value.hint or "")
    assert "git fetch --unshallow" in (error.value.hint or "")
    git(clone, "fetch", "-q", "--unshallow")
    assert merge_base(clone, "origin/main") == base


def test_histories_with_nothing_in_common(forked: tuple[Path, str]) -> None:
    root, _ = forked
    git(root, "checkout", "-q", "--orphan", "alone")
    git(root, "commit", "-qm", "alone")
    with pytest.raises(UsageError, match="main and HEAD have no commit in common"):
        merge_base(root, "main")
    with pytest.raises(UsageError, match="There is no git revision nothing"):
        merge_base(root, "nothing")
