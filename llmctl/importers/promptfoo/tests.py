"""promptfoo's tests, from wherever a config takes them: inline, files, patterns, tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import orjson

from llmctl.errors import Place, ProjectError
from llmctl.importers.conversion import Notes
from llmctl.importers.foreign_files import SCHEME
from llmctl.importers.promptfoo.config import At, Reader, children, code_file, names_file, refusal
from llmctl.importers.promptfoo.rows import test_of_row
from llmctl.importers.promptfoo.tables import table_rows
from llmctl.project.syntax.document import Document

__all__ = ["MAX_TESTS", "RawTest", "TestSources", "file_test"]

MAX_TESTS = 100_000
_REMOTE = ("http://", "https://", "huggingface://", "az://", "gs://", "hf://", "s3://")
_TABLES = (".csv", ".tsv", ".xlsx", ".xls")
_PROGRAM = "It is a program that makes tests, which an import does not run; save what it makes as JSONL."


@dataclass(frozen=True, slots=True)
class RawTest:
    """A test as its author wrote it, and where."""

    data: Mapping[str, object]
    at: At
    from_table: bool = False
    """Whether it is a row, which inherits no file of its own."""


@dataclass(slots=True)
class TestSources:
    """Reads tests; what cannot be read is noted."""

    __test__ = False  # for pytest, which takes the name for a test's

    reader: Reader
    count: int = 0

    @property
    def notes(self) -> Notes:
        """Of the import."""
        return self.reader.notes

    def all(self, value: object, at: At) -> Iterator[RawTest]:
        """The tests of a `tests:` value."""
        if value is None:
            return
        for index, item in enumerate(children(value)):
            yield from self._item(item, at / index if isinstance(value, list) else at)

    def _item(self, item: object, at: At) -> Iterator[RawTest]:
        if isinstance(item, str):
            yield from self._named(item, at)
        elif isinstance(item, dict) and isinstance(item.get("path"), str) and "vars" not in item:
            if item.get("config"):
                self.notes.left_out("config of a tests file", "It is meant for a program.", (at / "config").place)
            yield from self._named(str(item["path"]), at)
        elif isinstance(item, dict):
            self._count(at)
            yield RawTest(item, at)
        else:
            self.notes.left_out("tests", "A test is a mapping, or the name of a file.", at.place)

    def _named(self, named: str, at: At) -> Iterator[RawTest]:
        if named.removeprefix(SCHEME).startswith(_REMOTE):
            why = "It lies on a server: an import reads files only. Save it as CSV or JSONL beside the config."
            self.notes.left_out(named, why, at.place)
        elif code_file(named):
            self.notes.left_out(named, _PROGRAM, at.place)
        else:
            try:
                yield from self._files(named, at)
            except ProjectError as error:
                self.notes.left_out(named, error.problems[0].message, error.problems[0].place or at.place)

    def _files(self, named: str, at: At) -> Iterator[RawTest]:
        if PurePosixPath(named.partition("#")[0]).suffix.lower() in _TABLES and not _pattern_in(named):
            yield from self._table(named, at)
            return
        paths = self.reader.files.matches(named, at.place)
        if not paths:
            self.notes.left_out(named, "No file matches.", at.place)
        for path in paths:
            if code_file(path.name):
                self.notes.left_out(str(path), _PROGRAM, at.place)
            elif path.suffix.lower() in _TABLES:
                yield from self._table(str(path), at)
            else:
                yield from self._document(str(path), at)

    def _document(self, named: str, at: At) -> Iterator[RawTest]:
        path = self.reader.files.path(named, at.place)
        if path.suffix.lower() == ".jsonl":
            yield from self._lines(path, at)
            return
        document = self.reader.document(named, at)
        here = At(document)
        self.notes.converted(str(path), "cases", at.place)
        self.reader.open_files.append(path)
        try:
            for index, item in enumerate(children(document.data)):
                if item is not None:
                    yield from self._item(item, here / index if isinstance(document.data, list) else here)
        finally:
            self.reader.open_files.pop()

    def _lines(self, path: PurePosixPath, at: At) -> Iterator[RawTest]:
        text = self.reader.files.text(path, at.place)
        self.notes.converted(str(path), "cases", at.place)
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            place = At(Document(Path(path), ""), fixed=Place(Path(path), number))
            try:
                data = orjson.loads(line)
            except orjson.JSONDecodeError:
                self.notes.left_out(str(path), "A line is no JSON.", place.place)
                continue
            yield from self._item(self.reader.settled(data, place.document), place)

    def _table(self, named: str, at: At) -> Iterator[RawTest]:
        for row in table_rows(self.reader, named, at):
            here = At(at.document, fixed=row.place)
            self._count(here)
            yield RawTest(test_of_row(row.values, here, self.notes), here, from_table=True)
        self.notes.converted(named.removeprefix(SCHEME), "cases", at.place)

    def _count(self, at: At) -> None:
        self.count += 1
        if self.count > MAX_TESTS:
            raise refusal(f"The config has more than {MAX_TESTS:,} tests.", at.place)


def _pattern_in(named: str) -> bool:
    return any(character in named for character in "*?[{")


def file_test(reader: Reader, value: object, at: At) -> RawTest | None:
    """`defaultTest`: a mapping, or the file that holds it."""
    if isinstance(value, str) and names_file(value):
        try:
            document = reader.document(value, at)
        except ProjectError as error:
            reader.notes.left_out(value, error.problems[0].message, at.place)
            return None
        return RawTest(document.data, At(document)) if isinstance(document.data, dict) else None
    return RawTest(value, at) if isinstance(value, dict) else None
