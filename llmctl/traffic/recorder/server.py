"""The recorder: listens, passes on, hands what has ended to the writer, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

from llmctl.errors import UsageError
from llmctl.traffic.recorder.connection import ClientConnection
from llmctl.traffic.recorder.exchange import Exchange
from llmctl.traffic.recorder.records import TOO_LONG, record_of
from llmctl.traffic.recorder.upstream import Upstream
from llmctl.traffic.recorder.writer import CallWriter, RecordedCall

__all__ = ["Recorder", "address_of"]

_BACKLOG = 1024


class Recorder:
    """A pass-through server, within a running event loop."""

    def __init__(
        self, upstream: Upstream, writer: CallWriter, prompt_header: bytes, learn: Callable[[Exchange], None]
    ) -> None:
        """`learn` is called in the writer's thread with every exchange before it is written: for keys in it."""
        self.upstream = upstream
        self.writer = writer
        self.prompt_header = prompt_header
        self._learn = learn
        self._clients: set[ClientConnection] = set()
        self._server: asyncio.Server | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port.

        Raises:
            UsageError: the address is taken, or not of this machine.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._client, host, port, backlog=_BACKLOG)
        except OSError as error:
            raise UsageError(
                f"Nothing can listen on {address_of(host, port)}: {error.strerror or error}.",
                hint="Give another --port; 0 means any free one.",
            ) from None
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self, grace_s: float, at_once: asyncio.Event | None = None) -> None:
        """Accept nothing more, let what is under way end for so long, then cut it off."""
        if self._server is not None:
            self._server.close()
        for client in list(self._clients):
            client.close_when_idle()
        waits = [asyncio.ensure_future(self._idle.wait())]
        if at_once is not None:
            waits.append(asyncio.ensure_future(at_once.wait()))
        await asyncio.wait(waits, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        for client in list(self._clients):
            client.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), 1.0)

    def _client(self) -> ClientConnection:
        client = ClientConnection(self.upstream, self._ended, self._closed)
        self._clients.add(client)
        self._idle.clear()
        return client

    def _closed(self, client: ClientConnection) -> None:
        self._clients.discard(client)
        if not self._clients:
            self._idle.set()

    def _ended(self, exchange: Exchange) -> None:
        if exchange.request.dropped or exchange.response.dropped:
            self.writer.lose(TOO_LONG)
        else:
            self.writer.put(partial(self._recorded, exchange), exchange.size)

    def _recorded(self, exchange: Exchange) -> RecordedCall | str:
        self._learn(exchange)
        return record_of(exchange, prompt_header=self.prompt_header, provider=self.upstream.provider)


def address_of(host: str, port: int) -> str:
    """As a client writes it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
