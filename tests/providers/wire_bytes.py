"""Gives the bytes of an answer to a connection, cut up at will, and says what the connection made of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from llmctl.providers.http.connection import Connection
from llmctl.providers.http.response import Response
from llmctl.providers.wire import SocketTimes, Tape


class Wire(asyncio.Transport):
    """A transport whose other end is the test."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


@dataclass
class Shelf:
    """A `Home` that notes what it is told."""

    kept: list[Connection] = field(default_factory=list)
    stale: bool | None = None
    """None: no connection has ended."""

    def join(self, connection: Connection) -> None:
        pass

    def keep(self, connection: Connection) -> None:
        self.kept.append(connection)

    def forget(self, connection: Connection, *, stale: bool) -> None:
        self.stale = stale


@dataclass
class Line:
    """A connection with both its ends."""

    shelf: Shelf = field(default_factory=Shelf)
    wire: Wire = field(default_factory=Wire)

    def __post_init__(self) -> None:
        self.connection = Connection(self.shelf)
        self.connection.connection_made(self.wire)

    def ask(self, *, streamed: bool = False, keep_alive: bool = True) -> tuple[Response, asyncio.Future[None]]:
        response = new_response(streamed=streamed)
        return response, self.connection.send(b"POST", response, keep_alive=keep_alive)


def new_response(*, streamed: bool = False) -> Response:
    tape = Tape(time.perf_counter)
    return Response(tape, SocketTimes(tape.clock), streamed)


@dataclass(frozen=True)
class Received:
    """What became of an answer."""

    status: int | None
    body: bytes
    error: str | None
    """None: it came whole."""
    kept: bool
    """Whether the connection may carry another request."""


async def receive(pieces: Iterable[bytes], *, ended: bool = True) -> Received:
    """What a connection makes of these reads, and of the end of the connection after them."""
    line = Line()
    response, done = line.ask()
    for piece in pieces:
        if not line.wire.closed and not done.done():
            line.connection.data_received(piece)
    if ended:
        line.connection.connection_lost(None)
    assert done.done(), "the answer never ends"
    done.result()
    failure = response.failure
    body = bytes(response.tape.body)
    return Received(response.tape.status, body, failure.error if failure else None, bool(line.shelf.kept))


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """The data in reads that end at these places."""
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(ends)]
