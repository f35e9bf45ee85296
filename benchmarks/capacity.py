"""How many requests a second the server answers: a pipelining client over raw sockets, which costs next to nothing."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

__all__ = ["Capacity", "measure_capacity"]

_ANSWER_MARK = b"HTTP/1.1 200"
_DEPTH = 16
"""Requests under way on one connection."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the server can do when its client is no limit."""

    requests: int
    wall_s: float

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return self.requests / self.wall_s


def measure_capacity(port: int, bodies: Sequence[bytes], *, connections: int = 32, timeout_s: float = 60.0) -> Capacity:
    """Send all bodies over some connections, several at once on each, and wait for all answers.

    Raises:
        OSError: the server went away, or took too long.
    """
    requests = [_request(port, body) for body in bodies]
    rounds = [requests[start : start + _DEPTH] for start in range(0, len(requests), _DEPTH)]
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout_s)) for _ in range(connections)
        ]
        begun = time.perf_counter()
        for start in range(0, len(rounds), connections):
            batch = list(zip(sockets, rounds[start : start + connections], strict=False))
            for one, group in batch:
                one.sendall(b"".join(group))
            for one, group in batch:
                _receive(one, len(group))
        return Capacity(len(requests), time.perf_counter() - begun)


def _request(port: int, body: bytes) -> bytes:
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _receive(connection: socket.socket, answers: int) -> None:
    """Read until the last of some answers is whole: all of them end with `}`."""
    data = b""
    while data.count(_ANSWER_MARK) < answers or not data.endswith(b"}"):
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("the server closed the connection")
        data += piece
