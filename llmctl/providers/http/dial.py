"""From the name of a server to a connected socket: looked up once in five minutes, its addresses tried side by side."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import chain, zip_longest
from typing import Any

__all__ = ["Address", "Addresses", "dial", "interleaved"]

_KEPT_S = 300.0
_NEXT_AFTER_S = 0.25
"""How long an address is waited for before the next one is tried as well (RFC 8305, section 5)."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a socket connects to."""

    family: socket.AddressFamily
    place: Any
    """As `socket.connect` takes it."""


class Addresses:
    """Of one server."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._lookup: asyncio.Task[deque[Address]] | None = None
        self._until = 0.0

    async def get(self) -> Sequence[Address]:
        """All of them, each time another one first; who asks at the same time shares a look-up.

        Raises:
            OSError: the name is not known.
        """
        loop = asyncio.get_running_loop()
        lookup = self._lookup
        if lookup is None or loop.time() > self._until:
            lookup = self._lookup = loop.create_task(self._look_up(loop))
            self._until = loop.time() + _KEPT_S
        try:
            found = await asyncio.shield(lookup)
        except OSError:
            self.forget()
            raise
        addresses = tuple(found)
        found.rotate(-1)
        return addresses

    def forget(self) -> None:
        """Look up anew the next time."""
        self._lookup = None

    async def _look_up(self, loop: asyncio.AbstractEventLoop) -> deque[Address]:
        try:
            family = socket.AF_INET6 if ip_address(self._host).version == 6 else socket.AF_INET
        except ValueError:
            # As bytes: of text `socket` would import a codec of 5 ms, and refuse it with errors of its own.
            found = await loop.getaddrinfo(self._host.encode(), self._port, type=socket.SOCK_STREAM)
            return deque(interleaved([Address(item[0], item[4]) for item in found]))
        return deque([Address(family, (self._host, self._port))])


def interleaved(addresses: Sequence[Address]) -> list[Address]:
    """The two kinds of addresses by turns, as whole families may be out of reach (RFC 8305, section 4)."""
    first = [address for address in addresses if address.family == addresses[0].family]
    others = [address for address in addresses if address.family != addresses[0].family]
    return [address for address in chain(*zip_longest(first, others)) if address is not None]


async def dial(addresses: Sequence[Address]) -> socket.socket:
    """A socket that is connected to one of the addresses.

    Raises:
        OSError: none of them answers; the reason of the first.
    """
    if len(addresses) == 1:
        return await _connected(addresses[0])
    race = _Race(deque(addresses))
    try:
        return await race.winner()
    finally:
        race.end()


class _Race:
    def __init__(self, left: deque[Address]) -> None:
        self._left = left
        self._running: set[asyncio.Task[socket.socket]] = set()
        self._failures: list[OSError] = []

    async def winner(self) -> socket.socket:
        while True:
            if self._left:
                self._running.add(asyncio.create_task(_connected(self._left.popleft())))
            elif not self._running:
                raise self._failures[0]
            timeout = _NEXT_AFTER_S if self._left else None
            done, _ = await asyncio.wait(self._running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                self._running.discard(task)
                try:
                    return task.result()
                except OSError as error:
                    self._failures.append(error)

    def end(self) -> None:
        """Let go of all that are still on their way, or came second."""
        for task in self._running:
            task.cancel()
            task.add_done_callback(_drop)


def _drop(late: asyncio.Task[socket.socket]) -> None:
    if not late.cancelled() and late.exception() is None:
        late.result().close()


async def _connected(address: Address) -> socket.socket:
    connection = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, address.place)
    except BaseException:
        connection.close()
        raise
    return connection
