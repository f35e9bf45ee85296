"""What the sockets behind asyncio's transports are told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

__all__ = ["no_delay", "reset"]

_NO_LINGER = struct.pack("ii", 1, 0)


def no_delay(transport: asyncio.Transport) -> None:
    """Small pieces go on at once."""
    found = transport.get_extra_info("socket")
    if found is not None and found.family in (socket.AF_INET, socket.AF_INET6):
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def reset(transport: asyncio.Transport) -> None:
    """Close as with a reset: the client is to see what happened to the upstream's connection."""
    found = transport.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
