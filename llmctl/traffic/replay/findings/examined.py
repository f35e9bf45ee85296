"""One answer, looked at once: its text, its JSON, its tool calls, and the faults that it has by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from llmctl.evaluators.base import Context
from llmctl.evaluators.refusal import Refusal
from llmctl.evaluators.structure.json_text import JsonRead, json_text, read_json
from llmctl.evaluators.structure.tool_call_reading import ToolCall, call_of
from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.replay.findings.report import Break, Fault
from llmctl.traffic.replay.findings.schemas import LoggedSchema
from llmctl.traffic.replay.records import LaneAnswer

__all__ = ["Examined", "examine"]

_NOT_SENT = frozenset({Outcome.SKIPPED, Outcome.POLICY_BLOCKED})
_CUT_OFF = frozenset({"length", "max_tokens", "MAX_TOKENS", "max_output_tokens"})
_REFUSAL = Refusal(empty=False)
_SEARCHED = 20_000
"""Characters of an answer in which a refusal is looked for: who refuses says so at once."""


class Examined:
    """An answer that was given, or is known to be missing. What it costs to look at is found when it is asked for."""

    def __init__(self, answer: LaneAnswer, schema: LoggedSchema | None, *, json_asked: bool) -> None:
        self.answer = answer
        self.text = _normalised(answer.output or "")
        self._schema = schema
        self._json_asked = json_asked

    @cached_property
    def calls(self) -> tuple[ToolCall, ...]:
        """Its tool calls, their arguments read."""
        return tuple(_call(call) for call in self.answer.tool_calls)

    @cached_property
    def json(self) -> JsonRead | None:
        """The object or list that its text is; None: it is none."""
        if self.text.lstrip()[:1] not in ("{", "["):
            return None
        read = read_json(self.text)
        return None if read.problem else read

    @property
    def evidence(self) -> bool:
        """Whether it says anything of who answered: a provider that failed does not."""
        return self.answer.outcome is None or self.answer.outcome.evidence

    @property
    def empty(self) -> bool:
        """Whether it says nothing."""
        return not self.text.strip() and not self.answer.tool_calls

    @cached_property
    def fault(self) -> Break | None:
        """What is wrong with it, whatever it is compared with: the gravest."""
        outcome = self.answer.outcome
        if outcome is Outcome.CONTEXT_EXCEEDED:
            return Break(Fault.TOO_LONG, "longer than the model's context")
        return self._refusal() or self._cut_short() or self._misshapen()

    def _refusal(self) -> Break | None:
        outcome = self.answer.outcome
        if outcome is Outcome.FILTERED:
            return Break(Fault.REFUSAL, "held back by a content filter")
        if outcome is Outcome.REFUSED:
            return Break(Fault.REFUSAL, "by the provider's own sign")
        if self.answer.tool_calls or not self.text:
            return None
        refused = _REFUSAL.score(Context(self.text[:_SEARCHED])).passed
        return Break(Fault.REFUSAL, "in words") if refused else None

    def _cut_short(self) -> Break | None:
        if self.empty:
            return Break(Fault.EMPTY)
        if self.answer.outcome is Outcome.TRUNCATED or self.answer.finish_reason in _CUT_OFF:
            return Break(Fault.TRUNCATED, "at the token limit")
        return None

    def _misshapen(self) -> Break | None:
        if not self._json_asked or self.answer.tool_calls:
            return None
        if self.json is None:
            return Break(Fault.FORMAT, "JSON was asked for, and this is none")
        violation = self._schema.violation(self.json.value) if self._schema else None
        return Break(Fault.SCHEMA, violation) if violation else None

    def __str__(self) -> str:
        """As a reader sees it: its text, its tool calls, or why there is neither."""
        parts = [self.answer.output or "", *map(_call_text, self.answer.tool_calls)]
        said = "\n".join(part for part in parts if part)
        if said or self.answer.outcome is None:
            return said
        return said if self.answer.outcome is Outcome.EMPTY else f"({_why(self.answer.outcome, self.answer.error)})"


def examine(answer: LaneAnswer | None, call: LoggedCall, schema: LoggedSchema | None) -> Examined | None:
    """Look at the answer of one lane; None where there is none: not asked, not sent, not in the log."""
    if answer is None or answer.outcome in _NOT_SENT:
        return None
    if answer.outcome is None and answer.output is None and not answer.tool_calls:
        return None
    kind = call.response_format.get("type") if call.response_format else None
    return Examined(answer, schema, json_asked=kind in ("json_object", "json_schema"))


def _normalised(text: str) -> str:
    """Without what nobody sees: the kind of line ends, and white space where a line or the text ends."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).rstrip()


def _call(value: Mapping[str, object]) -> ToolCall:
    """One tool call; where its arguments cannot be read, the problem holds them, so that two are told apart."""
    call = call_of(value)
    if call is None:
        return ToolCall("", None, f"no tool is named in {json_text(value)}")
    return call if call.problem is None else replace(call, problem=f"{call.problem} ({_written(value)})")


def _call_text(value: Mapping[str, object]) -> str:
    call = _call(value)
    return f"{call.name}({_written(value) if call.arguments is None else json_text(call.arguments)})"


def _written(value: Mapping[str, object]) -> str:
    """Arguments as the log or the model wrote them."""
    function = value.get("function")
    written = function.get("arguments") if isinstance(function, Mapping) else None
    return written if isinstance(written, str) else ""


def _why(outcome: Outcome | None, error: str | None) -> str:
    name = str(outcome).replace("_", " ")
    return f"{name}: {error[:200]}" if error else name
