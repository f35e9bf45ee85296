"""Images and files that messages carry: read inside the project only, each once, as the data URLs that are sent."""

from __future__ import annotations

import base64
import errno
import os
import stat
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

__all__ = ["MAX_MESSAGE_FILE_BYTES", "Attachment", "MessageFileError", "MessageFiles"]

MAX_MESSAGE_FILE_BYTES = 20 * 1024 * 1024
"""The largest image or file that is sent; providers take no larger ones."""
_KEPT_CHARS = 64 * 1024 * 1024
"""How much is kept of what was read before; cases that share an image follow each other."""


_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""The path was resolved: what is a link now was put there since. A named pipe must not be waited for."""


class MessageFileError(Exception):
    """A file cannot be sent; the message ends a sentence."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as it is sent."""

    name: str
    data_url: str
    """`data:image/png;base64,...`."""


@dataclass(frozen=True, slots=True)
class _Kept:
    version: tuple[int, int]
    attachment: Attachment


class MessageFiles:
    """Reads below one directory; what lies outside of it, links followed, and hidden files are refused."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._kept: OrderedDict[tuple[str, bool], _Kept] = OrderedDict()
        self._chars = 0

    def image(self, path: str) -> Attachment:
        """An image; what it is, its first bytes say.

        Raises:
            MessageFileError: it is outside the project, missing, too large, or no PNG, JPEG, GIF or WebP.
        """
        return self._attachment(path, _image_type, images=True)

    def file(self, path: str) -> Attachment:
        """Any other file.

        Raises:
            MessageFileError: it is outside the project, missing, empty or too large.
        """
        return self._attachment(path, _file_type, images=False)

    def _attachment(self, path: str, media_type: Callable[[bytes], str | None], *, images: bool) -> Attachment:
        full = self._inside(path)
        try:
            descriptor = os.open(full, _FLAGS)
        except OSError as error:
            raise MessageFileError(_cannot_open(path, error)) from None
        try:
            version = _checked(path, os.fstat(descriptor))
            kept = self._kept.get((path, images))
            if kept is not None and kept.version == version:
                self._kept.move_to_end((path, images))
                return kept.attachment
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                data = stream.read(MAX_MESSAGE_FILE_BYTES + 1)
        finally:
            os.close(descriptor)
        kind = media_type(data)
        if kind is None:
            raise MessageFileError(f"{path} is no PNG, JPEG, GIF or WebP image")
        url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        return self._keep((path, images), _Kept(version, Attachment(PurePosixPath(path).name, url)))

    def _keep(self, key: tuple[str, bool], kept: _Kept) -> Attachment:
        self._forget(key)
        self._kept[key] = kept
        self._chars += len(kept.attachment.data_url)
        while self._chars > _KEPT_CHARS and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))
        return kept.attachment

    def _forget(self, key: tuple[str, bool]) -> None:
        old = self._kept.pop(key, None)
        if old is not None:
            self._chars -= len(old.attachment.data_url)

    def _inside(self, path: str) -> Path:
        if not path.strip():
            raise MessageFileError("a file's path is empty")
        if not path.isprintable() or "\\" in path or PurePosixPath(path).is_absolute():
            raise MessageFileError(f"`{path[:200]}` is no path below the one that holds llmctl.toml")
        try:
            full = (self._root / path).resolve()
        except (OSError, RuntimeError, ValueError):
            raise MessageFileError(f"{path} cannot be followed to a file") from None
        if not full.is_relative_to(self._root):
            raise MessageFileError(f"{path} lies outside the project")
        if any(part.startswith(".") for part in full.relative_to(self._root).parts):
            raise MessageFileError(f"{path} is hidden (a name begins with a dot), and hidden files are not sent")
        return full


def _cannot_open(path: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"there is no file {path}"
    if error.errno == errno.ELOOP:
        return f"{path} cannot be followed to a file"
    return f"{path} cannot be read: {error.strerror}"


def _checked(path: str, status: os.stat_result) -> tuple[int, int]:
    if not stat.S_ISREG(status.st_mode):
        raise MessageFileError(f"{path} is not a regular file")
    if status.st_size > MAX_MESSAGE_FILE_BYTES:
        raise MessageFileError(f"{path} is larger than {MAX_MESSAGE_FILE_BYTES // 2**20} MB")
    if status.st_size == 0:
        raise MessageFileError(f"{path} is empty")
    return status.st_mtime_ns, status.st_size


def _image_type(data: bytes) -> str | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def _file_type(data: bytes) -> str:
    if data.startswith(b"%PDF-"):
        return "application/pdf"
    image = _image_type(data)
    if image is not None:
        return image
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "application/octet-stream"
    return "application/octet-stream" if b"\0" in data else "text/plain"
