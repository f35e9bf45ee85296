"""The rows of another tool's dataset, all of them or an error that says why not."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path, PurePosixPath

from llmctl.errors import Place, Problem, ProjectError, Severity
from llmctl.importers.conversion import Notes
from llmctl.project.sources import Source
from llmctl.project.tables import Row, read_table

__all__ = ["dataset_rows", "note_warnings"]

_LFS = b"version https://git-lfs.github.com/spec/"


def dataset_rows(tree: Source, path: PurePosixPath, notes: Notes, asked_at: Place | None = None) -> list[Row]:
    """Every row of a table.

    Raises:
        ProjectError: it is missing, lies outside the source's folder, is only a pointer of Git LFS, or holds mistakes.
    """
    problems: list[Problem] = []
    with tree.open(path, asked_at=asked_at) as stream:
        if stream.read(len(_LFS)) == _LFS:
            said = f"{path} is a pointer of Git LFS, and not the file itself."
            raise ProjectError([Problem(said, asked_at or Place(Path(path)), "Run `git lfs pull` where it lies.")])
        stream.seek(0)
        table = read_table(stream, path, problems)
        with closing(table.rows):
            rows = list(table.rows)
    note_warnings(problems, notes)
    if not rows:
        raise ProjectError([Problem(f"{path} holds no rows.", asked_at or Place(Path(path)))])
    return rows


def note_warnings(problems: list[Problem], notes: Notes) -> None:
    """Warnings of a table as notes.

    Raises:
        ProjectError: there are errors among them.
    """
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise ProjectError(problems)
    for problem in problems:
        notes.changed("table", problem.message, problem.place)
    problems.clear()
