"""Edits of cases where they stand: in the bank's own file, or on a line of its JSONL table."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from llmctl.errors import Place, Problem, ProjectError, UsageError
from llmctl.importers.bank.cells import Absent, json_text
from llmctl.importers.bank.text import UneditableError, YamlEdits
from llmctl.project.case_rows import CASE_COLUMNS, VARS_PREFIX, holds_full_case
from llmctl.project.case_stream import CaseStream
from llmctl.project.includes import Include
from llmctl.project.models import Bank, Case
from llmctl.project.sources import WorkingTree
from llmctl.project.syntax.document import decode
from llmctl.project.syntax.yaml_reader import read_yaml
from llmctl.project.tables import Row, read_table

__all__ = ["BankTexts", "Edit", "Overlay", "edit_all"]

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Edit:
    """A case, and what becomes of it."""

    case: Case
    changes: Mapping[str, object]
    """From a field to its new value; `Absent()` takes it away."""
    place: Place


@dataclass(slots=True)
class BankTexts:
    """The texts of a bank's files on their way to new ones."""

    tree: WorkingTree
    bank: Bank
    new: dict[PurePosixPath, str]

    @property
    def stream(self) -> CaseStream:
        """How the bank reads its cases."""
        reader = self.bank.reader
        if not isinstance(reader, CaseStream):
            raise UneditableError("it does not read its cases from files")
        return reader

    @property
    def path(self) -> PurePosixPath:
        """The bank's own file."""
        return PurePosixPath(self.bank.path.as_posix())

    def text(self, path: PurePosixPath) -> str:
        """A file's text as it will be, line ends LF."""
        if path not in self.new:
            text = decode(self.tree.read(path), Path(path))
            if isinstance(text, Problem):
                raise ProjectError([text])
            return text
        return self.new[path]

    def add(self, cases: list[dict[str, object]]) -> None:
        """New cases: at the end of the bank's first JSONL table, or in a new one."""
        lines = "".join(f"{json_text(case)}\n" for case in cases)
        for include in self.stream.includes:
            if include.path.suffix.lower() == ".jsonl" and include.columns is None:
                old = self.text(include.path)
                gap = "" if not old or old.endswith("\n") else "\n"
                self.new[include.path] = f"{old}{gap}{lines}"
                return
        table = self._free_name()
        edits = YamlEdits(self.text(self.path))
        edits.append("include", {"file": table.name})
        self.new[self.path], self.new[table] = edits.result(), lines

    def _free_name(self) -> PurePosixPath:
        first = self.path.with_suffix(".jsonl")
        names = [first, *(first.with_name(f"{first.stem}-{number}.jsonl") for number in range(2, 1_000))]
        return next(path for path in names if not (self.tree.root / path).exists())

    def changed(self) -> Iterator[tuple[PurePosixPath, str]]:
        """The files that are not what they were; a file keeps its line ends and its byte order mark."""
        for path, text in self.new.items():
            full = self.tree.root / path
            old = full.read_bytes() if full.exists() else b""
            new = text.replace("\n", "\r\n") if b"\r\n" in old else text
            new = f"\ufeff{new}" if old.startswith(b"\xef\xbb\xbf") else new
            if new.encode("utf-8", "backslashreplace") != old:
                yield path, new


def edit_all(edits: Sequence[Edit], texts: BankTexts) -> None:
    """Make the edits in the texts.

    Raises:
        UneditableError: one of the files is written in a way that cannot be edited.
        UsageError: a case stands in a table of another kind.
    """
    by_file: dict[PurePosixPath, list[Edit]] = defaultdict(list)
    for edit in edits:
        if edit.case.place is None:
            raise UneditableError(f"nobody knows where the case {edit.case.id} stands")
        by_file[PurePosixPath(edit.case.place.file.as_posix())].append(edit)
    _refuse_tables(by_file, texts)
    for path, several in by_file.items():
        if path == texts.path:
            _edit_inline(several, texts)
        else:
            _edit_table(path, several, texts)


def _refuse_tables(by_file: Mapping[PurePosixPath, list[Edit]], texts: BankTexts) -> None:
    """Edited cases in tables other than JSONL: their own programs edit them."""
    for path, edits in by_file.items():
        if path != texts.path and path.suffix.lower() != ".jsonl":
            shown = ", ".join(edit.case.id for edit in edits[:_SHOWN])
            more = f" and {len(edits) - _SHOWN} more" if len(edits) > _SHOWN else ""
            subject, verb = ("case", "stands") if len(edits) == 1 else ("cases", "stand")
            said = f"The edited {subject} {shown}{more} {verb} in {path}, which is a table itself; nothing was changed."
            raise UsageError(said, hint="Edit them there.")


