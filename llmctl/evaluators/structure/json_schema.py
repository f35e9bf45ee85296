"""The output is JSON that keeps to a schema."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.findings import Finding
from llmctl.evaluators.structure.found_json import JsonReading
from llmctl.evaluators.structure.json_text import JsonRead
from llmctl.evaluators.structure.schema_argument import SchemaArgument, ready_validator, schema_findings
from llmctl.evaluators.structure.schema_validator import LIMIT_S, violations
from llmctl.evaluators.wording import quote

__all__ = ["JsonSchema"]

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class JsonSchema(Evaluator):
    """The output is JSON and keeps to a JSON Schema (2020-12), formats included."""

    name: ClassVar = "json_schema"
    value_field: ClassVar = "schema"
    reads: ClassVar = ()

    schema: SchemaArgument
    """The schema. References lead only inside it: nothing is fetched or opened."""
    find: bool = False
    """Look inside fences and prose too: one object or list that fits is enough."""
    trailing_commas: bool = False
    """A comma before `]` or `}` is forgiven."""
    reading: JsonReading = field(init=False, repr=False, compare=False)
    validator: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "validator", ready_validator(self.schema))
        object.__setattr__(self, "reading", JsonReading(self.find, self.trailing_commas))

    def warnings(self) -> Sequence[Finding]:
        """Unknown keywords and formats."""
        return schema_findings(self.schema)

    def score(self, context: Context) -> Score:
        """Read the output and list its violations."""
        deadline = time.monotonic() + LIMIT_S
        problem: str | None = None
        for read in self.reading.values(context.output):
            found = self._problem(read)
            if found is None:
                return Score(1.0, True, f"The output keeps to the schema: {quote(read.text, 80)}.")
            problem = problem or found
            if time.monotonic() > deadline:
                raise EvaluatorError(f"checking the output against the schema took longer than {LIMIT_S:g} s")
        return Score(0.0, False, f"The output {problem}")

    def _problem(self, read: JsonRead) -> str | None:
        if read.problem:
            return f"is {read.problem}."
        found = violations(self.validator, read.value, _SHOWN + 1)
        if not found:
            return None
        lines = [f"- {violation}" for violation in found[:_SHOWN]]
        more = ["- and more"] if len(found) > _SHOWN else []
        return "\n".join(["breaks the schema:", *lines, *more])
