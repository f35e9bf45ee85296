"""Tool calls as providers write them, in the answer's own field or as JSON in its text, in one form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from llmctl.evaluators.base import Context
from llmctl.evaluators.structure.found_text import TangledError, fences, json_spans
from llmctl.evaluators.structure.json_text import json_text, read_json
from llmctl.evaluators.wording import quote, visible

__all__ = ["ToolCall", "call_of", "calls_in_text", "calls_of"]

_ARGUMENTS = ("arguments", "args", "input", "parameters")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool."""

    name: str
    arguments: Mapping[str, object] | None
    """None where there are none that can be read."""
    problem: str | None = None
    """Why the arguments cannot be read."""

    def __str__(self) -> str:
        if self.arguments is None:
            return visible(self.name, 60)
        return f"{visible(self.name, 60)}({visible(json_text(self.arguments), 80)})"


def calls_of(context: Context) -> list[ToolCall]:
    """The calls that the provider reports; where it reports none, those that stand in the text."""
    if context.tool_calls:
        return [call for item in context.tool_calls for call in _calls(item, named=True)]
    return calls_in_text(context.output)


def calls_in_text(text: str) -> list[ToolCall]:
    """The calls of a text that is JSON, or of the JSON values that fill whole lines outside of fences.

    A fence shows an example, and so does JSON inside a sentence.
    """
    if "{" not in text:
        return []
    read = read_json(text)
    if read.problem is None:
        return list(_calls(read.value))
    try:
        return [call for value in _blocks(_without_fences(text)) for call in _calls(value)]
    except TangledError:
        return []


def _without_fences(text: str) -> str:
    parts, at = [], 0
    for fence in fences(text):
        parts += [text[at : fence.start], "\n"]
        at = fence.end
    return "".join([*parts, text[at:]])


def _blocks(text: str) -> Iterator[object]:
    last, end = 0, -1  # where the value before ends, and the line that the last one ends on
    for span in json_spans(text):
        line = text.rfind("\n", last, span.start)
        alone = (line >= 0 or not last) and not text[max(line, last) : span.start].strip()
        last = span.end
        if end < span.end:
            end = text.find("\n", span.end)
            end = end if end >= 0 else len(text)
        if alone and not text[span.end : end].strip():
            read = read_json(text[span.start : span.end])
            if read.problem is None:
                yield read.value


def call_of(value: object) -> ToolCall | None:
    """One call, in any of the forms; None where it is none."""
    return next(_calls(value, named=True), None)


def _calls(value: object, *, named: bool = False) -> Iterator[ToolCall]:
    """The calls in a value: OpenAI's `tool_calls` and `function_call`, Anthropic's `tool_use`, Google's `functionCall`.

    With `named` a mapping that has only a name is one too; else it must have arguments.
    """
    if isinstance(value, list):
        for item in value:
            if isinstance(item, Mapping):
                yield from _calls(item, named=True)
        return
    if not isinstance(value, Mapping):
        return
    live = value.get("toolCall")
    for inner in (value.get("tool_calls"), live.get("functionCalls") if isinstance(live, Mapping) else None):
        if isinstance(inner, list):
            yield from _calls(inner)
            return
    for key in ("function", "functionCall"):
        if isinstance(value.get(key), Mapping):
            yield from _named(value[key])
            return
    kind = value.get("type", "function")
    if kind in ("tool_use", "function_call") or (
        kind == "function" and (named or any(key in value for key in _ARGUMENTS))
    ):
        yield from _named(value)


def _named(value: Mapping[str, object]) -> Iterator[ToolCall]:
    name = value.get("name")
    if isinstance(name, str) and name.strip():
        yield _call(name.strip(), next((value[key] for key in _ARGUMENTS if key in value), None))


def _call(name: str, arguments: object) -> ToolCall:
    if isinstance(arguments, str):
        read = read_json(arguments) if arguments.strip() else None
        if read is not None and read.problem:
            return ToolCall(name, None, f"its arguments are {read.problem}")
        arguments = read.value if read else {}
    if arguments is None or isinstance(arguments, Mapping):
        return ToolCall(name, arguments)
    return ToolCall(name, None, f"its arguments are {quote(json_text(arguments), 60)}, not an object")
