"""Which files of the project a program is made of: those it names, and what those import, read without running them."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from llmctl.errors import ProjectError
from llmctl.project.app_target import CodeFile
from llmctl.project.sources import Source

__all__ = ["FUNCTION", "CodeFiles", "binds", "parse_python", "project_path"]

FUNCTION = re.compile(r"(?P<file>[^:]+\.py):(?P<function>[A-Za-z_][A-Za-z0-9_]*)")
"""How a function of the project is named: `app/answer.py:answer`."""

_MAX_FILES = 5_000


@dataclass
class CodeFiles:
    """Gathers files with their hashes; a file that is not there, or cannot be read, is left out."""

    source: Source
    _found: dict[PurePosixPath, str] = field(default_factory=dict)
    _waiting: list[tuple[PurePosixPath, ast.Module]] = field(default_factory=list)

    def add(self, path: PurePosixPath) -> None:
        """A file, and what it imports where it is Python."""
        self._visit(path)
        above = [path.parent, *path.parent.parents]
        if path.suffix == ".py":
            for folder in above:
                self._visit(folder / "__init__.py")
        self._follow_imports(above)

    def add_module(self, name: str) -> None:
        """A module by its dotted name, as `python -m` finds it in the project's root."""
        for path in _module_files(name.split("."), [PurePosixPath()]):
            self._visit(path)
        self._follow_imports([PurePosixPath()])

    def add_arguments(self, argv: tuple[str, ...]) -> None:
        """What a command names: `python app/main.py --rules=app/rules.yaml`, `python -m app.main`."""
        for before, argument in zip(("", *argv), argv, strict=False):
            if before == "-m":
                self.add_module(argument)
            for named in (argument, argument.partition("=")[2]):
                path = PurePosixPath(named)
                if named.isprintable() and path.name and not path.is_absolute() and ".." not in path.parts:
                    self.add(path)

    @property
    def found(self) -> tuple[CodeFile, ...]:
        """Everything that was found, sorted by path."""
        return tuple(CodeFile(str(path), sha256) for path, sha256 in sorted(self._found.items()))

    def _visit(self, path: PurePosixPath) -> None:
        if path in self._found or len(self._found) >= _MAX_FILES:
            return
        try:
            data = self.source.read(path)
        except (ProjectError, RuntimeError):  # RuntimeError: a link that leads to itself
            return
        # A checkout on another system may have other line ends; it is the same program.
        self._found[path] = hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()
        tree = parse_python(data) if path.suffix == ".py" else None
        if isinstance(tree, ast.Module):
            self._waiting.append((path, tree))

    def _follow_imports(self, folders: list[PurePosixPath]) -> None:
        """`folders` are those in which the program may look for modules."""
        while self._waiting:
            path, tree = self._waiting.pop()
            for candidate in _imported(tree, path, folders):
                self._visit(candidate)


def project_path(named: str) -> PurePosixPath | None:
    """The path of a file of the project, relative to its root; None: the text names none."""
    path = PurePosixPath(named)
    outside = not named.isprintable() or "\\" in named or path.is_absolute() or ".." in path.parts
    return None if outside else path


def parse_python(data: bytes) -> ast.Module | SyntaxError:
    """The program, or what is wrong with it."""
    try:
        return ast.parse(data)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes; nested too deep
        return SyntaxError(str(error) or "nested too deep")


def binds(tree: ast.Module, name: str) -> bool:
    """Whether the module may have a value of this name."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() if node.name == name:
                return True
            case ast.Name(id=bound, ctx=ast.Store()) if bound == name:
                return True
            case ast.alias() if node.name == "*" or (node.asname or node.name) == name:
                return True
    return False


def _imported(tree: ast.Module, path: PurePosixPath, folders: list[PurePosixPath]) -> Iterator[PurePosixPath]:
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield from _module_files(alias.name.split("."), folders)
            case ast.ImportFrom():
                base, inside = (node.module or "").split("."), folders
                if node.level:
                    above = [path.parent, *path.parent.parents]
                    inside = above[node.level - 1 : node.level]
                for alias in node.names:
                    yield from _module_files([*filter(None, base), alias.name], inside)


def _module_files(names: list[str], folders: Iterable[PurePosixPath]) -> Iterator[PurePosixPath]:
    """Where a dotted name and the packages around it may lie."""
    for folder in folders:
        for depth in range(1, len(names) + 1):
            module = folder.joinpath(*names[:depth])
            yield module / "__init__.py"
            yield module.parent / f"{module.name}.py"
