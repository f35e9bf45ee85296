"""promptfoo's prompts, from wherever a config takes them: texts, files, patterns, chats in JSON and YAML, tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import orjson

from llmctl.errors import ProjectError
from llmctl.importers.conversion import Notes
from llmctl.importers.foreign_files import SCHEME, is_pattern
from llmctl.importers.foreign_yaml import foreign_document
from llmctl.importers.promptfoo.config import At, Reader, children, code_file
from llmctl.importers.promptfoo.tables import table_rows

__all__ = ["SourcePrompt", "chat_of", "read_prompts"]

_ENDINGS = (".txt", ".md", ".j2", ".json", ".jsonl", ".yaml", ".yml", ".csv")
_PROGRAMS = (".sh", ".bash", ".exe", ".bat", ".cmd", ".ps1", ".rb", ".pl")
_REMOTE = ("langfuse://", "portkey://", "helicone://")
_KEYS = frozenset({"id", "label", "raw", "config", "display"})
_PROGRAM = "It is a program, which an import does not run; write what it makes as a template."


@dataclass(frozen=True, slots=True)
class SourcePrompt:
    """One prompt as promptfoo has it: text of a template, which may be the JSON of a chat."""

    raw: str
    label: str
    at: At
    ids: tuple[str, ...] = ()
    """Further names by which providers and tests may ask for it."""
    short: str = ""
    """What its file is called after: the label, or the name of the file that it comes from."""
    config: Mapping[str, object] = field(default_factory=dict)

    def is_called(self, name: str) -> bool:
        """Whether a `prompts:` list of a provider or test means this one."""
        pattern = name[:-1] if name.endswith("*") else f"{name}:"
        return name in (self.label, *self.ids) or any(one.startswith(pattern) for one in (self.label, *self.ids))


def read_prompts(reader: Reader) -> list[SourcePrompt]:
    """All prompts of a config that are texts, the others noted."""
    value = reader.data.get("prompts")
    if value is None:
        reader.notes.converted("no `prompts`", "the prompt `{{ prompt }}`, as in promptfoo")
        return [SourcePrompt("{{prompt}}", "{{prompt}}", reader.at, short="prompt")]
    return list(_Prompts(reader, reader.notes).all(value, reader.at / "prompts"))


@dataclass(frozen=True, slots=True)
class _Prompts:
    reader: Reader
    notes: Notes

    def all(self, value: object, at: At) -> Iterator[SourcePrompt]:
        if isinstance(value, dict):
            for path, label in value.items():
                yield from self._named(path, SourcePrompt(path, str(label), at / path))
            return
        for index, item in enumerate(children(value)):
            here = at / index if isinstance(value, list) else at
            if isinstance(item, str):
                yield from self._named(item, SourcePrompt(item, "", here))
            elif isinstance(item, dict):
                yield from self._full(item, here)
            else:
                self.notes.left_out("prompts", "A prompt is a text or a mapping.", here.place)

    def _full(self, item: Mapping[str, object], at: At) -> Iterator[SourcePrompt]:
        for key in item:
            if key not in _KEYS:
                self.notes.left_out(f"prompt key {key}", "llmctl has nothing for it.", (at / key).place)
        raw, name = item.get("raw"), item.get("id")
        label = str(item.get("label") or item.get("display") or "")
        config = item.get("config")
        base = SourcePrompt("", label, at, (name,) if isinstance(name, str) else ())
        base = replace(base, config=config if isinstance(config, dict) else {})
        if isinstance(raw, str):
            yield from self._named(raw, base)
        elif isinstance(name, str):
            yield from self._named(name, base)
        elif label:
            yield from self._named(label, base)
        else:
            # promptfoo takes any other mapping for the text of its JSON.
            text = orjson.dumps(item).decode()
            yield replace(base, raw=text, label=text)

    def _named(self, text: str, base: SourcePrompt) -> Iterator[SourcePrompt]:
        """The prompts that a text names, or the one that it is."""
        if text.startswith(_REMOTE):
            self.notes.left_out(text, "It lies on a server: an import reads files only.", base.at.place)
        elif text.startswith("exec:") or (_is_file(text) and (code_file(text) or _ending(text) in _PROGRAMS)):
            self.notes.left_out(text, _PROGRAM, base.at.place)
        elif not _is_file(text):
            yield replace(base, raw=text, label=base.label or text, short=base.label)
        else:
            yield from self._files(text, base)

    def _files(self, named: str, base: SourcePrompt) -> Iterator[SourcePrompt]:
        try:
            folder = self.reader.files.path(named, base.at.place)
            if (self.reader.files.tree.root / folder).is_dir():
                named = f"{folder}/*"
            paths = self.reader.files.matches(named, base.at.place)
        except ProjectError as error:
            self.notes.left_out(named, error.problems[0].message, base.at.place)
            return
        there = [path for path in paths if (self.reader.files.tree.root / path).is_file()]
        if not there and not named.startswith(SCHEME):
            yield replace(base, raw=named, label=base.label or named, short=base.label)  # as promptfoo does
            return
        if not there:
            self.notes.left_out(named, "There is no such file.", base.at.place)
        for path in there:
            if code_file(path.name) or path.suffix.lower() in _PROGRAMS:
                self.notes.left_out(str(path), _PROGRAM, base.at.place)
                continue
            try:
                yield from self._file(path, base, alone=len(there) == 1)
            except ProjectError as error:
                self.notes.left_out(str(path), error.problems[0].message, base.at.place)

    def _file(self, path: PurePosixPath, base: SourcePrompt, *, alone: bool) -> Iterator[SourcePrompt]:
        short = base.label if base.label and alone else path.stem
        base = replace(base, short=short, ids=(*base.ids, str(path), f"{SCHEME}{path}"))
        match path.suffix.lower():
            case ".csv":
                yield from self._table(path, base)
            case ".jsonl":
                lines = self.reader.files.text(path, base.at.place).split("\n")
                yield from _several([line for line in lines if line], base, str(path))
            case ".json" | ".yaml" | ".yml":
                yield replace(base, raw=self._chat(path, base), label=base.label or str(path))
            case ".txt":
                text = self.reader.files.text(path, base.at.place)
                parts = re.split(r"(?m)^[ \t]*---[ \t]*$", text)
                yield from _several([part.strip() for part in parts if part.strip()], base, str(path))
            case ".md" | ".j2" | "":
                text = self.reader.files.text(path, base.at.place)
                yield replace(base, raw=text, label=base.label or str(path))
            case _:
                self.notes.left_out(str(path), f"No prompt is read from a {path.suffix} file.", base.at.place)
        if path.suffix.lower() in _ENDINGS:
            self.notes.converted(str(path), "prompts", base.at.place)

    def _chat(self, path: PurePosixPath, base: SourcePrompt) -> str:
        """A JSON or YAML file as JSON, the files in it read; a file with templates around its JSON as it stands."""
        text = self.reader.files.text(path, base.at.place)
        try:
            document = foreign_document(text.encode(), base.at.place.file.parent / path.name)
        except ProjectError:
            return text
        if not isinstance(document.data, list | dict):
            return text
        return orjson.dumps(self._loaded(document.data, base)).decode()

    def _loaded(self, value: object, base: SourcePrompt) -> object:
        match value:
            case dict():
                return {key: self._loaded(item, base) for key, item in value.items()}
            case list():
                return [self._loaded(item, base) for item in value]
            case str() if value.startswith(SCHEME) and not code_file(value) and "{{" not in value:
                path = self.reader.files.path(value, base.at.place)
                return self.reader.files.text(path, base.at.place)
            case _:
                return value

    def _table(self, path: PurePosixPath, base: SourcePrompt) -> Iterator[SourcePrompt]:
        text = self.reader.files.text(path, base.at.place)
        if "," not in text:
            lines = [line for line in text.split("\n") if line.strip()]
            start = 1 if lines and lines[0].strip().lower() == "prompt" else 0
            yield from _several(lines[start:], base, str(path))
            return
        for row in table_rows(self.reader, str(path), base.at):
            raw = str(row.values.get("prompt") or "")
            if raw:
                label = str(row.values.get("label") or "") or base.label or raw
                at = At(base.at.document, fixed=row.place)
                yield replace(base, raw=raw, label=label, short=str(row.values.get("label") or base.short), at=at)


def _several(texts: list[str], base: SourcePrompt, path: str) -> Iterator[SourcePrompt]:
    for text in texts:
        label = f"{base.label or path}: {text}" if len(texts) > 1 or not base.label else base.label
        yield replace(base, raw=text, label=label)


def _is_file(text: str) -> bool:
    if text.startswith(SCHEME):
        return True
    if "\n" in text or "{{" in text or len(text) > 300:
        return False
    return (is_pattern(text) and " " not in text) or _ending(text) in (*_ENDINGS, *_PROGRAMS) or code_file(text)


def _ending(text: str) -> str:
    return PurePosixPath(text.replace("\\", "/")).suffix.lower()


def chat_of(raw: str) -> object:
    """What promptfoo sends in place of a text: the data of a prompt that is JSON, or YAML with roles; else None."""
    stripped = raw.strip()
    if stripped.startswith("- role:"):
        try:
            return foreign_document(raw.encode("utf-8", "replace"), Path()).data
        except ProjectError:
            return None
    if not stripped.startswith(("[", "{")):
        return None
    try:
        return json.loads(stripped)
    except (ValueError, RecursionError):
        return None
