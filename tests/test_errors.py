"""The error tree: exit codes, places, and problems that travel together."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmctl import errors
from llmctl.errors import ExitCode, LlmctlError, Place, Problem, ProjectError, Severity


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError, 2),
        (errors.ProjectError, 2),
        (errors.UnfinishedError, 4),
        (errors.CredentialError, 4),
        (errors.StoreError, 4),
        (errors.ModelError, 4),
        (errors.StoppedError, 5),
    ],
)
def test_exit_codes(error: type[LlmctlError], code: int) -> None:
    assert error.exit_code == code
    assert issubclass(error, LlmctlError)


def test_every_error_has_an_exit_code_from_the_table() -> None:
    raised = [value for name in errors.__all__ if isinstance(value := getattr(errors, name), type)]
    ending = [kind for kind in raised if issubclass(kind, LlmctlError)]
    assert len(ending) == 9
    assert all(isinstance(kind.exit_code, ExitCode) for kind in ending)
    assert not issubclass(errors.EvaluatorError, LlmctlError)


def test_every_error_is_in_the_drawn_tree() -> None:
    assert errors.__doc__ is not None
    for name in errors.__all__:
        value = getattr(errors, name)
        if isinstance(value, type) and issubclass(value, Exception):
            assert f"{name} " in errors.__doc__


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place(Path("a.yaml")), "a.yaml"),
        (Place(Path("a.yaml"), 3), "a.yaml:3"),
        (Place(Path("a.yaml"), 3, 7), "a.yaml:3:7"),
        (Place(Path("a.yaml"), None, 7), "a.yaml"),
        (Place(Path("t.csv"), 44, None, "row 41, column queue"), "t.csv:44 (row 41, column queue)"),
        (Place(Path("t.xlsx"), cell="row 41"), "t.xlsx (row 41)"),
    ],
)
def test_a_place_reads_like_a_compiler_says_it(place: Place, text: str) -> None:
    assert str(place) == text


def test_a_project_error_carries_every_problem() -> None:
    one = ProjectError([Problem("a")])
    two = ProjectError([Problem("a"), Problem("b", severity=Severity.WARNING)])
    assert one.message == str(one) == "1 problem in the project's files"
    assert two.message == "2 problems in the project's files"
    assert [problem.message for problem in two.problems] == ["a", "b"]


def test_a_hint_stays_apart_from_the_message() -> None:
    error = errors.UsageError("There is no prompt tirage.", hint='Did you mean "triage"?')
    assert (error.message, error.hint) == ("There is no prompt tirage.", 'Did you mean "triage"?')
