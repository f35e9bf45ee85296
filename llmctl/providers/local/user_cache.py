"""The user's cache folder, and the hashes of large files that are remembered in it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["cache_folder", "file_sha256", "remembered_sha256", "write_atomically"]


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where downloaded weights are kept for all projects of this user; it need not exist yet.

    `LLMCTL_CACHE` wins; otherwise the system's own place for caches.
    """
    env = os.environ if environ is None else environ
    if chosen := env.get("LLMCTL_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = env.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
        return Path(base) / "llmctl" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "llmctl"
    base = env.get("XDG_CACHE_HOME") or ""
    # A relative XDG_CACHE_HOME is to be ignored (XDG Base Directory Specification 0.8).
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "llmctl"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content; about 0.1 s for 100 MB.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_sha256(path: Path) -> str:
    """SHA-256 of a file's content, computed once for each path, size and time of change.

    Raises:
        OSError: the file cannot be read.
    """
    status = path.stat()
    version = f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}"
    note = cache_folder() / "hashes" / hashlib.sha256(version.encode("utf-8", "surrogateescape")).hexdigest()
    known = _read_note(note)
    if known is not None:
        return known
    found = file_sha256(path)
    try:
        write_atomically(note, f"{found}\n")
    except OSError:
        # A cache folder that cannot be written costs time, never an answer.
        return found
    return found


def write_atomically(path: Path, text: str) -> None:
    """Write a small file so that another process sees all of it or none; folders are made for this user only.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _read_note(note: Path) -> str | None:
    try:
        text = note.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return text if len(text) == 64 else None
