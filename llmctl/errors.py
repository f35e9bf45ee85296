"""Every error that llmctl raises on purpose, and the exit code each one ends a command with.

    LlmctlError                    a sentence for a person; ends the command
    ├── UsageError            2    wrong flag, name, file or empty selection; nothing was sent
    │   └── ProjectError      2    every located mistake in the files of the project, at once
    ├── UnfinishedError       4    key, provider, store or disk; what was done is kept
    │   ├── CredentialError   4    a model needs a key that is not in the environment
    │   ├── StoreError        4    the DuckDB file or a journal cannot be read or written
    │   └── ModelError        4    the local model or the embedding model cannot be started
    │       └── MissingWeightsError 4  its weights are not on this machine, and can be pulled
    └── StoppedError          5    a budget or a policy ended the run; what was done is kept

    EvaluatorError                 one evaluator could not judge one output: a row without a verdict

Failures of a single call are data (`llmctl.outcome.Outcome`), never exceptions that leave the gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from pathlib import Path

__all__ = [
    "CredentialError",
    "EvaluatorError",
    "ExitCode",
    "LlmctlError",
    "MissingWeightsError",
    "ModelError",
    "Place",
    "Problem",
    "ProjectError",
    "Severity",
    "StoppedError",
    "StoreError",
    "UnfinishedError",
    "UsageError",
]


class ExitCode(IntEnum):
    """What a command's exit status says; the table is in DESIGN and in `docs/commands.md`."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    UNFINISHED = 4
    STOPPED = 5
    INTERRUPTED = 130
    TERMINATED = 143


class Severity(Enum):
    """Whether a problem stops the command or is only said."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a user's file something stands. Lines, columns and rows count from 1."""

    file: Path
    line: int | None = None
    column: int | None = None
    cell: str | None = None
    """In a table: `row 41, column queue`."""

    def __str__(self) -> str:
        parts = [str(self.file)]
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        text = ":".join(parts)
        return f"{text} ({self.cell})" if self.cell else text


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a user's file: one plain sentence, its place, and a way out."""

    message: str
    place: Place | None = None
    hint: str | None = None
    """What to do, as one sentence: `Did you mean "temperature"?`"""
    excerpt: str | None = None
    """The line itself, so that it can be shown with a caret under the column."""
    severity: Severity = Severity.ERROR


class LlmctlError(Exception):
    """Base of every error that ends a command with one message instead of a traceback."""

    exit_code = ExitCode.UNFINISHED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LlmctlError):
    """The command, its flags or the files it names are wrong; nothing was sent."""

    exit_code = ExitCode.USAGE


class ProjectError(UsageError):
    """The project's files hold mistakes; carries all of them, not only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        count = len(problems)
        super().__init__(f"{count} {'problem' if count == 1 else 'problems'} in the project's files")
        self.problems = problems


class UnfinishedError(LlmctlError):
    """The command could not finish; what was done is kept."""


class CredentialError(UnfinishedError):
    """A model needs a key that the environment does not hold."""


class StoreError(UnfinishedError):
    """The store cannot be opened, read or written."""


class ModelError(UnfinishedError):
    """A model that runs on this machine cannot be found or started."""


class MissingWeightsError(ModelError):
    """The weights of a model that llmctl can download are not on this machine."""

    def __init__(self, model: str, message: str) -> None:
        super().__init__(message, hint="Run: llmctl models pull")
        self.model = model


class StoppedError(LlmctlError):
    """A budget or a policy ended the run."""

    exit_code = ExitCode.STOPPED


class EvaluatorError(Exception):
    """An evaluator could not judge an output: the result has no verdict, and is never a pass."""
