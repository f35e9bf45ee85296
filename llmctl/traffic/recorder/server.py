"""The recorder: listens, passes on, hands what has ended to the writer, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Protocol

from llmctl.errors import UsageError
from llmctl.traffic.recorder.connection import ClientConnection
from llmctl.traffic.recorder.exchange import TOO_LONG, Exchange
from llmctl.traffic.recorder.upstream import Upstream

__all__ = ["Recorder", "Writer", "address_of"]

_BACKLOG = 1024
_GATHER_S = 0.01
"""What ends within this time is handed over together: waking a thread for each call costs more than passing it on."""


class Writer(Protocol):
    """Takes what has ended. Never waits."""

    def put(self, exchanges: Sequence[Exchange]) -> None:
        """Exchanges to be written down."""

    def lose(self, reason: str) -> None:
        """One that cannot be kept."""


class Recorder:
    """A pass-through server, within a running event loop."""

    def __init__(self, upstream: Upstream, writer: Writer) -> None:
        """`writer` gets every exchange, some milliseconds after it has ended."""
        self.upstream = upstream
        self._writer = writer
        self._gathered: list[Exchange] = []
        self._clients: set[ClientConnection] = set()
        self._server: asyncio.Server | None = None
        self._stopping = False
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
        self._stopping = True
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
        self.hand_over()

    def _client(self) -> ClientConnection:
        return ClientConnection(self.upstream, self._ended, self._opened, self._closed)

    def _opened(self, client: ClientConnection) -> None:
        self._clients.add(client)
        self._idle.clear()
        if self._stopping:  # it was accepted before, and is connected only now
            client.stop()

    def _closed(self, client: ClientConnection) -> None:
        self._clients.discard(client)
        if not self._clients:
            self._idle.set()

    def _ended(self, exchange: Exchange) -> None:
        if exchange.request.dropped or exchange.response.dropped:
            self._writer.lose(TOO_LONG)
            return
        if not self._gathered:
            asyncio.get_running_loop().call_later(_GATHER_S, self.hand_over)
        self._gathered.append(exchange)

    def hand_over(self) -> None:
        """Give the writer what has ended until now."""
        if self._gathered:
            self._writer.put(self._gathered)
            self._gathered = []


def address_of(host: str, port: int) -> str:
    """As a client writes it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
