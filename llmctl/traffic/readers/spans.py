"""One span of a trace and one event of it, whatever wrote them down."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from llmctl.traffic.readers.attributes import NO_ATTRIBUTES, Attributes
from llmctl.traffic.readers.values import epoch_s, text

__all__ = ["Span", "SpanEvent", "SpanId", "elapsed_ms", "hex_id", "moment_s"]

SpanId = tuple[str | None, str]
"""Trace and span."""

_HEX = re.compile(r"(?:0x)?([0-9a-f]{16}|[0-9a-f]{32})", re.IGNORECASE)
_BASE64_LENGTHS = {12: 8, 24: 16}
_NS_PER_S = 10**9


@dataclass(slots=True)
class SpanEvent:
    """An event of a span, or a log record that names its span."""

    name: str
    at: float | None = None
    """UTC epoch seconds."""
    attributes: Attributes = NO_ATTRIBUTES
    body: object = None
    """Of a log record: its structured body."""
    trace_id: str | None = None
    span_id: str | None = None
    resource: Attributes = NO_ATTRIBUTES
    line: int = 0
    raw: str = ""


@dataclass(slots=True)
class Span:
    """One span. Ids are hexadecimal where they are OpenTelemetry's, else as they stand."""

    span_id: str | None
    trace_id: str | None = None
    parent_id: str | None = None
    name: str = ""
    kind: str | None = None
    """Phoenix writes the kind beside the attributes."""
    started_at: float | None = None
    latency_ms: float | None = None
    attributes: Attributes = NO_ATTRIBUTES
    resource: Attributes = NO_ATTRIBUTES
    events: list[SpanEvent] = field(default_factory=list)
    failed: bool = False
    failure: str | None = None
    """What the status says of it."""
    line: int = 0
    raw: str = ""

    @property
    def place(self) -> SpanId | None:
        """What its log records are joined by."""
        return (self.trace_id, self.span_id) if self.span_id else None


def hex_id(value: object) -> str | None:
    """A trace's or span's id as hex digits, from hex (`0x...` too) or base64; others as they are; zeros are none."""
    found = text(value)
    if found is None:
        return None
    if match := _HEX.fullmatch(found):
        digits = match[1].lower()
        return digits if digits.strip("0") else None
    if len(found) in _BASE64_LENGTHS and found.endswith("="):
        try:
            data = base64.b64decode(found, validate=True)
        except (binascii.Error, ValueError):
            return found
        if len(data) == _BASE64_LENGTHS[len(found)]:
            return data.hex() if data.strip(b"\0") else None
    return found


def moment_s(value: object) -> float | None:
    """A time in any notation, also protobuf's nanoseconds as text; UTC epoch seconds."""
    if isinstance(value, Mapping):  # google.protobuf.Timestamp
        return epoch_s(value.get("seconds"))
    return epoch_s(value)


def elapsed_ms(start: object, end: object) -> float | None:
    """From one time to another, in milliseconds; None: one of them is missing, or they are the wrong way round."""
    first, last = _whole_ns(start), _whole_ns(end)
    if first is None or last is None:
        began, ended = moment_s(start), moment_s(end)
        if began is None or ended is None:
            return None
        first, last = round(began * 1e6) * 1000, round(ended * 1e6) * 1000
    return (last - first) / 1e6 if last >= first else None


def _whole_ns(value: object) -> int | None:
    """Nanoseconds, exactly: a float of seconds would round them."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 21:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 10**8 * _NS_PER_S else None
