"""`target:` in a prompt file: the user's own application in place of a model and its messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Discriminator, Field, Tag

from llmctl.errors import Place, Problem
from llmctl.project.app_target import AppTarget, CommandCall, HttpCall, PythonCall, SecretHeader
from llmctl.project.code_files import FUNCTION, CodeFiles, binds, parse_python, project_path
from llmctl.project.json_pointer import split_pointer
from llmctl.project.key_guard import looks_like_key
from llmctl.project.models import CaseReference
from llmctl.project.references import Companions, read_file
from llmctl.project.shape_errors import quoted_list
from llmctl.project.shapes import Maybe, Name, Number, Shape, Text, TextList, Whole
from llmctl.project.syntax.document import DataPath, Document
from llmctl.project.templates.budget import TemplateError
from llmctl.project.templates.render import compile_template

__all__ = ["TargetShape", "target_of"]

_ONE_OR_MORE = Annotated[Whole, Field(ge=1)]
_KINDS = ("http", "command", "python")
_LITERAL_HOST = re.compile(r"https?://[A-Za-z0-9.:@%_\[\]-]+(?:[/?#]|$)")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_SETTABLE = frozenset({"connection", "content-length", "host", "transfer-encoding"})


class SecretShape(Shape):
    """A header's value that is read from the environment."""

    tag: ClassVar[str] = "<secret>"

    env: Name
    prefix: Text = ""


def _header_kind(value: object) -> str:
    return "<secret>" if isinstance(value, dict | SecretShape) else "<text>"


HeaderValue = Annotated[
    Annotated[Text, Tag("<text>")] | Annotated[SecretShape, Tag("<secret>")],
    Discriminator(_header_kind),
]


class HttpShape(Shape):
    """`http:`."""

    url: Name
    method: Maybe[Literal["GET", "POST", "PUT", "PATCH", "DELETE"]] = None
    headers: dict[str, HeaderValue] = Field(default_factory=dict)
    body: Any = None
    output: Maybe[Text] = None


