"""A project with every kind of mistake once: each is found on its line, in its words, and nothing else is.

A line that holds a mistake says so itself: `# problem: words | words of the hint` (`-`: no hint).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmctl.errors import Problem, ProjectError
from llmctl.project.loader import load_config, load_project
from llmctl.project.sources import WorkingTree

FOLDER = Path(__file__).parent / "thirty_mistakes"
EVALUATORS = frozenset({"exact", "contains", "one_of"})
MARKER = re.compile(r"# problem: (?P<words>.*?) \| (?P<hint>.*?)\s*(?=# problem:|$)")


@dataclass(frozen=True)
class Expected:
    file: str
    line: int | None
    words: str
    hint: str

    def matches(self, problem: Problem) -> bool:
        place = problem.place
        return (
            place is not None
            and (str(place.file), place.line) == (self.file, self.line)
            and self.words in problem.message
            and (problem.hint is None if self.hint == "-" else self.hint in (problem.hint or ""))
        )


def marked(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Expected]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in suffixes:
            for number, line in enumerate(path.read_text("latin-1").splitlines(), start=1):
                for found in MARKER.finditer(line):
                    yield Expected(path.relative_to(FOLDER).as_posix(), number, found["words"], found["hint"])


def unmatched(problems: list[Problem], expected: list[Expected]) -> tuple[list[Expected], list[str]]:
    """What was expected and not found, and what was found and not expected."""
    left, missing = list(problems), []
    for one in expected:
        found = next((problem for problem in left if one.matches(problem)), None)
        if found is None:
            missing.append(one)
        else:
            left.remove(found)
    return missing, [f"{problem.place}: {problem.message} {problem.hint}" for problem in left]


NOT_MARKED = [
    Expected("prompts/empty.yaml", None, "The file is empty", "-"),
    Expected("testbanks/rows.csv", 3, "`must_pass` must be true or false, not the text `perhaps`", "-"),
]


def project_problems() -> list[Problem]:
    config = load_config(FOLDER / "llmctl.toml", {})
    loaded = load_project(config, WorkingTree(config.root), EVALUATORS)
    for bank in loaded.banks.values():
        deque(bank.read_cases(loaded.problems), maxlen=0)
    return loaded.problems


def test_every_mistake_of_the_files_is_found_once_and_nothing_else() -> None:
    expected = [*marked(FOLDER / "prompts", (".yaml",)), *marked(FOLDER / "testbanks", (".yaml",)), *NOT_MARKED]
    assert len(expected) >= 45
    assert unmatched(project_problems(), expected) == ([], [])


def test_problems_are_sorted_by_file_and_line() -> None:
    config = load_config(FOLDER / "llmctl.toml", {})
    problems = load_project(config, WorkingTree(config.root), EVALUATORS).problems
    places = [(str(one.place.file), one.place.line or 0) for one in problems if one.place]
    assert places == sorted(places)


def test_every_mistake_of_a_config_is_found_once_and_nothing_else() -> None:
    with pytest.raises(ProjectError) as caught:
        load_config(FOLDER / "broken.toml", {})
    expected = list(marked(FOLDER, (".toml",)))
    assert len(expected) >= 15
    assert unmatched(caught.value.problems, expected) == ([], [])


def test_a_line_with_a_key_in_it_is_never_shown() -> None:
    with pytest.raises(ProjectError) as caught:
        load_config(FOLDER / "broken.toml", {})
    assert all("sk-not" not in str(problem) for problem in caught.value.problems)


def test_every_problem_shows_its_line() -> None:
    for problem in project_problems():
        assert problem.place is not None
        if problem.place.file.suffix == ".yaml" and problem.place.line:
            lines = (FOLDER / problem.place.file).read_text("utf-8", "replace").split("\n")
            assert problem.excerpt is not None
            assert problem.excerpt.rstrip("…") in lines[problem.place.line - 1].replace("\t", " ")


def test_a_spreadsheet_is_named_by_row_and_column() -> None:
    cells = [one.place.cell for one in project_problems() if one.place and one.place.cell]
    assert cells == ["row 3, column urgent"]
