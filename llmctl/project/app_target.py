"""The user's own application as a target: where it is called, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from llmctl.errors import Place

__all__ = ["AppKind", "AppTarget", "CodeFile", "CommandCall", "HttpCall", "PythonCall", "SecretHeader"]


class AppKind(StrEnum):
    """How the application is reached; in results it stands where a model's name stands."""

    HTTP = "http"
    COMMAND = "command"
    PYTHON = "python"

    @property
    def runs_code(self) -> bool:
        """Whether code of the project runs on this machine, which its config must allow."""
        return self is not AppKind.HTTP


@dataclass(frozen=True, slots=True)
class SecretHeader:
    """A header's value that is read from the environment when it is sent, and never recorded."""

    env: str
    """The variable's name."""
    prefix: str = ""
    """What stands before the value: `Bearer `."""


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP request a case."""

    url: str
    """A template; its scheme and host stand in it as they are."""
    method: str = "POST"
    headers: Mapping[str, str | SecretHeader] = field(default_factory=dict)
    """Values are templates, or secrets."""
    body: object = None
    """None: no body. A text is one template; in a mapping or list every text is one. May hold `CaseReference`."""


@dataclass(frozen=True, slots=True)
class CommandCall:
    """One process a case: the variables as JSON on stdin, the answer on stdout."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PythonCall:
    """One call of a function a case, in a child process that stays alive."""

    file: str
    """Relative to the project's root, with `/` on every system."""
    function: str


@dataclass(frozen=True, slots=True)
class CodeFile:
    """A file of the project that the application is made of, as it was when the prompt was read."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class AppTarget:
    """What a prompt file says under `target`."""

    call: HttpCall | CommandCall | PythonCall
    output: str | None = None
    """JSON pointer into the answer; None: the whole text."""
    requests_per_minute: int | None = None
    concurrency: int | None = None
    timeout_s: float | None = None
    code: tuple[CodeFile, ...] = ()
    """The files that the call names and what they import from the project, sorted: another content is another call."""
    place: Place | None = None

    @property
    def answer_changing(self) -> AppTarget:
        """The target without what changes no answer: how often, how fast, and where it is written."""
        return replace(self, requests_per_minute=None, concurrency=None, timeout_s=None, place=None)

    @property
    def kind(self) -> AppKind:
        """How it is reached."""
        match self.call:
            case HttpCall():
                return AppKind.HTTP
            case CommandCall():
                return AppKind.COMMAND
            case PythonCall():
                return AppKind.PYTHON