class TargetShape(Shape):
    """`target:`."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [kind]} for kind in _KINDS]})

    http: Maybe[HttpShape] = None
    command: Maybe[Annotated[list[Text], Field(min_length=1)]] = None
    python: Maybe[Name] = None
    output: Maybe[Text] = None
    files: TextList = Field(default_factory=list)
    requests_per_minute: Maybe[_ONE_OR_MORE] = None
    concurrency: Maybe[Annotated[_ONE_OR_MORE, Field(le=10_000)]] = None
    timeout_s: Maybe[Annotated[Number, Field(gt=0)]] = None


def target_of(shape: TargetShape, companions: Companions) -> AppTarget | None:
    """The target of a prompt file, or None with every mistake added to the problems of `companions`."""
    reader = _Reader(shape, companions, companions.document)
    before = len(companions.problems)
    call = reader.call()
    output = reader.output()
    code = reader.code(call)
    if call is None or len(companions.problems) > before:
        return None
    return AppTarget(
        call=call,
        output=output,
        requests_per_minute=shape.requests_per_minute,
        concurrency=shape.concurrency,
        timeout_s=shape.timeout_s,
        code=code.found,
        place=reader.document.place(("target", *reader.kinds), key=True),
    )


class _Reader:
    """Turns the shape into a target, part by part."""

    def __init__(self, shape: TargetShape, companions: Companions, document: Document) -> None:
        self.shape = shape
        self.companions = companions
        self.document = document
        self.kinds = [kind for kind in _KINDS if getattr(shape, kind) is not None]

    def call(self) -> HttpCall | CommandCall | PythonCall | None:
        """What is called; None with a problem."""
        if len(self.kinds) != 1:
            known = quoted_list(_KINDS)
            self._report(("target",), f"A target has one of {known}, not {len(self.kinds) or 'none'} of them.")
            return None
        if self.shape.http is not None:
            return self._http(self.shape.http)
        if self.shape.command is not None:
            return self._command(self.shape.command)
        return self._python(self.shape.python or "")

    def output(self) -> str | None:
        """The pointer, which may stand beside the kind or inside `http`."""
        places: list[tuple[DataPath, str | None]] = [(("target", "output"), self.shape.output)]
        if self.shape.http is not None:
            places.append((("target", "http", "output"), self.shape.http.output))
        given = [(path, pointer) for path, pointer in places if pointer is not None]
        if len(given) > 1:
            self._report(given[1][0], "`output` stands twice: beside `http` and inside it.", "Keep one.", key=True)
        for path, pointer in given:
            try:
                split_pointer(pointer or "")
            except ValueError as error:
                self._report(path, f"`output` {error}.", "Write a JSON pointer, such as /answer.")
        return given[0][1] if given else None

    def code(self, call: HttpCall | CommandCall | PythonCall | None) -> CodeFiles:
        """The files that the program is made of; those of `files` must be there."""
        files = CodeFiles(self.companions.source)
        for index, named in enumerate(self.shape.files):
            at = ("target", "files", index)
            path = self._project_path(named, at)
            if path is not None and self._read(path, at) is not None:
                files.add(path)
        match call:
            case PythonCall(file=file):
                files.add(PurePosixPath(file))
            case CommandCall(argv=argv):
                files.add_arguments(argv)
        return files

    def _http(self, shape: HttpShape) -> HttpCall:
        at = ("target", "http")
        self._check_url(shape.url, (*at, "url"))
        for name, value in shape.headers.items():
            self._check_header(name, value, (*at, "headers", name))
        body = self.companions.resolve(shape.body, (*at, "body"))
        method = shape.method or ("GET" if body is None else "POST")
        if body is None and method in ("POST", "PUT", "PATCH"):
            self._report((*at, "method"), f"A {method} request needs a `body`.")
        if body is not None and method in ("GET", "DELETE"):
            self._report((*at, "method"), f"A {method} request has no `body`.")
        for path, leaf in _leaves(body, (*at, "body")):
            self._check_leaf(leaf, path)
        headers = {
            name: SecretHeader(value.env, value.prefix) if isinstance(value, SecretShape) else value
            for name, value in shape.headers.items()
        }
        return HttpCall(shape.url, method, headers, body)

    def _check_url(self, url: str, at: DataPath) -> None:
        hint = "Write it like https://host/path; values of a case may come after the host."
        if not _LITERAL_HOST.match(url):
            self._report(at, "`url` must begin with http:// or https:// and a host, without a template in them.", hint)
            return
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018  # raises for a port that is no number
        except ValueError:
            self._report(at, "`url` is no address.", hint)
            return
        if not parts.username and not parts.password:  # key_guard says it, without showing the line
            self._check_template(url, at)

    def _check_header(self, name: str, value: str | SecretShape, at: DataPath) -> None:
        if not _HEADER.fullmatch(name):
            self._report(at, f"`{name}` cannot be the name of a header.", key=True)
        elif name.lower() in _NOT_SETTABLE:
            self._report(at, f"The header `{name}` is set by llmctl itself.", "Delete it.", key=True)
        if isinstance(value, str):
            self._check_template(value, at)
        elif not _VARIABLE.fullmatch(value.env) and not looks_like_key(value.env):
            message = "`env` is the name of an environment variable, like APP_TOKEN."
            self.companions.problems.append(self.document.problem((*at, "env"), message, secret=True))

    def _check_leaf(self, leaf: object, at: DataPath) -> None:
        if isinstance(leaf, str):
            self._check_template(leaf, at)
        elif isinstance(leaf, CaseReference) and leaf.path[0] != "vars":
            hint = "Write {from: vars.NAME}."
            self._report(at, "What is expected of the application is not sent to it.", hint)

    def _check_template(self, text: str, at: DataPath) -> None:
        try:
            compile_template(text)
        except TemplateError as error:
            self._report(at, f"The template cannot be read: {error.message}.")

    def _command(self, argv: list[str]) -> CommandCall:
        if not argv[0].strip():
            self._report(("target", "command", 0), "The name of the program is empty.")
        for index, argument in enumerate(argv):
            if "\0" in argument:
                self._report(("target", "command", index), "An argument cannot hold a NUL character.")
        return CommandCall(tuple(argv))

    def _python(self, named: str) -> PythonCall | None:
        at = ("target", "python")
        match = FUNCTION.fullmatch(named)
        if not match:
            self._report(at, "`python` names a file and a function in it.", "Write it like app/answer.py:answer.")
            return None
        path = self._project_path(match["file"], at)
        data = self._read(path, at) if path else None
        if path is None or data is None:
            return None
        tree = parse_python(data)
        if isinstance(tree, SyntaxError):
            said = (tree.msg or "it is no program").rstrip(".")
            place = Place(Path(path), tree.lineno, tree.offset)
            self.companions.problems.append(Problem(f"This is no Python: {said}.", place))
        elif not binds(tree, match["function"]):
            self._report(at, f"{path} has no function `{match['function']}`.")
        return PythonCall(str(path), match["function"])

    def _project_path(self, named: str, at: DataPath) -> PurePosixPath | None:
        path = project_path(named)
        if path is None:
            hint = "Name a file below the one that holds llmctl.toml, with / between names."
            self._report(at, f"`{named}` is no file of this project.", hint)
        return path

    def _read(self, path: PurePosixPath, at: DataPath) -> bytes | None:
        return read_file(self.companions.source, path, self.companions.problems, asked_by=self.document, at=at)

    def _report(self, at: DataPath, message: str, hint: str | None = None, *, key: bool = False) -> None:
        self.companions.problems.append(self.document.problem(at, message, hint, key=key))


def _leaves(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], object]]:
    match value:
        case Mapping():
            for key, item in value.items():
                yield from _leaves(item, (*path, str(key)))
        case list():
            for index, item in enumerate(value):
                yield from _leaves(item, (*path, index))
        case _:
            yield path, value
