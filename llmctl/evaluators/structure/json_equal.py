"""The output is JSON, and equal to the accepted JSON value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.structure.found_json import JsonReading
from llmctl.evaluators.structure.json_argument import ABSENT, Absent, JsonValue, as_json
from llmctl.evaluators.structure.json_text import JsonRead, json_difference
from llmctl.evaluators.wording import quote

__all__ = ["Json"]


@dataclass(frozen=True, slots=True)
class Json(Evaluator):
    """The output is JSON and equals a JSON value: the order of keys is free, 1 equals 1.0, `true` is not 1."""

    name: ClassVar = "json"
    value_field: ClassVar = "value"
    reads: ClassVar = ("expected",)

    value: JsonValue = ABSENT
    """The accepted value; default: the case's `expected`, where it has one."""
    compare: bool = True
    """`false`: it is enough that the output is JSON."""
    find: bool = False
    """Look inside fences and prose too: one object or list that fits is enough."""
    trailing_commas: bool = False
    """A comma before `]` or `}` is forgiven."""
    reading: JsonReading = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reading", JsonReading(self.find, self.trailing_commas))

    def score(self, context: Context) -> Score:
        """Read the output and compare."""
        wanted = self._wanted(context)
        problem: str | None = None
        for read in self.reading.values(context.output):
            found = _problem(read, wanted)
            if found is None:
                same = "is JSON" if isinstance(wanted, Absent) else "equals the accepted JSON"
                return Score(1.0, True, f"The output {same}: {quote(read.text, 80)}.")
            problem = problem or found
        return Score(0.0, False, f"The output is {problem}.")

    def _wanted(self, context: Context) -> object:
        """The value to compare with; `ABSENT`: none."""
        if not self.compare or (isinstance(self.value, Absent) and not context.has_expected):
            return ABSENT
        if not isinstance(self.value, Absent):
            return self.value
        wanted = as_json(context.expected)
        if isinstance(wanted, Absent):
            raise EvaluatorError("the expected answer is a text that is not JSON")
        return wanted

    def expected_problem(self, expected: object) -> str | None:
        """A text must be JSON."""
        if not self.compare or not isinstance(self.value, Absent) or not isinstance(as_json(expected), Absent):
            return None
        return "it is a text that is not JSON; for outputs that only must be JSON write `json: {compare: false}`"


def _problem(read: JsonRead, wanted: object) -> str | None:
    if read.problem or isinstance(wanted, Absent):
        return read.problem
    difference = json_difference(read.value, wanted)
    return f"JSON, but {difference}" if difference else None
