"""The answer calls the tools that it should, with the arguments that it should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from llmctl.canonical import canonical_json, plain
from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.structure.json_text import json_text, read_json
from llmctl.evaluators.structure.schema_check import schema_errors
from llmctl.evaluators.structure.schema_validator import make_validator, violations
from llmctl.evaluators.structure.tool_call_measures import Agreement, Arguments, Comparison, Measure, Order
from llmctl.evaluators.structure.tool_call_reading import ToolCall, call_of, calls_of
from llmctl.evaluators.wording import listed, quote

__all__ = ["MAX_CALLS", "ToolCalls"]

MAX_CALLS = 1_000
"""So many calls of one answer are looked at."""

_SHOWN = 5


def _expected(value: object) -> tuple[ToolCall, ...]:
    calls = _read_expected(value)
    if isinstance(calls, str):
        raise PydanticCustomError("tool_calls", "{reason}", {"reason": calls})
    return calls


def _read_expected(value: object) -> tuple[ToolCall, ...] | str:
    """The expected calls, or why there are none to be read, as the end of a sentence."""
    value = plain(value)
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        read = read_json(value)
        if read.problem:
            return f"is {read.problem}"
        value = read.value
    found: list[ToolCall] = []
    for item in value if isinstance(value, list) else [value]:
        call = ToolCall(item.strip(), None) if isinstance(item, str) and item.strip() else call_of(item)
        if call is None:
            return f"holds {quote(json_text(item), 60)}, which is neither the name of a tool nor {{name, arguments}}"
        if call.problem:
            return f"holds a call of {call.name}, and {call.problem}"
        found.append(call)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class ToolCalls(Evaluator):
    """The answer calls the expected tools; arguments are compared, and checked against the prompt's tools."""

    name: ClassVar = "tool_calls"
    value_field: ClassVar = "value"
    reads: ClassVar = ("expected", "tool_calls", "tools")

    value: (
        Annotated[
            tuple[ToolCall, ...], BeforeValidator(_expected), WithJsonSchema({"type": ["string", "array", "object"]})
        ]
        | None
    ) = None
    """Names of tools, or `{name, arguments}`; default: the case's `expected`."""
    order: Literal["free", "strict"] = "free"
    measure: Literal["exact", "f1", "recall", "accuracy"] = "exact"
    arguments: Literal["exact", "subset", "ignore"] = "exact"
    schema: bool = False
    """Each call must be of a tool that the prompt offers, with arguments that keep to its schema."""
    threshold: float = 1.0
    """The lowest score that passes."""
    duplicates: bool = True
    """Whether a call that is made twice counts twice."""
    compare: bool = True
    """`false`: there is nothing to compare with; it is enough that a tool is called."""
    comparison: Comparison = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0.0 <= self.threshold <= 1.0:
            raise ValueError("has a `threshold` that is not between 0 and 1")
        comparison = Comparison(Order(self.order), Measure(self.measure), Arguments(self.arguments), self.duplicates)
        object.__setattr__(self, "comparison", comparison)

    def needs_expected(self) -> bool:
        """Without a value of its own, unless arguments are only checked."""
        return self.compare and self.value is None and not self.schema

    def expected_problem(self, expected: object) -> str | None:
        """Names or calls."""
        if self.value is not None or not self.compare:
            return None
        calls = _read_expected(expected)
        return f"it {calls}; where nothing is to be compared write `compare: false`" if isinstance(calls, str) else None

    def score(self, context: Context) -> Score:
        """Read the calls, check them, compare them."""
        calls = calls_of(context)
        if len(calls) > MAX_CALLS:
            return Score(
                0.0, False, f"The answer calls tools {len(calls):,} times; no more than {MAX_CALLS:,} are read."
            )
        if self.schema:
            faults = [fault for call in calls for fault in _faults(call, context.tools)]
            if faults:
                lines = [f"- {fault}" for fault in faults[:_SHOWN]] + ["- and more"] * (len(faults) > _SHOWN)
                return Score(0.0, False, "\n".join(["The calls do not keep to the prompt's tools:", *lines]))
        expected = self._expected(context)
        if expected is None:
            said = (
                f"The answer calls {_said(calls)}."
                if calls
                else f"The answer calls no tool: {quote(context.output, 80)}."
            )
            return Score(float(bool(calls)), bool(calls), said)
        return self._compared(calls, expected)

    def _expected(self, context: Context) -> tuple[ToolCall, ...] | None:
        if not self.compare or (self.value is None and not context.has_expected):
            return None
        calls = self.value if self.value is not None else _read_expected(context.expected)
        if isinstance(calls, str):
            raise EvaluatorError(f"the expected answer {calls}")
        return calls

    def _compared(self, calls: Sequence[ToolCall], expected: Sequence[ToolCall]) -> Score:
        outcome = self.comparison.of(calls, expected)
        passed = outcome.score >= self.threshold - 1e-9
        said = f"The answer calls {_said(calls)}"
        if outcome.precision == outcome.recall == 1.0 and passed:
            return Score(outcome.score, passed, f"{said}, as expected.")
        in_order = " in this order" if self.order == "strict" else ""
        return Score(outcome.score, passed, f"{said}; expected{in_order}: {_said(expected)}. {self._numbers(outcome)}")

    def _numbers(self, outcome: Agreement) -> str:
        shares = f"precision {outcome.precision:.3g}, recall {outcome.recall:.3g}"
        return f"The {self.measure} score is {outcome.score:.3g} ({shares}), and {self.threshold:g} passes."


def _said(calls: Sequence[ToolCall]) -> str:
    if not calls:
        return "no tool"
    shown = ", ".join(str(call) for call in calls[:_SHOWN])
    return shown if len(calls) <= _SHOWN else f"{shown} and {len(calls) - _SHOWN} more"


def _faults(call: ToolCall, tools: Sequence[Mapping[str, object]]) -> Iterator[str]:
    offered = dict(_offered(tools))
    if call.name not in offered:
        names = listed(offered) if offered else "none"
        yield f"there is no tool {quote(call.name, 60)}; the prompt offers {names}"
    elif call.problem:
        yield f"{call.name}: {call.problem}"
    else:
        found = violations(_validator(canonical_json(offered[call.name])), dict(call.arguments or {}), _SHOWN)
        yield from (f"{call.name}: {violation}" for violation in found)


def _offered(tools: Sequence[Mapping[str, object]]) -> Iterator[tuple[str, object]]:
    """Names and schemas of the arguments, as OpenAI or as Anthropic writes them."""
    for tool in tools:
        inner = tool.get("function")
        described = inner if isinstance(inner, Mapping) else tool
        if isinstance(described.get("name"), str):
            yield str(described["name"]), described.get("parameters", described.get("input_schema", True))


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Any:
    read = read_json(schema.decode()).value
    errors = schema_errors(read)
    if errors:
        raise EvaluatorError(f"the schema of one of the prompt's tools cannot be used: {errors[0].message}")
    return make_validator(read)
