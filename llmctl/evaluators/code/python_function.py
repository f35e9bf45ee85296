"""A Python function of the project judges the output."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from llmctl.canonical import plain
from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import SETTING, Context, Evaluator, Score, Text
from llmctl.evaluators.code.files import ProjectFunction, find_function, require_allowed
from llmctl.evaluators.code.judgement import Said, read_judgement
from llmctl.evaluators.code.limits import check_rules
from llmctl.evaluators.code.message import context_data
from llmctl.evaluators.findings import ArgumentError, Finding
from llmctl.evaluators.texts import Texts
from llmctl.evaluators.wording import listed
from llmctl.project.models import EvaluatorSettings

__all__ = ["Python"]


@dataclass(frozen=True, slots=True)
class Python(Evaluator):
    """A Python function of the project judges the output, in a process of its own and within a time limit."""

    name: ClassVar = "python"
    value_field: ClassVar = "function"
    runs_code: ClassVar = True

    function: Text
    """File and function: `checks.py:polite`."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Passed on by name, after the context."""
    threshold: float | None = None
    """The smallest number that passes; None: every number above 0."""
    pass_labels: Texts | None = None
    """The labels that pass, where the function returns one."""
    timeout_s: float = 10.0
    allow_code: bool = field(default=False, metadata=SETTING)
    root: Path = field(default=Path(), metadata=SETTING)
    _code: ProjectFunction = field(init=False, repr=False, compare=False)
    _said: Said = field(init=False, repr=False, compare=False)

    @classmethod
    def defaults(cls, settings: EvaluatorSettings) -> Mapping[str, object]:
        """Where the project lies, and whether its code may run."""
        return {"allow_code": settings.allow_code, "root": settings.root}

    def __post_init__(self) -> None:
        require_allowed(self.name, self.allow_code)
        check_rules(self.threshold, self.timeout_s)
        unfit = [name for name in self.args if not str(name).isidentifier()]
        if unfit:
            raise ArgumentError([Finding(f"`args` are passed by name, and {listed(unfit)} is no name", ("args",))])
        code = find_function(self.root, self.function)
        object.__setattr__(self, "_code", code)
        object.__setattr__(self, "_said", Said(str(code), self.threshold, self.pass_labels))

    def score(self, context: Context) -> Awaitable[Score]:
        """Call the function."""
        return self._score(context_data(context))

    async def _score(self, context: dict[str, Any]) -> Score:
        from llmctl.evaluators.code.host import run_code

        args = plain(self.args)
        answer = await run_code(lambda host: host.workers.ask(self._code, context, args, self.timeout_s))
        message = json.loads(answer)
        if "error" in message:
            raise EvaluatorError(f"{self._code}: {message['error']}")
        return read_judgement(message["value"], self._said)

    def identity(self) -> object:
        """The content of the file and of what it imports from the project."""
        return self._code.digest
