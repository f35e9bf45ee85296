"""Exchanges as bytes for the process that writes them down, and as exchanges again. Pure.

A frame is its kind (one byte), the lengths of its three parts, and these: what was noted, the request's body, the
response's body. `marshal` reads what the same Python has written a moment ago, ten times as fast as `pickle`.
"""

from __future__ import annotations

import marshal
import struct
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from llmctl.traffic.recorder.exchange import Body, Ending, Exchange
from llmctl.traffic.recorder.heads import ResponseHead

__all__ = ["Kind", "Read", "packed", "read_frame", "signal_frame", "unpacked"]

_HEAD = struct.Struct(">cIII")

Read = Callable[[int], bytes]
"""Reads so many bytes, fewer only at the end."""


class Kind(Enum):
    """What a frame is."""

    CALL = b"c"
    HASTY_CALL = b"h"
    """The same, while many more wait: the writer is not to rest now."""
    SYNC = b"s"
    """Nothing more comes for now."""
    FLUSH = b"f"
    """The same, and somebody waits for an answer."""
    CLOSE = b"e"
    """The end; `noted` holds the calls that never came, by reason."""


def signal_frame(kind: Kind, noted: dict[str, int] | None = None) -> bytes:
    """A frame without bodies."""
    data = marshal.dumps(noted)
    return _HEAD.pack(kind.value, len(data), 0, 0) + data


def packed(exchange: Exchange, *, hasty: bool = False) -> Iterator[bytes]:
    """An exchange as pieces that follow each other; the long ones are not copied."""
    head = exchange.head
    noted = marshal.dumps(
        (
            exchange.method,
            exchange.target,
            exchange.fields,
            exchange.started_at,
            exchange.began,
            exchange.ended,
            (head.status, head.fields) if head is not None else None,
            exchange.ending.value if exchange.ending is not None else None,
            exchange.error,
            exchange.response.times,
        )
    )
    request, response = exchange.request.bytes(), exchange.response.bytes()
    kind = Kind.HASTY_CALL if hasty else Kind.CALL
    yield _HEAD.pack(kind.value, len(noted), len(request), len(response)) + noted
    if request:
        yield request
    if response:
        yield response


def read_frame(read: Read) -> tuple[Kind, object] | None:
    """The next frame: an `Exchange`, or what was noted; None at the end, also one in the middle of a frame."""
    head = read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, *lengths = _HEAD.unpack(head)
    parts = [read(length) for length in lengths]
    if [len(part) for part in parts] != lengths:
        return None
    found = Kind(kind)
    noted = marshal.loads(parts[0])
    if found in (Kind.CALL, Kind.HASTY_CALL):
        return found, unpacked(noted, parts[1], parts[2])
    return found, noted


def unpacked(noted: tuple[Any, ...], request: bytes, response: bytes) -> Exchange:
    """The exchange that was packed, as far as its record needs it."""
    method, target, fields, started_at, began, ended, head, ending, error, times = noted
    exchange = Exchange(method, target, fields, False, False, started_at, began)
    exchange.request.pieces, exchange.request.length = [request], len(request)
    exchange.response = Body([response], times, len(response))
    if head is not None:
        exchange.head = ResponseHead(head[0], b"", head[1])
    exchange.ending = Ending(ending) if ending is not None else None
    exchange.error, exchange.ended = error, ended
    return exchange
