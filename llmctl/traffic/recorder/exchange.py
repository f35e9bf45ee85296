"""One request and its response, as they passed: what is kept of them until they are written."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum

from llmctl.traffic.recorder.heads import Field, ResponseHead

__all__ = ["KEPT_BODY_BYTES", "TOO_LONG", "Body", "Ending", "Exchange"]

KEPT_BODY_BYTES = 64 * 2**20
"""A longer body is passed on, and not kept."""
TOO_LONG = "a body of more than 64 MB"
_TIMED_PIECES = 256


class Ending(StrEnum):
    """How an exchange ended."""

    WHOLE = "whole"
    CUT = "cut"
    """The upstream closed the connection before the end."""
    RESET = "reset"
    """The upstream reset the connection."""
    CLIENT_GONE = "client_gone"
    NOT_HTTP = "not_http"
    """What the upstream sent cannot be read as HTTP; it was passed on."""
    UNREACHABLE = "unreachable"
    STOPPED = "stopped"
    """The recorder was ended in the middle of it."""


@dataclass(slots=True)
class Body:
    """A body as it came, without the frame of its chunks."""

    pieces: list[bytes] = field(default_factory=list)
    times: list[tuple[float, int]] = field(default_factory=list)
    """Of the first pieces: when each came (monotonic seconds), and the bytes that had come with it."""
    length: int = 0
    dropped: bool = False
    """Whether it was too long to be kept."""

    def add(self, piece: bytes) -> None:
        """The next piece."""
        self.length += len(piece)
        if self.length > KEPT_BODY_BYTES:
            self.pieces.clear()
            self.dropped = True
            return
        self.pieces.append(piece)
        if len(self.times) < _TIMED_PIECES:
            self.times.append((time.perf_counter(), self.length))

    def bytes(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces)


@dataclass(slots=True)
class Exchange:
    """While it goes on, then as it was."""

    method: bytes
    target: bytes
    fields: list[Field]
    keep_alive: bool
    chunked: bool
    """The request's body."""
    started_at: float = field(default_factory=time.time)
    """UTC epoch seconds."""
    began: float = field(default_factory=time.perf_counter)
    request: Body = field(default_factory=Body)
    asked: bool = False
    """Whether the request is whole."""
    head: ResponseHead | None = None
    response: Body = field(default_factory=Body)
    answered: bool = False
    """Whether the response is whole."""
    ending: Ending | None = None
    error: str | None = None
    ended: float = 0.0
    told: bool = False
    """Whether it was handed on to be written."""
    held: list[bytes] = field(default_factory=list)
    """To be sent when the answer to the request before it has come."""

    def end(self, ending: Ending, error: str | None = None) -> None:
        """Note how it ended. The first word counts."""
        if self.ending is None:
            self.ending, self.error, self.ended = ending, error, time.perf_counter()

    @property
    def size(self) -> int:
        """Bytes that it holds in memory, about."""
        return self.request.length + self.response.length + 4096
