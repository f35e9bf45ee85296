"""A recorder between a client and an upstream that a test scripts byte by byte, all on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from llmctl.traffic.journal import TrafficHead
from llmctl.traffic.recorder.child_writer import ChildWriter
from llmctl.traffic.recorder.server import Recorder
from llmctl.traffic.recorder.setting import Setting
from llmctl.traffic.recorder.upstream import upstream_of
from llmctl.traffic.store import StoredCall, TrafficStore

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

CHAT = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-5-mini-2026",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}


def post(body: object = CHAT, *headers: str, path: str = "/v1/chat/completions") -> bytes:
    """A request as a client sends it."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join([*lines, *headers]).encode() + b"\r\n\r\n" + data


def answer(body: object = ANSWER, *headers: str, status: str = "200 OK") -> bytes:
    """A response as a server sends it."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join([*lines, *headers]).encode() + b"\r\n\r\n" + data


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """The head and the body of a request with a length."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + (await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b"")


@dataclass
class Bench:
    """A recorder that runs, and what it has recorded."""

    port: int
    recorder: Recorder
    writer: ChildWriter
    store: Path
    told: list[str]
    asked: list[bytes] = field(default_factory=list)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """As a client."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def send(self, data: bytes) -> bytes:
        """Send bytes, and read until the connection ends."""
        reader, writer = await self.connect()
        writer.write(data)
        found = await reader.read()
        writer.close()
        return found

    async def calls(self) -> list[StoredCall]:
        """What is in the store, once everything that was handed over is."""
        self.recorder.hand_over()
        await asyncio.to_thread(self.writer.flush, 10.0)
        return list(TrafficStore(self.store).calls())

    async def call(self) -> StoredCall:
        """The only call that was recorded."""
        found = await self.calls()
        assert len(found) == 1
        return found[0]

    def raw(self, stored: StoredCall) -> dict[str, object]:
        """Its payloads."""
        found = orjson.loads(TrafficStore(self.store).raw(stored))
        assert isinstance(found, dict)
        return found


Started = Callable[[Serve], contextlib.AbstractAsyncContextManager[Bench]]


@pytest.fixture
def recording(tmp_path: Path) -> Started:
    """Starts a recorder in front of an upstream that is served as the test says."""

    @asynccontextmanager
    async def start(serve: Serve) -> AsyncIterator[Bench]:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await serve(reader, writer)
            with contextlib.suppress(ConnectionError):
                writer.close()
                await writer.wait_closed()

        server = await asyncio.start_server(guarded, "127.0.0.1", 0, limit=2**24)
        port = server.sockets[0].getsockname()[1]
        async with at(f"http://127.0.0.1:{port}") as bench:
            yield bench
        server.close()

    @asynccontextmanager
    async def at(address: str) -> AsyncIterator[Bench]:
        told: list[str] = []
        store = tmp_path / ".llmctl"
        writer = ChildWriter(Setting(store, TrafficHead("record", (address,))), told.append)
        recorder = Recorder(upstream_of(address), writer)
        bench = Bench(await recorder.start("127.0.0.1", 0), recorder, writer, store, told)
        try:
            yield bench
        finally:
            await recorder.stop(0.0)
            await asyncio.to_thread(writer.close)

    start.at = at  # type: ignore[attr-defined]
    return start