def _edit_inline(edits: list[Edit], texts: BankTexts) -> None:
    document = read_yaml(texts.text(texts.path).encode(), Path(texts.path))
    at = {_line_key(document.place(("cases", index))): index for index in range(len(texts.stream.inline))}
    yaml = YamlEdits(texts.text(texts.path))
    data = document.data if isinstance(document.data, dict) else {}
    for edit in edits:
        index = at[_line_key(edit.case.place)]
        _edit_one(yaml, ("cases", index), data["cases"][index], edit)
    texts.new[texts.path] = yaml.result()


def _line_key(place: Place | None) -> tuple[int | None, int | None]:
    return (place.line, place.column) if place else (None, None)


def _edit_one(yaml: YamlEdits, path: tuple[str | int, ...], own: Mapping[str, object], edit: Edit) -> None:
    variables = {name.removeprefix(VARS_PREFIX): value for name, value in edit.changes.items() if _is_var(name)}
    top: dict[str, object] = {} if "id" in own else {"id": edit.case.id}
    for name, value in edit.changes.items():
        if _is_var(name):
            continue
        if isinstance(value, Absent):
            _take_away(yaml, path, own, name)
        else:
            top[name] = _own_tags(edit.case, own, value) if name == "tags" else value
    if variables and "vars" in own:
        yaml.edit((*path, "vars"), variables)
    elif variables:
        top["vars"] = variables
    yaml.edit(path, top)


def _take_away(yaml: YamlEdits, path: tuple[str | int, ...], own: Mapping[str, object], name: str) -> None:
    if name in own:
        yaml.remove(path, name)


def _own_tags(case: Case, own: Mapping[str, object], value: object) -> object:
    """The tags that a case needs of its own: those that the bank gives to all are not repeated."""
    given = own.get("tags")
    mine = given if isinstance(given, list) else []
    inherited = [tag for tag in case.tags if tag not in map(str, mine)]
    return [tag for tag in value if tag not in inherited] if isinstance(value, list) else value


def _is_var(name: str) -> bool:
    return name.startswith(VARS_PREFIX)


def _edit_table(path: PurePosixPath, edits: list[Edit], texts: BankTexts) -> None:
    """Lines of a JSONL table; the others stay as they are."""
    text = texts.text(path)
    lines = text.split("\n")
    include = next(one for one in texts.stream.includes if one.path == path)
    rows = read_table(io.BytesIO(text.encode()), path, []).rows
    wanted = {edit.case.place.line: edit for edit in edits if edit.case.place}
    for row in rows:
        edit = wanted.get(row.place.line)
        if edit is not None and row.place.line is not None:
            lines[row.place.line - 1] = json_text(_edited_row(row, edit, include))
    texts.new[path] = "\n".join(lines)


def _edited_row(row: Row, edit: Edit, include: Include) -> dict[str, object]:
    values = dict(row.values)
    full = include.mapping is None and holds_full_case(row)
    columns = include.mapping or {}

    def column(name: str) -> str:
        if include.mapping is not None and name not in columns:
            raise UneditableError(f"{include.path} has no column for `{name}`")
        short = name.removeprefix(VARS_PREFIX)
        return columns.get(name) or (short if short in values or short not in CASE_COLUMNS else name)

    identity = "id" if full else column("id")
    if not values.get(identity):
        values = {identity: edit.case.id, **values}
    for name, value in edit.changes.items():
        if full and _is_var(name):
            given = values["vars"]
            values["vars"] = {**(given if isinstance(given, dict) else {}), name.removeprefix(VARS_PREFIX): value}
        elif isinstance(value, Absent):
            values.pop(name if full else column(name), None)
        else:
            key = name if full or (not _is_var(name) and include.mapping is None) else column(name)
            values[key] = _own_tags(edit.case, values, value) if name == "tags" else value
    return values


@dataclass(slots=True)
class Overlay:
    """The project with some texts as they will be."""

    tree: WorkingTree
    new: Mapping[PurePosixPath, str]
    root: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.tree.root

    def read(self, path: PurePosixPath, *, asked_at: Place | None = None) -> bytes:
        """As `Source.read`."""
        with self.open(path, asked_at=asked_at) as stream:
            return stream.read()

    def open(self, path: PurePosixPath, *, asked_at: Place | None = None) -> BinaryIO:
        """As `Source.open`."""
        if path in self.new:
            return io.BytesIO(self.new[path].encode("utf-8", "backslashreplace"))
        return self.tree.open(path, asked_at=asked_at)

    def list(self, folder: PurePosixPath, suffix: str) -> list[PurePosixPath]:
        """As `Source.list`."""
        return self.tree.list(folder, suffix)
