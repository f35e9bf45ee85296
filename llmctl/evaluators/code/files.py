"""Code of the project that an evaluator runs: allowed by the config, lying there, known by the content of its files."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from llmctl.canonical import digest
from llmctl.errors import ProjectError
from llmctl.evaluators.findings import ArgumentError, Finding
from llmctl.project.code_files import FUNCTION, CodeFiles, binds, parse_python, project_path
from llmctl.project.sources import WorkingTree

__all__ = ["ProjectFunction", "command_digest", "find_function", "require_allowed", "require_program"]

_ALLOW = "Add `allow_code = true` under [project] in llmctl.toml."
_BELOW = "Name a file below the one that holds llmctl.toml, with / between names."


@dataclass(frozen=True, slots=True)
class ProjectFunction:
    """A function in a file of the project."""

    root: Path
    file: str
    """Relative to the root, with `/` on every system."""
    function: str
    digest: str
    """Of the file and of all that it imports from the project: another content is other code."""

    def __str__(self) -> str:
        """As banks name it."""
        return f"{self.file}:{self.function}"


def require_allowed(name: str, allowed: bool) -> None:
    """Raise ArgumentError where the config does not allow code to run."""
    if not allowed:
        raise ArgumentError([Finding(f"`{name}` runs code, which llmctl.toml does not allow", hint=_ALLOW)])


def find_function(root: Path, named: str) -> ProjectFunction:
    """The function that a bank names as `checks.py:polite`. Its file is read, and nothing of it is run.

    Raises:
        ArgumentError: there is no such file below the root, it is no Python, or it has no such function.
    """
    match = FUNCTION.fullmatch(named)
    if match is None:
        message, hint = "`python` names a file and a function in it", "Write it like checks.py:polite."
        raise ArgumentError([Finding(message, ("function",), hint)])
    path = project_path(match["file"])
    if path is None:
        raise ArgumentError([Finding(f"`{match['file']}` is no file of this project", ("function",), _BELOW)])
    source = WorkingTree(root)
    _require_function(source, path, match["function"])
    files = CodeFiles(source)
    files.add(path)
    content = digest([(file.path, file.sha256) for file in files.found])
    return ProjectFunction(source.root, str(path), match["function"], content)


def _require_function(source: WorkingTree, path: PurePosixPath, function: str) -> None:
    try:
        tree = parse_python(source.read(path))
    except ProjectError as error:
        findings = [Finding(problem.message, ("function",), problem.hint) for problem in error.problems]
        raise ArgumentError(findings) from None
    if isinstance(tree, SyntaxError):
        line = f", line {tree.lineno}" if tree.lineno else ""
        raise ArgumentError(
            [Finding(f"this is no Python: {tree.msg or 'it cannot be read'} ({path}{line})", ("function",))]
        )
    if not binds(tree, function):
        raise ArgumentError([Finding(f"there is no function `{function}` in {path}", ("function",))])


def require_program(root: Path, program: str) -> None:
    """Raise ArgumentError where there is no such program: on the search path, or by its path from the root."""
    if not program.strip() or "\0" in program:
        raise ArgumentError([Finding("the name of the program is empty or holds a NUL character", ("argv", 0))])
    by_path = "/" in program or "\\" in program
    found = (root / program).is_file() if by_path else shutil.which(program) is not None
    if not found:
        where = "in the project's directory" if by_path else "on this machine's search path (PATH)"
        raise ArgumentError([Finding(f"there is no program {program} {where}", ("argv", 0))])
    if by_path and not os.access(root / program, os.X_OK):
        raise ArgumentError([Finding(f"the program {program} cannot be run", ("argv", 0), f"Run: chmod +x {program}")])


def command_digest(root: Path, argv: tuple[str, ...]) -> str:
    """The content of the project's files that a command names."""
    files = CodeFiles(WorkingTree(root))
    files.add_arguments(argv)
    return digest([(file.path, file.sha256) for file in files.found])
