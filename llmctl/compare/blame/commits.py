"""The commits that may have changed what a prompt asks, and what git says of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from llmctl.errors import Problem, UsageError
from llmctl.project import loader
from llmctl.project.git import GitTree, resolve_commit
from llmctl.project.git_objects import run_git
from llmctl.project.models import Config

__all__ = ["Commit", "banks_changed", "changes_between", "commits_of_banks", "commits_of_prompts", "readable"]

_PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv")
"""A repository's own settings may name programs to be run."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of this branch."""

    id: str
    committed_at: datetime
    """UTC."""
    subject: str


def commits_of_prompts(config: Config, most: int) -> list[Commit]:
    """Those that touched prompts or models, the newest first; one more than `most` where there are more.

    Along the first parents: what was merged counts with the merge, so that each commit follows the one before it.

    Raises:
        UsageError: the project is in no git repository, or nothing is committed.
    """
    resolve_commit(config.root, "HEAD")
    return list(_log(config, most + 1, "HEAD", _prompt_paths(config)))


def commits_of_banks(config: Config, since: str | None) -> list[Commit]:
    """Those that touched the test banks since a commit, the newest first; none where it is not known here."""
    if since is None:
        return []
    try:
        resolve_commit(config.root, since)
    except UsageError:
        return []
    return list(_log(config, 20, f"{since}..HEAD", [str(config.testbanks.relative_to(config.root))]))


def changes_between(config: Config, before: str, after: str | None, prompt: str, *, most: int = 16_000) -> str:
    """`git diff` of a prompt's file and the models; where neither changed, of all prompts. `after`: None: the files."""
    commits = [before, after] if after else [before]
    own = [str(file) for file in _files_of(config, prompt)] + [config.path.name]
    for paths in (own, _prompt_paths(config)):
        found = run_git(config.root, "--literal-pathspecs", "diff", *_PLAIN, *commits, "--", *paths)
        text = found.stdout.decode(errors="replace")
        if text:
            return text if len(text) <= most else f"{text[:most]}\n... {len(text) - most:,} more characters\n"
    return ""


def banks_changed(config: Config) -> bool:
    """Whether the test banks that lie here are not those of HEAD."""
    folder = str(config.testbanks.relative_to(config.root))
    found = run_git(config.root, "--literal-pathspecs", "status", "--porcelain", "--", folder)
    return bool(found.stdout)


def readable(config: Config, commit: str, prompt: str) -> bool:
    """Whether a commit has the prompt, in a form that today's llmctl reads."""
    problems: list[Problem] = []
    with GitTree(config.root, commit) as tree:
        if prompt not in loader.prompt_names(config, tree):
            return False
        return loader.read_prompt(config, tree, prompt, problems) is not None


def _files_of(config: Config, prompt: str) -> list[str]:
    folder = str(config.prompts.relative_to(config.root))
    return [f"{folder}/{prompt}{ending}" for ending in (".yaml", ".yml")]


def _prompt_paths(config: Config) -> list[str]:
    return [str(config.prompts.relative_to(config.root)), config.path.name]


def _log(config: Config, most: int, revisions: str, paths: Sequence[str]) -> Iterator[Commit]:
    found = run_git(
        config.root, "--literal-pathspecs", "log", "--first-parent", f"--max-count={most}", "-z",
        "--format=%H%x09%ct%x09%s", revisions, "--", *paths,
    )  # fmt: skip
    for line in filter(None, found.stdout.decode(errors="replace").split("\0")):
        commit, seconds, subject = line.strip("\n").split("\t", 2)
        yield Commit(commit, datetime.fromtimestamp(int(seconds), UTC), subject)
