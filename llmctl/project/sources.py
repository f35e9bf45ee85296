"""Where the project's files are read from: the working tree, or a git revision."""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from llmctl.errors import Place, Problem, ProjectError

__all__ = ["MAX_FILE_BYTES", "Source", "WorkingTree"]

MAX_FILE_BYTES = 200 * 1024 * 1024
"""No file of a project is read beyond this size."""


class Source(Protocol):
    """Reads files below the project's root; a path is relative to it, with `/` on every system."""

    root: Path

    def read(self, path: PurePosixPath, *, asked_at: Place | None = None) -> bytes:
        """The file's bytes.

        Raises:
            ProjectError: it is missing, leaves the project, is no regular file or is too large;
                placed at `asked_at` (the line that names the file) where that is given.
        """

    def open(self, path: PurePosixPath, *, asked_at: Place | None = None) -> BinaryIO:
        """The file to be read piece by piece, from its beginning and at any position; the caller closes it.

        Raises:
            ProjectError: as `read`.
        """

    def list(self, folder: PurePosixPath, suffix: str) -> list[PurePosixPath]:
        """All files below `folder` whose name ends with `suffix`, sorted, hidden ones left out."""


class WorkingTree:
    """The files as they lie on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def read(self, path: PurePosixPath, *, asked_at: Place | None = None) -> bytes:
        """Read a file that lies inside the project after every symbolic link is followed."""
        with self.open(path, asked_at=asked_at) as stream:
            try:
                return stream.read()
            except OSError as error:
                raise _refused(f"{path} cannot be read: {error.strerror}", asked_at, None) from None

    def open(self, path: PurePosixPath, *, asked_at: Place | None = None) -> BinaryIO:
        """Open a file that lies inside the project after every symbolic link is followed."""
        full = self._checked(path, asked_at)
        try:
            return full.open("rb")
        except OSError as error:
            raise _refused(f"{path} cannot be read: {error.strerror}", asked_at, None) from None

    def _checked(self, path: PurePosixPath, asked_at: Place | None) -> Path:
        try:
            full = (self.root / path).resolve()
        except RuntimeError:  # Python 3.11 and 3.12 raise it for links that lead in a circle
            raise _refused(f"{path} is a symbolic link that leads in a circle", asked_at, None) from None
        if not full.is_relative_to(self.root):
            raise _refused(f"{path} lies outside the project", asked_at, "Move the file below the project's directory.")
        try:
            status = full.stat()
        except OSError:
            raise _refused(f"There is no file {path}", asked_at, None) from None
        if not stat.S_ISREG(status.st_mode):
            raise _refused(f"{path} is not a regular file", asked_at, None)
        if status.st_size > MAX_FILE_BYTES:
            raise _refused(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MB", asked_at, "Split it.")
        return full

    def list(self, folder: PurePosixPath, suffix: str) -> list[PurePosixPath]:
        """Files on disk below `folder`, links to directories not followed."""
        found = []
        for file in (self.root / folder).rglob(f"*{suffix}"):
            path = PurePosixPath(file.relative_to(self.root).as_posix())
            if file.is_file() and not any(part.startswith(".") for part in path.parts):
                found.append(path)
        return sorted(found)


def _refused(message: str, place: Place | None, hint: str | None) -> ProjectError:
    return ProjectError([Problem(f"{message}.", place, hint)])
