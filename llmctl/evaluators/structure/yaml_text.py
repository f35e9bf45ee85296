"""The output is a YAML document, and keeps to a schema where one is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.findings import Finding
from llmctl.evaluators.structure.found_text import candidates
from llmctl.evaluators.structure.schema_argument import SchemaArgument, ready_validator, schema_findings
from llmctl.evaluators.structure.schema_validator import violations
from llmctl.evaluators.wording import quote, visible
from llmctl.project.syntax.document import EMPTY
from llmctl.project.syntax.yaml_reader import read_yaml

__all__ = ["MAX_CHARACTERS", "Yaml"]

MAX_CHARACTERS = 200_000
"""A longer output is not read: half a second a document."""

_LANGUAGES = frozenset({"", "yaml", "yml"})
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Yaml(Evaluator):
    """The output is one YAML document, read as strictly as llmctl reads its own files, and keeps to a JSON Schema."""

    name: ClassVar = "yaml"
    value_field: ClassVar = "schema"
    reads: ClassVar = ()

    schema: SchemaArgument = True
    """Without one: a mapping or a list."""
    find: bool = False
    """Look inside fences too: one block that fits is enough."""
    validator: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "validator", None if self.schema is True else ready_validator(self.schema))

    def warnings(self) -> Sequence[Finding]:
        """Unknown keywords and formats of the schema."""
        return schema_findings(self.schema)

    def score(self, context: Context) -> Score:
        """Read the output and list its faults."""
        output = context.output
        if len(output) > MAX_CHARACTERS:
            raise EvaluatorError(
                f"the output has {len(output):,} characters, and no YAML above {MAX_CHARACTERS:,} is read"
            )
        problem: str | None = None
        for text in candidates(output, _LANGUAGES) if self.find else [output]:
            found = self._problem(text)
            if found is None:
                fits = "is YAML" if self.validator is None else "is YAML that keeps to the schema"
                return Score(1.0, True, f"The output {fits}: {quote(text.strip(), 80)}.")
            problem = problem or found
        return Score(0.0, False, f"The output {problem}")

    def _problem(self, text: str) -> str | None:
        document = read_yaml(text.encode("utf-8", "replace"), Path("output"))
        if document.problems:
            first = document.problems[0]
            where = f" at line {first.place.line}, column {first.place.column}" if first.place else ""
            hint = "; `find: true` looks inside a fence" if text.lstrip().startswith("```") and not self.find else ""
            return f"is no YAML that can be relied on{where}{hint}: {visible(first.message)}"
        if document.data is EMPTY:
            return "holds no YAML value."
        if self.validator is None:
            return None if isinstance(document.data, dict | list) else "is no mapping and no list, only text."
        found = violations(self.validator, document.data, _SHOWN + 1)
        lines = [f"- {violation}" for violation in found[:_SHOWN]] + ["- and more"] * (len(found) > _SHOWN)
        return "\n".join(["breaks the schema:", *lines]) if found else None
