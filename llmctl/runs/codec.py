r"""One event, one line: `{"crc":"1c291ca3","seq":7,"type":"result",...}`, valid JSON, with a checksum over the rest.

What JSON cannot hold is replaced where it stands, so that no model output and no case can stop a journal:

- a lone surrogate becomes its visible escape, the six characters `\ud800`;
- a number that is not finite or does not fit into 64 bits becomes its text.

Everything else comes back equal, written scalars (`1.10`, `010`) included; inside `vars` and other free data a tuple
comes back as a list.
"""

from __future__ import annotations

import dataclasses
import math
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from llmctl.canonical import from_json, plain, to_json, written
from llmctl.runs.records import (
    BankEvent,
    CallEvent,
    CaseEvent,
    EndEvent,
    Event,
    JudgeEvent,
    PlanEvent,
    PromptEvent,
    ResultEvent,
    RunEvent,
    TargetEvent,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "CodecError",
    "Decoded",
    "Line",
    "LoggedLine",
    "UnknownEvent",
    "body_of",
    "decode",
    "encode",
    "kind_of",
    "parse",
    "repaired",
    "sealed",
    "untagged",
]

_TYPES: dict[str, type] = {
    "run": RunEvent,
    "prompt": PromptEvent,
    "target": TargetEvent,
    "bank": BankEvent,
    "case": CaseEvent,
    "judge": JudgeEvent,
    "plan": PlanEvent,
    "call": CallEvent,
    "result": ResultEvent,
    "end": EndEvent,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}

_LOGGED = frozenset({"traffic", "logged_call", "logged_feedback", "traffic_end", "feedback"})
"""Types of lines of traffic journals, and of the journal of events."""

_PREFIX = b'{"crc":"'
_CRC_END = len(_PREFIX) + 8
_BODY = _CRC_END + 2  # after `",`
_BEGINNING = re.compile(rb'\{"crc":"([0-9a-f]{8})", ?"seq": ?\d+, ?"type": ?"([a-z_]+)"')
_OTHER_CHECKSUM = "its checksum does not match"


class CodecError(ValueError):
    """A line is not what this module writes; the message is the reason, as one phrase."""


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """A sound line of a type that only a newer llmctl knows."""

    type: str


@dataclass(frozen=True, slots=True)
class LoggedLine(UnknownEvent):
    """A line of a traffic journal or of that of events: its fields are read by a room above this one."""

    said: int = 0
    """How much feedback stands in it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A sound line as its JSON says it: written scalars are still tagged."""

    type: str
    seq: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one line says."""

    event: Event | UnknownEvent
    seq: int
    """The line's number within its journal, from 1, as the writer counted."""


def encode(event: Event, seq: int) -> bytes:
    """The event as one line, with its newline.

    Raises:
        TypeError: the event holds something that is no data (a programming error).
    """
    return sealed(body_of(event), seq)


def body_of(event: Event) -> bytes:
    """An event as JSON without its number and its checksum: what another process may prepare.

    Raises:
        TypeError: the event holds something that is no data (a programming error).
    """
    return b'"type":"%s",%s' % (_NAMES[type(event)].encode(), _fields(event)[1:])


def sealed(body: bytes, seq: int) -> bytes:
    """The line made of what `body_of` gave."""
    rest = b'"seq":%d,%s' % (seq, body)
    return b'%s%08x",%s\n' % (_PREFIX, zlib.crc32(rest), rest)


def kind_of(line: bytes) -> str:
    """The type of the event in a line without its newline, when its checksum holds; nothing else of it is read.

    Raises:
        CodecError: the checksum does not match, or it is no event.
    """
    beginning = _BEGINNING.match(line)
    if beginning is None:
        return parse(line).type
    if b"%08x" % zlib.crc32(memoryview(line)[_BODY:]) != beginning[1]:
        raise CodecError(_OTHER_CHECKSUM)
    return beginning[2].decode()


