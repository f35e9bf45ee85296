"""Reader of any log of one's own: `--map FIELD=PATH` says where each field of a record stands."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmctl.errors import UsageError
from llmctl.traffic.logged_call import LoggedCall, Message
from llmctl.traffic.readers.answers import read_any_response
from llmctl.traffic.readers.base import Document, Entry, Reader, SetAside
from llmctl.traffic.readers.endings import finish_reason_from, read_ending
from llmctl.traffic.readers.failures import read_failure, status_of
from llmctl.traffic.readers.measures import duration_ms
from llmctl.traffic.readers.messages import messages_from, tool_calls_from, tool_choice_from, tools_from
from llmctl.traffic.readers.notes import read_note
from llmctl.traffic.readers.openai_shapes import provider_of, response_format_from
from llmctl.traffic.readers.paths import Path, parse_path
from llmctl.traffic.readers.responses_shapes import messages_from_items
from llmctl.traffic.readers.values import count, decoded, epoch_s, mapping, number, text, texts

__all__ = ["Mapped", "mapped_reader"]

_VARIABLE, _METADATA, _PARAM = "variables.", "metadata.", "params."
_ASKED = ("messages", "prompt", "system", "variables", "output")
NOT_A_CALL = "the mapped fields hold neither messages nor a prompt, variables or an output"


class _Unreadable(Exception):
    """A mapped value is not what its field needs; the reason."""


_Take = Callable[[Any, LoggedCall], bool]
"""Takes a value into the record; False: it is not what the field needs."""


def _into(field: str, read: Callable[[Any], object]) -> _Take:
    def take(value: Any, call: LoggedCall) -> bool:
        found = read(value)
        setattr(call, field, found if found is not None else getattr(call, field))
        return found is not None

    return take


def _messages(value: Any) -> tuple[Message, ...] | None:
    items = decoded(value)
    if isinstance(items, list) and any(isinstance(one, dict) and "role" not in one for one in items):
        return messages_from_items(items) or messages_from(items)
    return messages_from(items)


def _prompt(value: Any, call: LoggedCall) -> bool:
    found = text(value)
    if found:
        call.messages = (*(call.messages or ()), {"role": "user", "content": found})
    return found is not None


def _system(value: Any, call: LoggedCall) -> bool:
    found = text(value)
    if found:
        call.messages = ({"role": "system", "content": found}, *(call.messages or ()))
    return found is not None


def _output(value: Any, call: LoggedCall) -> bool:
    read_any_response(text(value) if isinstance(value, int | float) else value, call)
    return True


def _tool_calls(value: Any, call: LoggedCall) -> bool:
    found = tool_calls_from(value)
    if found:
        read_ending(call, call.output or None, found)
    return bool(found)


def _finish_reason(value: Any, call: LoggedCall) -> bool:
    found = finish_reason_from(value)
    if call.outcome is not None and call.outcome.scored:
        read_ending(call, call.output, call.tool_calls, found)
    call.finish_reason = found
    return found is not None


def _error(value: Any, call: LoggedCall) -> bool:
    if value is not False:
        read_failure(value, call)
    return True


def _named(name: str) -> _Take:
    return lambda value, call: read_note(name, value, call)


def _variables(value: Any, call: LoggedCall) -> bool:
    found = mapping(value)
    call.variables = {**(call.variables or {}), **found}
    return bool(found)


def _metadata(value: Any, call: LoggedCall) -> bool:
    call.metadata = {**call.metadata, **mapping(value)}
    return isinstance(decoded(value), dict)


def _params(value: Any, call: LoggedCall) -> bool:
    call.params = {**call.params, **mapping(value)}
    return isinstance(decoded(value), dict)


_FIELDS: Mapping[str, tuple[str, _Take]] = {
    # What it must be, for the reason of a line that is set aside; in the order in which they are taken.
    "messages": ("messages", _into("messages", _messages)),
    "prompt": ("a text", _prompt),
    "system": ("a text", _system),
    "model": ("a text", _into("model", text)),
    "served_model": ("a text", _into("served_model", text)),
    "provider": ("a text", _into("provider", text)),
    "endpoint": ("a text", _into("endpoint", text)),
    "tools": ("a list of tools", _into("tools", lambda value: tools_from(value) or None)),
    "tool_choice": ("a tool choice", _into("tool_choice", tool_choice_from)),
    "response_format": ("a response format", _into("response_format", response_format_from)),
    "params": ("an object", _params),
    "variables": ("an object", _variables),
    "metadata": ("an object", _metadata),
    "output": ("an answer", _output),
    "tool_calls": ("a list of tool calls", _tool_calls),
    "finish_reason": ("a text", _finish_reason),
    "status": ("an HTTP status", _into("status", status_of)),
    "error": ("an error", _error),
    "source_id": ("a text", _into("source_id", text)),
    "id": ("a text", _into("source_id", text)),
    "trace_id": ("a text", _into("trace_id", text)),
    "parent_id": ("a text", _into("parent_id", text)),
    "session_id": ("a text", _into("session_id", text)),
    "started_at": ("a time", _into("started_at", epoch_s)),
    "latency_ms": ("a duration", _into("latency_ms", lambda value: duration_ms(value, 1.0))),
    "latency_s": ("a duration", _into("latency_ms", lambda value: duration_ms(value, 1e3))),
    "ttft_ms": ("a duration", _into("ttft_ms", lambda value: duration_ms(value, 1.0))),
    "input_tokens": ("a whole number", _into("input_tokens", count)),
    "output_tokens": ("a whole number", _into("output_tokens", count)),
    "cached_tokens": ("a whole number", _into("cached_tokens", count)),
    "reasoning_tokens": ("a whole number", _into("reasoning_tokens", count)),
    "cost_usd": ("a number", _into("cost_usd", number)),
    "prompt_name": ("a name of a prompt", _named("prompt_name")),
    "prompt_version": ("a text", _into("prompt_version", text)),
    "tags": ("tags", _into("tags", lambda value: texts(value) or None)),
    "user": ("a text", _into("user", text)),
    "environment": ("a text", _into("environment", text)),
}


@dataclass(frozen=True, slots=True)
class _Rule:
    field: str
    path: Path
    needed: str
    take: _Take

    def apply(self, value: Mapping[str, object], call: LoggedCall) -> None:
        found = self.path.find(value)
        if found is None or found == "":
            return
        if not self.take(found, call):
            raise _Unreadable(f"{self.field}: {self.path.text} is not {self.needed}")


class Mapped:
    """A log of one's own."""

    name = "mapped"
    title = "Any CSV, JSONL or Parquet, by --map"

    def __init__(self, rules: Sequence[_Rule]) -> None:
        self._rules = tuple(rules)

    def recognises(self, value: Mapping[str, Any]) -> int:  # noqa: ARG002
        """Nothing by itself: it reads what it is told to."""
        return 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """One record for each line or row."""
        for document in documents:
            call = LoggedCall(self.name)
            try:
                for rule in self._rules:
                    rule.apply(document.value, call)
            except _Unreadable as reason:
                yield SetAside(document.line, str(reason))
                continue
            if call.messages is None and call.variables is None and call.outcome is None:
                yield SetAside(document.line, NOT_A_CALL)
                continue
            if call.outcome is None and (call.status or 0) >= 400:
                read_failure(None, call)
            call.provider = call.provider or provider_of(call.model)
            yield Entry(document.line, document.raw, call)


