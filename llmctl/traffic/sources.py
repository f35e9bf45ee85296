"""The files that somebody names, whatever they are: each as the documents in it, in bounded memory.

What a file is, its first bytes say, never its name: gzip and Zstandard are unpacked, UTF-16 is decoded, and what is
inside is JSON in any arrangement, CSV, Parquet, or a SQLite database.
"""

from __future__ import annotations

import codecs
import glob
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from llmctl.errors import UsageError
from llmctl.traffic.documents.found import Found, Unreadable
from llmctl.traffic.documents.json_lines import PREFIX, json_documents
from llmctl.traffic.documents.tables import csv_documents, parquet_documents, separator_of
from llmctl.traffic.documents.unpack import Decoding, Faulty, Prefixed, Unpacking, packed_as

__all__ = ["STDIN", "Source", "sources_of"]

STDIN = "-"
_HEAD_BYTES = 2**16
_BUFFER_BYTES = 2**20
_SQLITE, _PARQUET = b"SQLite format 3\0", b"PAR1"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LAYERS = 3
"""So often a file is unpacked, one within the other."""
_BINARY = "binary data"
_NEITHER = "neither JSON nor a table"


@dataclass(frozen=True, slots=True)
class Source:
    """One file, or standard input."""

    name: str
    """As it was named."""
    path: Path | None
    """None: standard input, which can be read once."""

    def documents(self, encoding: str | None = None) -> Iterator[Found]:
        """Everything in it. `encoding`: of text that is not UTF-8."""
        with ExitStack() as opened:
            try:
                stream = (
                    opened.enter_context(self.path.open("rb", buffering=_BUFFER_BYTES))
                    if self.path is not None
                    else cast(BinaryIO, sys.stdin.buffer)
                )
            except OSError as error:
                yield Unreadable(1, f"it cannot be opened: {error.strerror}")
                return
            yield from _documents(_Opened(stream, self.path, opened), encoding)


def sources_of(names: Sequence[str], *, directory: Path = Path()) -> list[Source]:
    """The files that are meant: each by its path, by a pattern (`logs/*.gz`), or by its folder.

    Raises:
        UsageError: there is no such file, or a pattern fits none.
    """
    found: dict[str, Source] = {}
    for name in names:
        if name == STDIN:
            found[name] = Source("standard input", None)
            continue
        for path in _paths(name, directory):
            found[str(path)] = Source(
                str(path.relative_to(directory) if path.is_relative_to(directory) else path), path
            )
    return list(found.values())


def _paths(name: str, directory: Path) -> list[Path]:
    path = directory / name
    if path.is_dir():
        inside = sorted(one for one in path.rglob("*") if one.is_file() and not _hidden(one.relative_to(path)))
        if not inside:
            raise UsageError(f"There is no file in {name}.")
        return inside
    if path.exists():
        return [path]
    if glob.has_magic(name):
        fitting = sorted(Path(one) for one in glob.glob(str(path), recursive=True))  # noqa: PTH207
        files = [one for one in fitting if one.is_file()]
        if files:
            return files
        raise UsageError(f"No file fits {name}.", hint="In quotation marks, ** stands for any number of folders.")
    raise UsageError(f"There is no file {name}.")


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


class _Opened:
    """A stream that is unwrapped layer by layer."""

    def __init__(self, stream: BinaryIO, path: Path | None, stack: ExitStack) -> None:
        self.path = path
        """Where the bytes lie as they are; None: nowhere."""
        self._stack = stack
        self._layers: list[Faulty] = []
        self.head = b""
        self.stream: BinaryIO = stream
        self._look(stream)

    def unwrap(self, layer: Faulty) -> None:
        """Read through one more layer."""
        self._layers.append(layer)
        self.path = None
        self._look(_buffered(layer))

    def fault(self) -> str | None:
        """What ended one of the layers early."""
        return next((layer.fault for layer in self._layers if layer.fault), None)

    def on_disk(self) -> Path:
        """A file with these bytes, for somebody who cannot read a stream."""
        if self.path is not None:
            return self.path
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="llmctl-"))
        path = Path(folder) / "copy"
        with path.open("wb") as copy:
            shutil.copyfileobj(self.stream, copy)
        return path

    def _look(self, stream: BinaryIO) -> None:
        self.head = stream.read(_HEAD_BYTES)
        if self.path is not None:
            stream.seek(0)
            self.stream = stream
            return
        layer = Prefixed(self.head, stream)
        self._layers.append(layer)
        self.stream = _buffered(layer)


def _buffered(layer: Faulty) -> BinaryIO:
    return io.BufferedReader(layer, _BUFFER_BYTES)


def _documents(opened: _Opened, encoding: str | None) -> Iterator[Found]:
    for _ in range(_LAYERS):
        packed = packed_as(opened.head)
        if packed is None:
            break
        opened.unwrap(Unpacking(opened.stream, packed))
    line = 1
    for found in _unpacked(opened, encoding):
        line = found.line
        yield found
    if (fault := opened.fault()) is not None:
        yield Unreadable(line, fault)


def _unpacked(opened: _Opened, encoding: str | None) -> Iterator[Found]:
    if opened.head.startswith(_SQLITE):
        from llmctl.traffic.readers.simonw_llm import database_documents

        yield from database_documents(opened.on_disk())
        return
    if opened.head.startswith(_PARQUET):
        yield from parquet_documents(opened.on_disk())
        return
    decoder = encoding or _utf16(opened.head)
    if decoder is not None:
        opened.unwrap(Decoding(opened.stream, decoder))
    yield from _text(opened)


def _utf16(head: bytes) -> str | None:
    """UTF-16, by its mark or by every other byte of a beginning in ASCII being NUL."""
    if head.startswith(_UTF16):
        return "utf-16"
    start = head[:64]
    if len(start) >= 4 and len(start) % 2 == 0 and b"\0" in start:
        if not any(start[1::2]) and all(start[::2]):
            return "utf-16-le"
        if not any(start[::2]) and all(start[1::2]):
            return "utf-16-be"
    return None


def _text(opened: _Opened) -> Iterator[Found]:
    head = opened.head.removeprefix(codecs.BOM_UTF8)
    if not head:
        return
    lines = [line.strip() for line in head.split(b"\n") if line.strip()]
    objects = sum(line[:1] in (b"{", b"[") or PREFIX.match(line) is not None for line in lines)
    begins = head.lstrip(b"\0 \t\r\n\x1e")[:1]
    if begins in (b"{", b"[") or (objects * 2 >= len(lines) > 0 and b"\0" not in head):
        yield from json_documents(opened.stream)
    elif not lines:
        return
    elif b"\0" in head:
        yield Unreadable(1, _BINARY)
    elif _is_table(lines[0]):
        yield from csv_documents(opened.stream)
    elif objects:
        yield from json_documents(opened.stream)
    else:
        yield Unreadable(1, _NEITHER)


def _is_table(first: bytes) -> bool:
    """Whether a line names columns."""
    header = first.decode("utf-8", "replace")
    separator = separator_of(header)
    if separator is None:
        return False
    names = [name.strip().strip('"') for name in header.split(separator)]
    return all(name and len(name) <= 100 for name in names) and len(set(names)) == len(names)