def parse(line: bytes) -> Line:
    """Read a line without its newline, as far as its JSON: its checksum holds, its fields are not looked at.

    Raises:
        CodecError: the checksum does not match, or it is no event.
    """
    if not line.startswith(_PREFIX) or line[_CRC_END:_BODY] != b'",':
        raise CodecError("it is not a journal line")
    if b"%08x" % zlib.crc32(memoryview(line)[_BODY:]) != line[len(_PREFIX) : _CRC_END]:
        raise CodecError(_OTHER_CHECKSUM)
    try:
        fields = orjson.loads(line)
        return Line(str(fields["type"]), int(fields["seq"]), fields)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unreadable(error) from None


def decode(line: bytes) -> Decoded:
    """Read a line without its newline; fields that are unknown are left out, those that are missing get their default.

    Raises:
        CodecError: the checksum does not match, or the fields are not those of the event.
    """
    parsed = untagged(line)
    if parsed.type in _LOGGED:
        said = parsed.fields.get("feedback")
        return Decoded(LoggedLine(parsed.type, len(said) if isinstance(said, list) else 0), parsed.seq)
    if parsed.type not in _TYPES:
        return Decoded(UnknownEvent(parsed.type), parsed.seq)
    return Decoded(_event(parsed), parsed.seq)


def untagged(line: bytes) -> Line:
    """The same as `parse`, written scalars as they are in a file.

    Raises:
        CodecError: the checksum does not match, or it is no event.
    """
    parsed = parse(line)
    return Line(parsed.type, parsed.seq, from_json(line)) if b'"$written"' in line else parsed


def _event(line: Line) -> Event:
    try:
        event: Event = _adapter(_TYPES[line.type]).validate_python(line.fields)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unreadable(error) from None
    return event


def _unreadable(error: Exception) -> CodecError:
    return CodecError(f"it cannot be read: {str(error).splitlines()[0]}")


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _fields(event: Event) -> bytes:
    if _finite(_free_data(event)):
        try:
            return to_json(event)
        except TypeError:  # a lone surrogate, or a number beyond 64 bits
            pass
    return to_json(repaired(event))


def _free_data(event: Event) -> object:
    """The part of an event that others wrote: orjson would silently turn NaN in it into null."""
    match event:
        case RunEvent():
            return event.options
        case PromptEvent():
            return event.source
        case TargetEvent():
            return (event.params, event.config)
        case JudgeEvent():
            return event.config
        case CaseEvent():
            return (event.vars, event.expected, event.evaluators)
        case CallEvent():
            return event.call.tool_calls
        case _:
            return None


_PLAIN = frozenset({str, int, bool, type(None)})


def _finite(value: object) -> bool:
    kind = type(value)
    if kind in _PLAIN:  # nearly everything: matching patterns took a tenth of an encoding
        return True
    if kind is dict or kind is tuple or kind is list:
        items: Iterable[object] = value.values() if kind is dict else value  # type: ignore[attr-defined, assignment]
        for item in items:  # noqa: SIM110  # a generator takes twice as long
            if type(item) not in _PLAIN and not _finite(item):
                return False
        return True
    match value:
        case float():
            return math.isfinite(value)
        case Mapping():
            return all(map(_finite, value.values()))
        case list() | tuple():
            return all(map(_finite, value))
        case _:
            return True


def repaired(value: object) -> object:
    """The same data with everything replaced that JSON cannot hold; dataclasses become mappings."""
    match value:
        case str():
            return str(value).encode("utf-8", "backslashreplace").decode()
        case bool() | None:
            return value
        case float():
            return value if math.isfinite(value) else written(value)
        case int():
            return value if -(2**63) <= plain(value) < 2**64 else written(value)
        case Mapping():
            return {str(repaired(written(key))): repaired(item) for key, item in value.items()}
        case list() | tuple():
            return [repaired(item) for item in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: repaired(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _:
            return value