def mapped_reader(maps: Sequence[str]) -> Reader:
    """The reader that `--map FIELD=PATH` describes, given once for each field.

    A field is one of a record (`messages`, `prompt`, `system`, `output`, `model`, `started_at`, `latency_ms` ...),
    `variables.NAME`, `metadata.NAME` or `params.NAME`; any other name is a variable's. A path is a column, a dotted
    path with `[n]` (from the end: `[-1]`), or a JSON pointer.

    Raises:
        UsageError: one cannot be read, stands there twice, or none of them says what was asked or answered.
    """
    rules = [_rule(one) for one in maps]
    fields = [rule.field for rule in rules]
    for field in fields:
        if fields.count(field) > 1:
            raise UsageError(f"--map {field} is given twice.")
    if not any(field in _ASKED or field.startswith(_VARIABLE) for field in fields):
        raise UsageError(
            "--map does not say what was asked or answered.",
            hint="Map messages, prompt or output: --map messages=request.messages --map output=response.text",
        )
    order = list(_FIELDS)
    return Mapped(sorted(rules, key=lambda rule: order.index(rule.field) if rule.field in _FIELDS else -1))


def _rule(word: str) -> _Rule:
    field, equals, place = word.partition("=")
    field, place = field.strip(), place.strip()
    if not equals or not field or not place:
        raise UsageError(f"--map takes FIELD=PATH, not {word}.", hint="For example --map messages=request.messages")
    try:
        path = parse_path(place)
    except ValueError as mistake:
        raise UsageError(
            f"--map {field}: the path {place} {mistake}.",
            hint="A path is a column, a dotted path with [n], or a JSON pointer: request.messages[0].content",
        ) from None
    return _Rule(*_known(field, path))


def _known(field: str, path: Path) -> tuple[str, Path, str, _Take]:
    if field in _FIELDS:
        return field, path, *_FIELDS[field]
    for start, target in ((_METADATA, _metadata), (_PARAM, _params)):
        if field.startswith(start) and field != start:
            return field, path, "a value", _one(field.removeprefix(start), target)
    name = field.removeprefix(_VARIABLE)
    close = difflib.get_close_matches(field, _FIELDS, n=1, cutoff=0.85)
    if name == field and close:
        raise UsageError(
            f'There is no field "{field}".',
            hint=f"Did you mean {close[0]}? A variable of that name is variables.{field}.",
        )
    return f"{_VARIABLE}{name}", path, "a value", _one(name, _variables)


def _one(name: str, target: _Take) -> _Take:
    """A single value of a field that is an object."""
    return lambda value, call: target({name: value}, call)
