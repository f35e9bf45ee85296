"""A loopback server that does whatever a row of the fault table says, byte by byte, in a thread with its own loop.

The model's name in a request chooses the script; of its replies the last one stands for ever. It counts requests and
connections, and keeps the bytes of every body that it has put on the wire.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.loopback import LoopbackServer

__all__ = ["FaultServer", "Reply", "completion"]


@dataclass(frozen=True)
class Reply:
    """One reply, as a row of the table writes it."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content: object = "fine"
    """Of a normal completion, where no body is given."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Over the fields of a normal completion; null takes one away."""
    json: object = None
    body: str | None = None
    repeat: int = 1
    """How many times the body."""
    hex: str | None = None
    filler: int = 0
    """A normal completion whose content has this many bytes, NULs where `gzip` is set and no completion at all."""
    events: Sequence[object] = ()
    """A stream: each one an object, or text as it is."""
    raw: str | None = None
    """The whole response, in place of all the rest."""
    flood: int = 0
    """This many headers more."""
    long_header: int = 0
    """One header more, of this many bytes."""
    gzip: bool = False
    chunked: bool = False
    length: int | None = None
    """What Content-Length says, where that is not the truth."""
    cut: int | None = None
    """Only so many bytes of the body are sent, negative: all but so many."""
    end: str = "keep"
    """`keep`, `close`, `reset`, `hang`."""
    drip_ms: float = 0
    """After the headers one blank each so many milliseconds, for ever."""
    stale: bool = False
    """A connection that has carried a request before is reset when this one comes."""
    together: int = 0
    """Sent only when so many requests of the script have come."""

    @property
    def whole(self) -> bytes:
        """The body, before anything is cut off."""
        if self.hex is not None:
            return bytes.fromhex(self.hex)
        if self.body is not None:
            return self.body.encode() * self.repeat
        if self.events:
            return b"".join(
                b"data: " + (event.encode() if isinstance(event, str) else json.dumps(event).encode()) + b"\n\n"
                for event in self.events
            )
        if self.json is not None:
            return json.dumps(self.json).encode()
        if self.filler and self.gzip:
            return b"\0" * self.filler
        payload = completion("x" * self.filler if self.filler else self.content) | self.fields
        return json.dumps({name: value for name, value in payload.items() if value is not None}).encode()

    @property
    def sent(self) -> bytes:
        """What of the body a client can have got."""
        if self.drip_ms or (self.end in {"reset", "hang"} and self.cut is None):
            return b""
        return self.whole[: self.cut]

    def on_the_wire(self) -> bytes:
        if self.raw is not None:
            return self.raw.encode()
        body = zlib.compress(self.whole, wbits=31) if self.gzip else self.whole
        kind = "text/event-stream" if self.events else "application/json"
        headers = {"Content-Type": kind, "x-request-id": "req-1", **self.headers}
        headers |= {f"x-flood-{number}": "y" * 100 for number in range(self.flood)}
        headers |= {"x-long": "z" * self.long_header} if self.long_header else {}
        if self.gzip:
            headers["Content-Encoding"] = "gzip"
        if self.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif self.end == "keep" or self.length is not None or self.cut is not None:
            headers["Content-Length"] = str(len(body) if self.length is None else self.length)
        body = body[: self.cut]
        if self.chunked:
            body = f"{len(body):x}\r\n".encode() + body + b"\r\n" + (b"0\r\n\r\n" if self.cut is None else b"")
        if self.drip_ms:
            body = b""
        head = f"HTTP/1.1 {self.status} Whatever\r\n" + "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        return head.encode() + b"\r\n" + body


def completion(content: object) -> dict[str, Any]:
    """A normal answer."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "served",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


class FaultServer(LoopbackServer):
    """The server; a context manager. `url` is what goes into `api_base`."""

    def __init__(self) -> None:
        super().__init__()
        self._server: asyncio.Server | None = None
        self.requests: Counter[str] = Counter()
        self.connections: defaultdict[str, list[int]] = defaultdict(list)
        """For each model the number of the connection on which each request came."""
        self._scripts: dict[str, Sequence[Reply]] = {}
        self._opened = 0
        self._held: defaultdict[str, list[Callable[[], None]]] = defaultdict(list)

    def script(self, model: str, replies: Sequence[Reply]) -> None:
        """Answer requests for this model with these replies in turn."""
        self._scripts[model] = replies

    async def listen(self) -> int:
        """Begin to listen; the port."""
        self._server = await self.loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    def next_connection(self) -> int:
        self._opened += 1
        return self._opened

    def reply(self, model: str, connection: int) -> Reply:
        replies = self._scripts.get(model) or [Reply()]
        number = self.requests[model]
        self.requests[model] += 1
        self.connections[model].append(connection)
        return replies[min(number, len(replies) - 1)]

    def when_together(self, model: str, count: int, send: Callable[[], None]) -> None:
        """Send a reply as soon as `count` requests for the model have come."""
        self._held[model].append(send)
        if self.requests[model] >= count:
            for held in self._held.pop(model):
                held()


class _Connection(asyncio.Protocol):
    def __init__(self, server: FaultServer) -> None:
        self._server = server
        self._number = server.next_connection()
        self._buffer = b""
        self._carried = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, rest = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lengths[0].split(b":")[1]) if lengths else 0
        if len(rest) < length:
            return
        body, self._buffer = rest[:length], rest[length:]
        self._answer(json.loads(body)["model"])

    def _answer(self, model: str) -> None:
        reply = self._server.reply(model, self._number)
        self._carried += 1
        if reply.together:
            self._server.when_together(model, reply.together, lambda: self._send(reply))
        else:
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        assert self._transport is not None
        if (reply.stale and self._carried > 1) or (reply.end == "reset" and reply.cut is None):
            self._reset()
        elif reply.end == "hang" and reply.cut is None:
            return
        else:
            self._transport.write(reply.on_the_wire())
            if reply.drip_ms:
                self._drip(reply.drip_ms / 1000)
            elif reply.end == "close":
                self._transport.close()
            elif reply.end == "reset":
                self._reset()

    def _reset(self) -> None:
        assert self._transport is not None
        self._transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self._transport.abort()

    def _drip(self, every_s: float) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b" ")
            asyncio.get_running_loop().call_later(every_s, self._drip, every_s)
