"""A promptfoo config as it lies on disk: its data, where each part stands, and the files around it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from llmctl.errors import Place, Problem, ProjectError, UsageError
from llmctl.importers.conversion import Notes
from llmctl.importers.foreign_files import SCHEME, ForeignFiles
from llmctl.importers.foreign_yaml import MAX_VALUES
from llmctl.project.syntax.document import Document

__all__ = ["At", "Reader", "children", "code_file", "javascript_text", "names_file", "open_config", "refusal"]

_NAMES = tuple(f"promptfooconfig.{ending}" for ending in ("yaml", "yml", "json"))
_CODE = re.compile(r"\.(?:[cm]?[jt]s|py|rb|go)(?::[\w.]+)?$")
_MAX_DEPTH = 8
"""Files inside files."""
_ENV = re.compile(r"\{\{\s*env(?:\.(\w+)|\[['\"]([^'\"]+)['\"]\])\s*\}\}")
_SECRET = re.compile(r"key|token|secret|password|credential", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class At:
    """A value of a file, by its path in the data; or a place that is known already."""

    document: Document
    path: tuple[str | int, ...] = ()
    fixed: Place | None = None
    """The cell or row of a table."""

    def __truediv__(self, step: str | int) -> At:
        return At(self.document, (*self.path, step), self.fixed)

    @property
    def place(self) -> Place:
        """Where the value stands."""
        return self.fixed or self.document.place(self.path)


@dataclass(slots=True)
class Reader:
    """Reads the config and the files that it names; what is odd goes to the notes."""

    files: ForeignFiles
    notes: Notes
    at: At
    data: Mapping[str, object]
    environment: Mapping[str, str] = field(default_factory=dict)
    """The values of `env:` that are no secrets."""
    open_files: list[PurePosixPath] = field(default_factory=list)

    def document(self, named: str, at: At) -> Document:
        """A YAML or JSON file that is named in the config or in another file.

        Raises:
            ProjectError: it cannot be read, or files lead back to themselves.
        """
        path = self.files.path(named, at.place)
        if path in self.open_files or len(self.open_files) >= _MAX_DEPTH:
            reason = "leads back to itself" if path in self.open_files else f"is the {_MAX_DEPTH + 1}th inside another"
            raise refusal(f"The file {path} {reason}.", at.place)
        document = self.files.document(path, at.place)
        return Document(
            document.file, document.content, self.settled(document.data, document), locator=document.locator
        )

    def settled(self, data: object, document: Document) -> object:
        """The data with `$ref` into its own file and `{{ env.X }}` filled in."""
        return _Settling(self, document, data).value(data, ())


def open_config(path: Path, notes: Notes) -> Reader:
    """The config in a file, or in a folder under its usual name.

    Raises:
        UsageError: there is none, or it is a program.
        ProjectError: it cannot be read.
    """
    if path.is_dir():
        found = next((path / name for name in _NAMES if (path / name).is_file()), None)
        if found is None:
            raise UsageError(f"There is no {_NAMES[0]} in {path}.")
        path = found
    if code_file(path.name):
        hint = f"Write out what it exports as YAML, and import that: it has the keys of {_NAMES[0]}."
        raise UsageError(f"{path} is a program: what it makes cannot be converted.", hint=hint)
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    files = ForeignFiles(path.resolve().parent)
    document = files.document(PurePosixPath(path.resolve().name), None)
    if not isinstance(document.data, dict):
        raise refusal("The file is no promptfoo config: it holds no mapping with `prompts` and `tests`.", Place(path))
    reader = Reader(files, notes, At(document), document.data)
    reader.environment = _declared(document.data.get("env"))
    settled = reader.settled(document.data, document)
    reader.data = settled if isinstance(settled, dict) else {}
    return reader


def refusal(message: str, place: Place | None) -> ProjectError:
    """A mistake that ends the import."""
    return ProjectError([Problem(message, place)])


def code_file(named: str) -> bool:
    """Whether a name, with a function behind it or not, is that of a program's file."""
    return _CODE.search(named) is not None


def javascript_text(value: object) -> str:
    """A scalar as JavaScript's `String()` writes it: `1.0` is `1`, null is nothing, a list its items with commas."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
        case list():
            return ",".join(javascript_text(item) for item in value)
        case _:
            return str(value)


def _declared(env: object) -> Mapping[str, str]:
    if not isinstance(env, dict):
        return {}
    return {key: javascript_text(value) for key, value in env.items() if not _SECRET.search(key)}


class _Settling:
    """Fills in what promptfoo fills in when it loads a file."""

    def __init__(self, reader: Reader, document: Document, root: object) -> None:
        self._reader = reader
        self._document = document
        self._root = root
        self._values = 0

    def value(self, value: object, path: tuple[str | int, ...], open_refs: tuple[str, ...] = ()) -> object:
        self._values += 1
        if self._values > MAX_VALUES:
            message = f"The file has more than {MAX_VALUES:,} values, counting what its references stand for."
            raise refusal(message, self._document.place(path))
        match value:
            case str():
                return self._text(value, path)
            case list():
                return [self.value(item, (*path, index), open_refs) for index, item in enumerate(value)]
            case dict() if isinstance(value.get("$ref"), str) and not _in_schema(path):
                return self._referred(str(value["$ref"]), value, path, open_refs)
            case dict():
                return {key: self.value(item, (*path, key), open_refs) for key, item in value.items()}
            case _:
                return value

    def _referred(
        self, reference: str, value: Mapping[str, object], path: tuple[str | int, ...], open_refs: tuple[str, ...]
    ) -> object:
        place = self._document.place(path)
        if reference in open_refs:
            raise refusal(f"The reference `{reference}` leads back to itself.", place)
        if not reference.startswith("#/"):
            self._reader.notes.left_out(f"$ref: {reference}", "Only references into the same file are followed.", place)
            return {key: item for key, item in value.items() if key != "$ref"}
        found = self._root
        for step in reference[2:].split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and key in found:
                found = found[key]
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                raise refusal(f"The reference `{reference}` leads nowhere.", place)
        return self.value(found, path, (*open_refs, reference))

    def _text(self, text: str, path: tuple[str | int, ...]) -> str:
        if "{{" not in text or "env" not in text:
            return text

        def filled(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            known = self._reader.environment.get(name)
            if known is None:
                why = "Values of the environment are not written into files; the text stays as it is."
                if not _is_secret_place(path):
                    self._reader.notes.left_out(match[0], why, self._document.place(path))
                return match[0]
            return known

        return _ENV.sub(filled, text)


def _is_secret_place(path: tuple[str | int, ...]) -> bool:
    """Where a variable of the environment becomes `api_key_env` or a secret header."""
    return path[-1:] == ("apiKey",) or path[-2:-1] == ("headers",)


def _in_schema(path: tuple[str | int, ...]) -> bool:
    """Inside the parameters of a tool a `$ref` is JSON Schema's own."""
    return any(step in ("parameters", "schema", "input_schema", "functions") for step in path)


def names_file(named: object) -> bool:
    """Whether a value names a file."""
    return isinstance(named, str) and named.startswith(SCHEME)


def children(value: object) -> Iterator[object]:
    """The items of a list; a single value stands for a list of one."""
    yield from value if isinstance(value, list) else [value]
