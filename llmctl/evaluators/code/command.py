"""A command of the project judges the output: JSON on its stdin, its exit code or JSON on its stdout back."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import SETTING, Context, Evaluator, Score
from llmctl.evaluators.code.files import command_digest, require_allowed, require_program
from llmctl.evaluators.code.judgement import Said, read_judgement
from llmctl.evaluators.code.limits import check_rules
from llmctl.evaluators.code.message import context_data, to_bytes
from llmctl.evaluators.findings import ArgumentError, Finding
from llmctl.evaluators.texts import Texts
from llmctl.evaluators.wording import quote
from llmctl.processes.command import CannotStart, Ended, run_command
from llmctl.project.models import EvaluatorSettings

__all__ = ["Command"]

_LARGEST = 1024 * 1024
_PASSED, _FAILED = 0, 1


@dataclass(frozen=True, slots=True)
class Command(Evaluator):
    """A command of the project judges the output: exit code 0 passes, 1 fails, and every other one breaks."""

    name: ClassVar = "command"
    value_field: ClassVar = "argv"
    runs_code: ClassVar = True

    argv: Texts
    """The program and its arguments; no shell reads them."""
    threshold: float | None = None
    """The smallest `score` that passes, where the command says one; None: every score above 0."""
    pass_labels: Texts | None = None
    """The labels that pass, where the command says one."""
    timeout_s: float = 10.0
    allow_code: bool = field(default=False, metadata=SETTING)
    root: Path = field(default=Path(), metadata=SETTING)
    _digest: str = field(init=False, repr=False, compare=False)
    _said: Said = field(init=False, repr=False, compare=False)

    @classmethod
    def defaults(cls, settings: EvaluatorSettings) -> Mapping[str, object]:
        """Where the project lies, and whether its code may run."""
        return {"allow_code": settings.allow_code, "root": settings.root}

    def __post_init__(self) -> None:
        require_allowed(self.name, self.allow_code)
        check_rules(self.threshold, self.timeout_s)
        require_program(self.root, self.argv[0])
        if any("\0" in argument for argument in self.argv):
            raise ArgumentError([Finding("an argument cannot hold a NUL character", ("argv",))])
        object.__setattr__(self, "_digest", command_digest(self.root, self.argv))
        object.__setattr__(self, "_said", Said(self.argv[0], self.threshold, self.pass_labels))

    def score(self, context: Context) -> Awaitable[Score]:
        """Run the command."""
        return self._score(to_bytes(context_data(context)) + b"\n")

    def identity(self) -> object:
        """The content of the project's files that the command names."""
        return self._digest

    async def _score(self, data: bytes) -> Score:
        from llmctl.evaluators.code.host import run_code

        output = bytearray()
        ended = await run_code(lambda _: self._run(data, output))
        return self._judged(ended, output.decode("utf-8", "replace").strip())

    async def _run(self, data: bytes, output: bytearray) -> Ended:
        import asyncio

        def take(chunk: bytes) -> bool:
            output.extend(chunk)
            return len(output) <= _LARGEST

        try:
            async with asyncio.timeout(self.timeout_s):
                return await run_command(self.argv, data, take, cwd=self.root, environ=os.environ)
        except TimeoutError:
            raise EvaluatorError(f"{self.argv[0]} did not end within {self.timeout_s:g} s") from None
        except CannotStart as error:
            raise EvaluatorError(f"{self.argv[0]} cannot be started: {error}") from None

    def _judged(self, ended: Ended, output: str) -> Score:
        if ended.status is None:
            raise EvaluatorError(f"the output of {self.argv[0]} is too large: more than {_LARGEST // 2**20} MB")
        if ended.status not in (_PASSED, _FAILED):
            raise EvaluatorError(f"{self.argv[0]} did not judge (exit code 0 passes, 1 fails). {ended}".rstrip("."))
        judgement = _judgement(output)
        if judgement is None:
            passed = ended.status == _PASSED
            said = output or ended.complaint
            words = f"{self.argv[0]} ended with exit code {ended.status}{f': {quote(said)}' if said else ''}."
            return Score(float(passed), passed, words)
        score = read_judgement(judgement, self._said)
        if score.passed and ended.status == _FAILED:
            raise EvaluatorError(f"{self.argv[0]} says that the output passes, and ended with exit code 1")
        return score


def _judgement(output: str) -> dict[str, Any] | None:
    """The judgement on stdout; None: what stands there is none, and the exit code decides."""
    if not output.startswith("{"):
        return None
    try:
        value = json.loads(output)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value.keys() & {"score", "passed", "pass", "label"} else None
