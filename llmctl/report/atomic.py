"""A file appears whole or not at all: written beside its place, synced, and renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from llmctl.errors import UnfinishedError

__all__ = ["atomic_path", "atomic_text"]


@contextmanager
def atomic_text(path: Path, *, encoding: str = "utf-8") -> Iterator[TextIO]:
    """A text file to write; it replaces `path` when the block ends well, and leaves nothing behind when it does not.

    Raises:
        UnfinishedError: the file cannot be written.
    """
    # "x": never through a link that somebody put there.
    with (
        atomic_path(path) as temporary,
        temporary.open("x", encoding=encoding, newline="", errors="backslashreplace") as file,
    ):
        yield file


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """The same for a library that opens the file itself: a name beside `path`, at which it must write one.

    Raises:
        UnfinishedError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnfinishedError(f"The file {path} cannot be written: {reason}.") from error
