"""Every Python process that starts with this on its path notes each address that it tries to reach.

The interpreter itself reports them (PEP 578), below anything that a library can replace. With `PRIVACY_BLOCKED` set,
trying fails, too. Sockets of the Unix family are nobody's network.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import Any

_LOG = os.open(os.environ["PRIVACY_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_BLOCKED = bool(os.environ.get("PRIVACY_BLOCKED"))
_CONTACTS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_NAMES = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _CONTACTS:
        address = arguments[1]
        # Of a socket that is connected already, the address is None: its connection was noted.
        if address is None or getattr(arguments[0].family, "name", "") == "AF_UNIX":
            return
        host, port = str(address[0]), address[1]
    elif event in _NAMES:
        name = arguments[0]
        host = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
        port = arguments[1] if len(arguments) > 1 else None
        if _is_address(host):
            return
    else:
        return
    os.write(_LOG, json.dumps({"event": event, "host": host, "port": port}, default=str).encode() + b"\n")
    if _BLOCKED:
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))


def _is_address(host: str) -> bool:
    """Whether there is nothing to be looked up: no name server is asked for a number."""
    return bool(host) and all(letter in "0123456789abcdefABCDEF.:" for letter in host) and (":" in host or "." in host)


sys.addaudithook(_watch)
