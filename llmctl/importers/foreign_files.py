"""Files that another tool's config names: read only from the folder of the config and below it."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from llmctl.errors import Place, Problem, ProjectError
from llmctl.importers.foreign_yaml import foreign_document
from llmctl.project.sources import WorkingTree
from llmctl.project.syntax.document import Document, decode

__all__ = ["SCHEME", "ForeignFiles"]

SCHEME = "file://"
_MAGIC = re.compile(r"[*?\[{]")
_MAX_MATCHES = 2_000
_MAX_BYTES = 20 * 2**20
"""Of a text or a YAML file; tables are read row by row and may be larger."""
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(slots=True)
class ForeignFiles:
    """Finds and reads the files that a config names."""

    root: Path
    """The folder of the config: nothing outside of it is read."""
    read_paths: list[PurePosixPath] = field(default_factory=list)
    """What was read, for the report."""
    tree: WorkingTree = field(init=False)

    def __post_init__(self) -> None:
        self.tree = WorkingTree(self.root)

    def path(self, named: str, at: Place | None) -> PurePosixPath:
        r"""The path below the root of a file as a config names it: `file://a.txt`, `sub\b.txt`, `C:\evals\c.txt`.

        Raises:
            ProjectError: it lies outside the root.
        """
        text = named.removeprefix(SCHEME)
        slashed = text.replace("\\", "/")
        if slashed.startswith("/") or _DRIVE.match(text):
            slashed = self._below_root(text, slashed, at)
        path = PurePosixPath(posixpath.normpath(slashed))
        if "\0" in text or path.is_absolute() or path.parts[:1] == ("..",) or PureWindowsPath(text).drive:
            raise _refused(f"`{text}` lies outside the folder of the config", at)
        return path

    def matches(self, named: str, at: Place | None) -> list[PurePosixPath]:
        """The files of a pattern, sorted; the file itself where there is no pattern in the name.

        Raises:
            ProjectError: it lies outside the root, or too many files match.
        """
        path = self.path(named, at)
        if not is_pattern(str(path)) or (self.tree.root / path).is_file():
            return [path]
        found: set[PurePosixPath] = set()
        for pattern in _without_braces(str(path)):
            for match in self.tree.root.glob(pattern):
                if match.is_file():
                    found.add(PurePosixPath(match.relative_to(self.tree.root).as_posix()))
                if len(found) > _MAX_MATCHES:
                    raise _refused(f"`{path}` matches more than {_MAX_MATCHES:,} files", at)
        return sorted(found)

    def data(self, path: PurePosixPath, at: Place | None) -> bytes:
        """The bytes of a file.

        Raises:
            ProjectError: it is missing, leads outside through a link, is no regular file or is too large.
        """
        with self.tree.open(path, asked_at=at) as stream:
            try:
                data = stream.read(_MAX_BYTES + 1)
            except OSError as error:
                raise _refused(f"{path} cannot be read: {error.strerror}", at) from None
        if len(data) > _MAX_BYTES:
            raise _refused(f"{path} is larger than {_MAX_BYTES >> 20} MB", at)
        self.read_paths.append(path)
        return data

    def text(self, path: PurePosixPath, at: Place | None) -> str:
        """A file as text, line ends LF.

        Raises:
            ProjectError: as `data`, or it is not UTF-8.
        """
        text = decode(self.data(path, at), Path(path))
        if isinstance(text, Problem):
            raise ProjectError([text])
        return text

    def document(self, path: PurePosixPath, at: Place | None) -> Document:
        """A YAML or JSON file.

        Raises:
            ProjectError: as `data`, or it cannot be read.
        """
        return foreign_document(self.data(path, at), Path(path))

    def _below_root(self, text: str, slashed: str, at: Place | None) -> str:
        """An absolute path as one that is relative to the root."""
        try:
            return Path(os.path.normpath(text)).relative_to(self.tree.root).as_posix()
        except ValueError:
            raise _refused(f"`{slashed}` lies outside the folder of the config", at) from None


def is_pattern(path: str) -> bool:
    """Whether a path names files by a pattern."""
    return _MAGIC.search(path) is not None


def _without_braces(pattern: str) -> Iterator[str]:
    """`a.{csv,json}` as two patterns; further braces stay as they are."""
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None:
        yield pattern
        return
    for choice in match[1].split(",")[:20]:
        yield f"{pattern[: match.start()]}{choice}{pattern[match.end() :]}"


def _refused(message: str, at: Place | None) -> ProjectError:
    return ProjectError([Problem(f"{message}.", at, "Only files in the folder of the config and below it are read.")])
