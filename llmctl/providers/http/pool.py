"""Connections of this process to servers: made when they are needed, kept for 15 seconds, the last used first."""

from __future__ import annotations

import asyncio
import os
from functools import lru_cache
from typing import TYPE_CHECKING

from llmctl.providers.http.connection import Connection
from llmctl.providers.http.dial import Addresses, dial
from llmctl.providers.http.failures import connection_failed
from llmctl.providers.http.request import Origin, RequestHead
from llmctl.providers.http.response import Response
from llmctl.providers.wire import Answer, Retry

if TYPE_CHECKING:
    import ssl

__all__ = ["HttpPool", "Server", "tls_context"]

_KEPT_S = 15.0


class HttpPool:
    """All servers. It has no limits and no deadlines of its own: they are the gateway's. Proxies are not used."""

    def __init__(self, *, kept_s: float = _KEPT_S) -> None:
        """`kept_s`: how long a connection may be idle."""
        self._kept_s = kept_s
        self._servers: dict[Origin, Server] = {}

    def server(self, origin: Origin) -> Server:
        """The one with this address."""
        found = self._servers.get(origin)
        if found is None:
            found = self._servers[origin] = Server(origin, self._kept_s)
        return found

    async def close(self) -> None:
        """End all connections, also those that carry a request."""
        servers, self._servers = self._servers, {}
        await asyncio.gather(*(server.close() for server in servers.values()))


class Server:
    """One server and the connections to it: a `Home`."""

    def __init__(self, origin: Origin, kept_s: float) -> None:
        self.origin = origin
        self._kept_s = kept_s
        self._addresses = Addresses(origin.host, origin.port)
        self._open: set[Connection] = set()
        self._idle: list[Connection] = []
        """Of these who can carry a request; the longest idle first."""
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Event | None = None
        """Set when the last connection has ended."""

    async def fetch(self, head: RequestHead, body: bytes | None, response: Response) -> None:
        """Send a request; then `response` holds the answer, or why there is none. Cancelling ends the connection."""
        try:
            connection = self._kept() or await self._connect()
        except OSError as error:
            response.failure = self._unreachable(error)
            return
        done = connection.send(head.with_body(body), response, keep_alive=head.keep_alive)
        try:
            await done
        except asyncio.CancelledError:
            connection.give_up(response)
            raise

    async def close(self) -> None:
        """End all connections."""
        self._closing = asyncio.Event()
        self._addresses.forget()
        if self._timer is not None:
            self._timer.cancel()
        for connection in self._open:
            connection.abort()
        if self._open:
            await self._closing.wait()

    def join(self, connection: Connection) -> None:
        """It stands."""
        self._open.add(connection)
        if self._closing is not None:
            connection.abort()

    def keep(self, connection: Connection) -> None:
        """It may carry another request."""
        if self._closing is not None:
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._timer is None:
            self._timer = loop.call_later(self._kept_s, self._sweep, loop)

    def forget(self, connection: Connection, *, stale: bool) -> None:
        """It has ended; where the server had closed it meanwhile, the others that are kept are no better."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        for other in self._idle if stale else ():
            other.abort()
        if self._closing is not None and not self._open:
            self._closing.set()

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """End those that were idle for too long."""
        self._timer = None
        for connection in self._idle:
            ends_at = connection.idle_since + self._kept_s
            if ends_at > loop.time():
                self._timer = loop.call_at(ends_at, self._sweep, loop)
                return
            connection.abort()

    async def _connect(self) -> Connection:
        loop, origin = asyncio.get_running_loop(), self.origin
        connection = Connection(self)
        if origin.socket is not None:
            await loop.create_unix_connection(lambda: connection, str(origin.socket))
        else:
            await self._connect_tcp(loop, connection)
        return connection

    async def _connect_tcp(self, loop: asyncio.AbstractEventLoop, connection: Connection) -> None:
        context = tls_context() if self.origin.tls else None
        try:
            socket = await dial(await self._addresses.get())
        except OSError:
            self._addresses.forget()
            raise
        name = self.origin.host if context is not None else None
        await loop.create_connection(lambda: connection, sock=socket, ssl=context, server_hostname=name)

    def _unreachable(self, error: OSError) -> Answer:
        origin = self.origin
        where = f"Unix socket {origin.socket}" if origin.socket else f"host {origin.host}:{origin.port}"
        return connection_failed(
            f"Cannot connect to {where} [{_reason(error)}]",
            sent=False,
            retry=Retry.NEVER if _is_tls(error) else Retry.AGAIN,
        )


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """What the system trusts; made for the first `https` address, as it takes 20 ms and more."""
    import ssl

    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _is_tls(error: OSError) -> bool:
    import ssl

    return isinstance(error, ssl.SSLError)


def _reason(error: OSError) -> str:
    """Without the address, which stands beside it."""
    if error.errno is not None and error.errno > 0 and not _is_tls(error):
        return os.strerror(error.errno)
    return str(getattr(error, "verify_message", "") or error.strerror or error) or "the connection was closed"
