"""Real git, without the user's configuration."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

__all__ = ["commit_all", "git"]

_AUTHOR = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


def git(root: Path, *arguments: str) -> None:
    """Run git in a folder."""
    subprocess.run(["git", *arguments], cwd=root, env={**os.environ, **_AUTHOR}, check=True)


def commit_all(root: Path) -> None:
    """Make the folder a repository with one commit on `main`."""
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
