"""The versions of the project's prompts: as they lie here, and as the last commits that touched them had them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from llmctl.errors import Problem, ProjectError, UsageError
from llmctl.project import loader
from llmctl.project.git import GitTree, resolve_commit
from llmctl.project.git_objects import run_git
from llmctl.project.models import Config, Prompt
from llmctl.project.names import SUFFIXES, folder_of
from llmctl.project.sources import WorkingTree
from llmctl.traffic.replay.variables.forms import NotInvertible
from llmctl.traffic.replay.variables.shape import Shape, shape_of

__all__ = ["MAX_COMMITS", "PromptVersions", "Version"]

MAX_COMMITS = 20
"""How many commits of a prompt's file are looked at."""
_MAX_ASKED = 200
"""Names and versions that logs hold and git is asked about: a log may name as many as it likes."""
_SHORTEST_ID = 7
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_NAME = re.compile(r"[^\0-\x1f\\:*?\[\]]{1,200}")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a prompt."""

    prompt: Prompt
    shape: Shape | None
    """None: it cannot be inverted."""
    reason: str | None = None
    """Why not."""

    @property
    def label(self) -> str:
        """`triage`, or `triage@1f2e3d4`."""
        return self.prompt.label


class PromptVersions:
    """Reads each version once, when it is first asked for."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._tree = WorkingTree(config.root)
        self._of: dict[tuple[str, str], tuple[Version, ...]] = {}
        self._at: dict[tuple[str, str], Version | None] = {}
        self._commits: dict[str, str | None] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The prompts that lie here."""
        return tuple(loader.prompt_names(self._config, self._tree))

    def named(self, logged: str) -> str | None:
        """The prompt that a log means by a name: the name itself, its path, or the one prompt that ends with it."""
        folder = f"{folder_of(self._config, self._config.prompts)}/"
        name = logged.strip().removeprefix("./").removeprefix(folder)
        for suffix in SUFFIXES:
            name = name.removesuffix(suffix)
        if name in self.names:
            return name
        ends = [one for one in self.names if one.endswith(f"/{name}")]
        if len(ends) == 1:
            return ends[0]
        return name if self._in_history(name) else None

    def of(self, name: str, rev: str = "HEAD") -> tuple[Version, ...]:
        """All that are known, the newest first: those that lie here, then those of the last commits, each once."""
        if (name, rev) not in self._of:
            self._of[name, rev] = tuple(self._distinct(name, rev))
        return self._of[name, rev]

    def logged(self, name: str, version: str | None) -> tuple[Version, ...]:
        """Those that a call can have been made with: the one that the log names, else all that are known.

        A commit, a tag or the beginning of a digest names one; a branch moves, so its last commits are all meant.
        """
        if version is None:
            return self.of(name)
        by_digest = [one for one in self.of(name) if _is_digest(version, one.prompt.digest)]
        if by_digest:
            return tuple(by_digest[:1])
        if version in self._branches:
            return self.of(name, version)
        commit = self._commit(version)
        at = self._version_at(name, commit) if commit else None
        return (at,) if at else self.of(name)

    def _distinct(self, name: str, rev: str) -> Iterator[Version]:
        seen: set[str] = set()
        for version in self._all(name, rev):
            if version is not None and version.prompt.digest not in seen:
                seen.add(version.prompt.digest)
                yield version

    def _all(self, name: str, rev: str) -> Iterator[Version | None]:
        if name in self.names:
            yield _version(loader.read_prompt(self._config, self._tree, name, []))
        for commit in self._touching(name, rev):
            yield self._version_at(name, commit)

    def _in_history(self, name: str) -> bool:
        """Whether a prompt that does not lie here once did; asked about few names, and only about names."""
        if len(self._of) > _MAX_ASKED or not _NAME.fullmatch(name) or ".." in name or name.startswith(("/", "-")):
            return False
        return bool(self.of(name))

    def _touching(self, name: str, rev: str) -> list[str]:
        """The last commits that touched a prompt's file, the newest first; none outside a repository."""
        folder = folder_of(self._config, self._config.prompts)
        files = [str(folder / f"{name}{suffix}") for suffix in SUFFIXES]
        options = ("log", f"--max-count={MAX_COMMITS}", "--format=%H", "--end-of-options", rev, "--")
        try:
            found = run_git(self._config.root, "--literal-pathspecs", *options, *files)
        except FileNotFoundError:  # no git here
            return []
        return found.stdout.decode().split() if found.returncode == 0 else []

    def _version_at(self, name: str, commit: str) -> Version | None:
        if (name, commit) not in self._at:
            self._at[name, commit] = self._read_at(name, commit)
        return self._at[name, commit]

    def _read_at(self, name: str, commit: str) -> Version | None:
        problems: list[Problem] = []
        try:
            with GitTree(self._config.root, commit) as tree:
                prompt = loader.read_prompt(self._config, tree, name, problems)
        except (ProjectError, UsageError):  # it is not in that commit, or not as a file: no version of it
            return None
        return _version(prompt and dataclasses.replace(prompt, rev=commit[:_SHORTEST_ID], commit=commit))

    @cached_property
    def _branches(self) -> frozenset[str]:
        return frozenset(self._references("refs/heads", "refs/remotes"))

    @cached_property
    def _tags(self) -> frozenset[str]:
        return frozenset(self._references("refs/tags"))

    def _references(self, *below: str) -> list[str]:
        try:
            return (
                run_git(self._config.root, "for-each-ref", "--format=%(refname:short)", *below)
                .stdout.decode("utf-8", "surrogateescape")
                .split()
            )
        except FileNotFoundError:
            return []

    def _commit(self, version: str) -> str | None:
        """The commit that a logged version names by its id or by a tag."""
        if version not in self._tags and not _COMMIT.fullmatch(version):
            return None
        if version not in self._commits and len(self._commits) < _MAX_ASKED:
            try:
                found = resolve_commit(self._config.root, version)
            except UsageError:  # of another repository, or not fetched
                found = None
            self._commits[version] = found
        return self._commits.get(version)


def _is_digest(version: str, digest: str) -> bool:
    return len(version) >= _SHORTEST_ID and digest.startswith(version.removeprefix("sha256:"))


def _version(prompt: Prompt | None) -> Version | None:
    if prompt is None:
        return None
    try:
        return Version(prompt, shape_of(prompt))
    except NotInvertible as reason:
        return Version(prompt, None, f"the prompt {prompt.label} {reason}")
