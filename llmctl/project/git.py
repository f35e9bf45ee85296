"""The project in git: what is checked out here, and its files as they were at any revision."""

from __future__ import annotations

import difflib
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, cast

from llmctl.errors import Place, Problem, ProjectError, UsageError
from llmctl.project.git_objects import GitObjects, TreeEntry, TreeEntryKind, run_git
from llmctl.project.sources import MAX_FILE_BYTES

__all__ = ["GitState", "GitTree", "git_state", "is_shallow", "merge_base", "resolve_commit", "revision_names"]

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_MAX_DEPTH = 64
_IN_MEMORY_BYTES = 1 << 20
"""A larger file of a commit is copied to a temporary one."""


@dataclass(frozen=True, slots=True)
class GitState:
    """What is checked out; None is unknown."""

    commit: str | None
    """None in a repository without a commit."""
    branch: str | None
    """None when the HEAD is detached."""
    dirty: bool | None
    """A tracked file differs from the commit, or an untracked one (not ignored) lies in the project."""


def git_state(root: Path, folders: Sequence[str] = (".",)) -> GitState | None:
    """What is checked out at `root`; None outside a repository, and without git.

    Args:
        root: the project's directory.
        folders: where, below `root`, an untracked file makes the project dirty.
    """
    try:
        status = run_git(root, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=no")
        if status.returncode != 0:
            return None
        lines = status.stdout.decode(errors="replace").split("\0")
        heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
        dirty: bool | None = any(line and not line.startswith("#") for line in lines)
        if not dirty and folders:
            dirty = _untracked(root, folders)
    except OSError:
        return None
    commit, branch = heads.get("branch.oid"), heads.get("branch.head")
    return GitState(
        commit=None if commit == "(initial)" else commit,
        branch=None if branch == "(detached)" else branch,
        dirty=dirty,
    )


def _untracked(root: Path, folders: Sequence[str]) -> bool | None:
    options = ("--others", "--exclude-standard", "--directory", "--no-empty-directory", "-z")
    listed = run_git(root, "--literal-pathspecs", "ls-files", *options, "--", *folders)
    return bool(listed.stdout) if listed.returncode == 0 else None


def resolve_commit(root: Path, rev: str) -> str:
    """The id of the commit that a revision means.

    Raises:
        UsageError: the revision does not exist, the project is in no repository, or git is not installed.
    """
    return _resolve(root, rev)[0]


def merge_base(root: Path, rev: str) -> str:
    """The commit where this branch left another one: the newest that `rev` and HEAD have in common.

    Raises:
        UsageError: one of the two does not exist, or they have none, which in a shallow clone only more history tells.
    """
    commit = resolve_commit(root, rev)
    found = run_git(root, "merge-base", commit, resolve_commit(root, "HEAD"))
    if found.returncode == 0:
        return found.stdout.decode().split()[0]
    if is_shallow(root):
        raise UsageError(
            f"This clone is too shallow to tell where this branch left {rev}.",
            hint="Fetch the whole history: `fetch-depth: 0` for actions/checkout in GitHub Actions, "
            '`GIT_DEPTH: "0"` in GitLab, or `git fetch --unshallow`.',
        )
    raise UsageError(f"{rev} and HEAD have no commit in common.", hint="Name a commit of this branch's own history.")


def revision_names(root: Path) -> list[str]:
    """The names of branches and tags; none outside a repository, and without git."""
    try:
        return _text(run_git(root, "for-each-ref", "--format=%(refname:short)").stdout).split()
    except OSError:
        return []


class GitTree:
    """A `Source` that reads the project's files from one commit, without a checkout. Close it, or use `with`."""

    def __init__(self, root: Path, rev: str) -> None:
        """Resolve the revision.

        Raises:
            UsageError: the revision does not exist, the project is in no repository, or git is not installed.
        """
        self.root = root.resolve()
        self.rev = rev
        self.commit, self._prefix = _resolve(self.root, rev)
        self._objects = GitObjects(self.root)

    def read(self, path: PurePosixPath, *, asked_at: Place | None = None) -> bytes:
        """The file's bytes as they are in the commit: line ends are not converted."""
        with self.open(path, asked_at=asked_at) as stream:
            return stream.read()

    def open(self, path: PurePosixPath, *, asked_at: Place | None = None) -> BinaryIO:
        """The file as it is in the commit. It is copied out of git first, which is asked one question at a time."""
        entry = self._file(path, asked_at)
        with ExitStack() as undo:
            copy = undo.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))
            if not self._objects.copy_blob(entry.id, copy, MAX_FILE_BYTES):
                raise _refused(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MB", asked_at, "Split it.")
            copy.seek(0)
            if copy.read(len(_LFS_POINTER)) == _LFS_POINTER:
                message = f"{path} is kept in Git LFS at {self.rev}, so its text is not in git"
                raise _refused(message, asked_at, "Keep the project's files in git itself.")
            copy.seek(0)
            undo.pop_all()
        return cast(BinaryIO, copy)

    def _file(self, path: PurePosixPath, asked_at: Place | None) -> TreeEntry:
        parts = _inside(path)
        if parts is None:
            raise _refused(f"{path} lies outside the project", asked_at, "Move the file below the project's directory.")
        entry = self._find(parts, path, asked_at)
        if entry is None:
            raise _refused(f"There is no file {path} at {self.rev}", asked_at, None)
        if entry.kind is not TreeEntryKind.FILE:
            raise _refused(f"{path} is not a regular file at {self.rev}", asked_at, None)
        return entry

    def list(self, folder: PurePosixPath, suffix: str) -> list[PurePosixPath]:
        """Files below `folder`; a symbolic link is listed too, so that it is refused with a sentence when read."""
        parts = _inside(folder)
        entry = None if parts is None else self._find(parts, folder, None)
        if parts is None or entry is None or entry.kind is not TreeEntryKind.FOLDER:
            return []
        return sorted(path for path in self._walk(PurePosixPath(*parts), entry, 0) if path.name.endswith(suffix))

    def close(self) -> None:
        """End the git process."""
        self._objects.close()

    def __enter__(self) -> GitTree:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _find(self, parts: Sequence[str], path: PurePosixPath, asked_at: Place | None) -> TreeEntry | None:
        entry = TreeEntry(TreeEntryKind.FOLDER, f"{self.commit}^{{tree}}")
        for name in (*self._prefix, *parts):
            if entry.kind is not TreeEntryKind.FOLDER:
                return None
            found = self._objects.tree(entry.id).get(name)
            if found is None:
                return None
            if found.kind in (TreeEntryKind.LINK, TreeEntryKind.SUBMODULE):
                inside = "" if name == path.name else f" ({name})"
                message = f"{path} is a {found.kind} at {self.rev}{inside}"
                raise _refused(message, asked_at, "Put the file itself into the project.")
            entry = found
        return entry

    def _walk(self, folder: PurePosixPath, tree: TreeEntry, depth: int) -> Iterator[PurePosixPath]:
        for name, entry in self._objects.tree(tree.id).items():
            if name.startswith(".") or depth > _MAX_DEPTH:
                continue
            if entry.kind is TreeEntryKind.FOLDER:
                yield from self._walk(folder / name, entry, depth + 1)
            elif entry.kind is not TreeEntryKind.SUBMODULE:
                yield folder / name


def _inside(path: PurePosixPath) -> Sequence[str] | None:
    """The path's names with `..` resolved; None where it leaves the project."""
    names: list[str] = []
    for part in path.parts:
        if part == "..":
            if not names:
                return None
            names.pop()
        else:
            names.append(part)
    return None if path.is_absolute() or "\0" in str(path) else names


def _resolve(root: Path, rev: str) -> tuple[str, tuple[str, ...]]:
    """The commit's id, and the names that lead from the repository's top to the project."""
    if not rev or rev.startswith("-") or "\0" in rev:
        raise UsageError(f"{rev!r} is no git revision.", hint="Name a branch, a tag or a commit.")
    try:
        found = run_git(root, "rev-parse", "--show-prefix", "--verify", "--end-of-options", f"{rev}^{{commit}}")
    except FileNotFoundError:
        raise UsageError(f"git is not installed, so {rev} cannot be read.", hint="Install git.") from None
    if found.returncode != 0:
        raise _unknown(root, rev, found)
    prefix, _, commit = found.stdout.removesuffix(b"\n").rpartition(b"\n")
    return commit.decode(), PurePosixPath(_text(prefix)).parts


def _unknown(root: Path, rev: str, failed: subprocess.CompletedProcess[bytes]) -> UsageError:
    said = failed.stderr.decode(errors="replace").strip()
    if "not a git repository" in said:
        return UsageError(f"{root} is in no git repository, so {rev} cannot be read.")
    if "single revision" not in said and "ambiguous" not in said and "bad revision" not in said:
        reason = said.removeprefix("fatal: ").partition("\n")[0] or "it gives no reason"
        return UsageError(f"git cannot read {rev}: {reason}.")
    return UsageError(f"There is no git revision {rev}.", hint=_way_out(root, rev))


def _way_out(root: Path, rev: str) -> str:
    names = revision_names(root)
    ends = [name for name in names if name.endswith(f"/{rev}")]
    near = ends or difflib.get_close_matches(rev, names, n=1)
    if near:
        return f'Did you mean "{near[0]}"?'
    if is_shallow(root):
        return "This clone is shallow: fetch the whole history (in GitHub Actions `fetch-depth: 0`)."
    return "`git branch --all` and `git tag` list what there is."


def is_shallow(root: Path) -> bool:
    """Whether the clone lacks older commits; False outside a repository, and without git."""
    try:
        return run_git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
    except OSError:
        return False


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _refused(message: str, place: Place | None, hint: str | None) -> ProjectError:
    return ProjectError([Problem(f"{message}.", place, hint)])
