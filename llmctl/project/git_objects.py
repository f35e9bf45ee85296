"""Asks git: single commands, and one long-lived process that hands out objects by their id."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, NamedTuple

from llmctl.errors import UsageError

__all__ = ["GitObjects", "TreeEntry", "TreeEntryKind", "run_git"]

# In a hook these name the repository of the hook's own command, relative to a directory that is not ours.
_INHERITED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_NAMESPACE")
_SETTINGS = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat"}
# In a partial clone git would fetch what is missing, from wherever the repository says.
_SETTINGS |= {"GIT_NO_LAZY_FETCH": "1"}
# A repository's own settings may name a program to be run at every `git status`.
_COMMAND = ("git", "-c", "core.fsmonitor=false", "-C")
_CHUNK_BYTES = 1 << 20


def run_git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run one git command in a directory and wait for it.

    Raises:
        FileNotFoundError: git is not installed, or the directory does not exist.
    """
    return subprocess.run(
        [*_COMMAND, str(root), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=_environment(),
        check=False,
    )


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _INHERITED}
    return kept | _SETTINGS


class TreeEntryKind(StrEnum):
    """What a name in a directory of a commit stands for."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "symbolic link"
    SUBMODULE = "submodule"


_KINDS = {b"40000": TreeEntryKind.FOLDER, b"120000": TreeEntryKind.LINK, b"160000": TreeEntryKind.SUBMODULE}


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One name in a directory of a commit."""

    kind: TreeEntryKind
    id: str


class _Answer(NamedTuple):
    content: IO[bytes]
    size: int


class GitObjects:
    """`git cat-file --batch`: one process for any number of objects. Safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        self._lock = threading.Lock()
        self._trees: dict[str, dict[str, TreeEntry]] = {}
        self._id_bytes = 20  # 32 in a repository with SHA-256, as its first answer shows
        self._process = subprocess.Popen(
            [*_COMMAND, str(root), "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )

    def tree(self, name: str) -> dict[str, TreeEntry]:
        """The entries of a directory, by name; kept, since every file below it asks again."""
        known = self._trees.get(name)
        if known is None:
            content = self._content(name)
            known = self._trees[name] = _parse_tree(content, self._id_bytes)
        return known

    def copy_blob(self, entry_id: str, target: IO[bytes], limit_bytes: int) -> bool:
        """Write a file's content to `target`, piece by piece; False where it is larger than the limit."""
        with self._lock:
            answers, size = self._ask(entry_id)
            if size > limit_bytes:
                _skip(answers, size + 1)
                return False
            try:
                for left in range(size, 0, -_CHUNK_BYTES):
                    target.write(_exactly(answers, min(left, _CHUNK_BYTES), entry_id))
            except BaseException:
                self._process.kill()  # what was not read would be taken for the next answer
                raise
            answers.read(1)
            return True

    def close(self) -> None:
        """End the process."""
        with self._lock:
            # After its input ends it ends by itself, unless it is stuck in writing an answer nobody read.
            self._process.kill()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # a question that the process did not live to read
                        pipe.close()
            self._process.wait()

    def _content(self, name: str) -> bytes:
        with self._lock:
            answers, size = self._ask(name)
            content = _exactly(answers, size, name)
            answers.read(1)
            return content

    def _ask(self, name: str) -> _Answer:
        """Ask for an object; its content, of `size` bytes and a line end, is to be read next."""
        questions, answers = self._process.stdin, self._process.stdout
        if questions is None or answers is None or questions.closed:
            raise UsageError("The git revision is already closed.")
        try:
            questions.write(name.encode() + b"\n")
            questions.flush()
        except OSError:
            raise UsageError("git ended before it could be asked.", hint="Run `git fsck`.") from None
        header = answers.readline().split()
        if len(header) != 3:
            raise UsageError(f"git cannot read the object {name}.", hint="Run `git fsck`, or fetch it again.")
        self._id_bytes = len(header[0]) // 2
        return _Answer(answers, int(header[2]))


def _exactly(stream: IO[bytes], count: int, name: str) -> bytes:
    content = stream.read(count)
    if len(content) != count:
        raise UsageError(f"git ended while it read the object {name}.", hint="Run `git fsck`.")
    return content


def _skip(stream: IO[bytes], count: int) -> None:
    while count > 0 and (chunk := stream.read(min(count, _CHUNK_BYTES))):
        count -= len(chunk)


def _parse_tree(content: bytes, id_bytes: int) -> dict[str, TreeEntry]:
    """A tree object is a row of `mode name NUL id`, the id in binary (20 bytes, or 32 with SHA-256)."""
    entries = {}
    position = 0
    while position < len(content):
        space = content.index(b" ", position)
        end = content.index(b"\0", space)
        kind = _KINDS.get(content[position:space].lstrip(b"0"), TreeEntryKind.FILE)
        entry_id = content[end + 1 : end + 1 + id_bytes].hex()
        entries[os.fsdecode(content[space + 1 : end])] = TreeEntry(kind, entry_id)
        position = end + 1 + id_bytes
    return entries
