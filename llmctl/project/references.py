"""What a file names instead of saying it: `{file: path}` beside it, `{from: vars.x}` in the case."""

from __future__ import annotations

import hashlib
import io
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from llmctl.errors import Place, Problem, ProjectError
from llmctl.project.models import CaseReference
from llmctl.project.sources import Source
from llmctl.project.syntax.document import DataPath, Document, decode
from llmctl.project.syntax.json_text import JsonReader, plain_complaint
from llmctl.project.syntax.yaml_reader import read_yaml

__all__ = ["Companions", "NamedFile", "ReadFile", "read_file", "text_digest"]

_CHUNK_BYTES = 1 << 20

_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_FROM = "Write {from: vars.NAME}, {from: expected} or {from: expected/KEY}."


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that another one names."""

    path: PurePosixPath
    data: bytes


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that was read, as it was."""

    path: PurePosixPath
    digest: str
    """See `text_digest`."""


@dataclass
class Companions:
    """Reads what one file refers to; what was read is listed, for the digest of the whole."""

    source: Source
    path: PurePosixPath
    """The file that names the others, relative to the project's root."""
    document: Document
    problems: list[Problem]
    read: list[ReadFile] = field(default_factory=list)

    def file(self, named: str, at: DataPath) -> NamedFile | None:
        """The file `named`, relative to this one; None with a problem where it cannot be read."""
        path = self._path(named, at)
        data = None if path is None else read_file(self.source, path, self.problems, asked_by=self.document, at=at)
        if path is None or data is None:
            return None
        self.read.append(ReadFile(path, text_digest(io.BytesIO(data))))
        return NamedFile(path, data)

    def large_file(self, named: str, at: DataPath) -> PurePosixPath | None:
        """The path of a file that is not to be in memory as a whole; None with a problem where it cannot be read."""
        path = self._path(named, at)
        if path is None:
            return None
        try:
            with self.source.open(path, asked_at=self.document.place(at)) as stream:
                self.read.append(ReadFile(path, text_digest(stream)))
        except (ProjectError, OSError) as error:
            self.problems.extend(_unreadable(path, error, self.document, at))
            return None
        return path

    def _path(self, named: str, at: DataPath) -> PurePosixPath | None:
        path = PurePosixPath(posixpath.normpath(self.path.parent / named))
        if _CONTROL.search(named) or path.is_absolute() or path.parts[:1] == ("..",):
            hint = "Name a file below the one that holds llmctl.toml, with / between names."
            self._report(at, f"`{named}` is no file of this project.", hint)
            return None
        return path

    def text(self, named: str, at: DataPath) -> str | None:
        """A file as text, line ends LF."""
        found = self.file(named, at)
        return None if found is None else self._decoded(found)

    def value(self, named: str, at: DataPath) -> object:
        """What `.json`, `.yaml` and `.yml` files hold, any other file as text; None with a problem where it fails."""
        found = self.file(named, at)
        if found is None:
            return None
        match found.path.suffix.lower():
            case ".json":
                return self._json(found)
            case ".yaml" | ".yml":
                document = read_yaml(found.data, Path(found.path))
                self.problems.extend(document.problems)
                return None if document.problems else document.data
            case _:
                return self._decoded(found)

    def resolve(self, value: object, at: tuple[str | int, ...]) -> object:
        """The value with every `{file: ...}` read and every `{from: ...}` turned into a `CaseReference`."""
        match value:
            case {"file": str(named), **others} if not others:
                return self.value(named, (*at, "file"))
            case {"from": path, **others} if not others:
                return self.reference(path, (*at, "from"))
            case dict():
                return {key: self.resolve(item, (*at, key)) for key, item in value.items()}
            case list():
                return [self.resolve(item, (*at, index)) for index, item in enumerate(value)]
            case _:
                return value

    def reference(self, path: object, at: DataPath) -> CaseReference | None:
        """`vars.greeting` or `expected/total` as a path of keys."""
        parts = tuple(re.split(r"[./]", path)) if isinstance(path, str) else ()
        if not parts or "" in parts:
            self._report(at, "`from` names a value of the case.", _FROM)
        elif parts[0] not in ("vars", "expected"):
            self._report(at, f"A case has `vars` and `expected`, but no `{parts[0]}` to take a value from.", _FROM)
        elif parts == ("vars",):
            self._report(at, "`from: vars` does not say which variable.", _FROM)
        else:
            return CaseReference(parts)
        return None

    def _json(self, found: NamedFile) -> object:
        import json

        text = self._decoded(found)
        if text is None:
            return None
        start = len(text) - len(text.lstrip())
        try:
            value = JsonReader().read(text, start)
        except json.JSONDecodeError as error:
            self.problems.append(Problem(plain_complaint(error), Place(Path(found.path), error.lineno, error.colno)))
            return None
        faults = list(value.faults)
        if text[value.end :].strip() and not faults:
            faults.append("The file goes on after its JSON value.")
        self.problems.extend(Problem(fault, Place(Path(found.path))) for fault in faults)
        return None if faults else value.value

    def _decoded(self, found: NamedFile) -> str | None:
        text = decode(found.data, Path(found.path))
        if isinstance(text, Problem):
            self.problems.append(text)
            return None
        return text

    def _report(self, at: DataPath, message: str, hint: str | None = None) -> None:
        self.problems.append(self.document.problem(at, message, hint))


def read_file(
    source: Source,
    path: PurePosixPath,
    problems: list[Problem],
    *,
    asked_by: Document | None = None,
    at: DataPath = (),
) -> bytes | None:
    """A file's bytes, or None with a problem at the line that names it."""
    try:
        return source.read(path, asked_at=asked_by.place(at) if asked_by else None)
    except ProjectError as error:
        problems.extend(_unreadable(path, error, asked_by, at))
    return None


def _unreadable(
    path: PurePosixPath, error: ProjectError | OSError, asked_by: Document | None, at: DataPath
) -> Iterator[Problem]:
    """What keeps a file from being read, at the line that names it."""
    place = asked_by.place(at) if asked_by else None
    excerpt = asked_by.excerpt(place) if asked_by and place else None
    own = Place(Path(path))
    if isinstance(error, OSError):
        yield Problem(f"{path} cannot be read: {error.strerror}.", place or own, excerpt=excerpt)
    else:
        for one in error.problems:
            yield replace(one, place=one.place or own, excerpt=one.excerpt or excerpt)


def text_digest(stream: BinaryIO) -> str:
    """SHA-256 of a file with its line ends as LF."""
    total = hashlib.sha256()
    held = b""  # a CR at the end of a piece, whose LF may begin the next one
    while chunk := stream.read(_CHUNK_BYTES):
        text = (held + chunk).replace(b"\r\n", b"\n")
        held = b"\r" if text.endswith(b"\r") else b""
        total.update(text.removesuffix(held))
    total.update(held)
    return total.hexdigest()
