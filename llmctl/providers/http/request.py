"""A request as bytes: to which server it goes, and its head but for the length of the body. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

__all__ = ["Origin", "RequestHead", "request_head"]

_URL = re.compile(r"(?P<server>(?P<scheme>https?)://[^/?#]+)(?P<target>[^#\ud800-\udfff]*)(?:#.*)?", re.DOTALL)
_TARGET_CHARACTERS = "%/:?#[]@!$&'()*+,;=~"
"""What stands in an address as it is; the rest is encoded."""
_HOST = re.compile(r"[0-9A-Za-z._:%-]+")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_VALUES = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_SET_HERE = frozenset({"content-length", "host", "transfer-encoding"})
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """A server, by its address."""

    host: str
    port: int
    tls: bool = False
    socket: Path | None = None
    """The Unix socket that it listens on; then host and port say nothing."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """All that comes before the body."""

    origin: Origin
    lines: bytes
    """Request line and headers."""
    keep_alive: bool = True
    """Whether the connection may be used again."""

    def with_body(self, body: bytes | None) -> bytes:
        """The whole request; None: it has no body."""
        if body is None:
            return self.lines + b"\r\n"
        return b"%bContent-Length: %d\r\n\r\n%b" % (self.lines, len(body), body)


def request_head(method: str, url: str, headers: Mapping[str, str], *, socket: Path | None = None) -> RequestHead:
    """The head of a request.

    Args:
        method: `POST` ...
        url: where it goes, `http` or `https`; what has no place in an address is encoded.
        headers: without Host and Content-Length, which are added.
        socket: the Unix socket that the server listens on, in place of the address.

    Raises:
        ValueError: the address, or a header, cannot be sent; a clause that says which.
    """
    match = _URL.fullmatch(url)
    origin = _origin(match["scheme"], match["server"], socket) if match else None
    if match is None or origin is None:
        raise ValueError(f"{url} is not an address that can be called")
    target = quote(match["target"], safe=_TARGET_CHARACTERS)
    line = f"{method} {target if target.startswith('/') else f'/{target}'} HTTP/1.1"
    lines = [line, f"Host: {_authority(origin)}", *map(_header_line, headers, headers.values())]
    closes = any(name.lower() == "connection" and "close" in value.lower() for name, value in headers.items())
    return RequestHead(origin, "".join(f"{line}\r\n" for line in lines).encode(), keep_alive=not closes)


def _origin(scheme: str, server: str, socket: Path | None) -> Origin | None:
    """None: there is no such server."""
    try:
        parts = urlsplit(server)
        host, port = parts.hostname, parts.port
        if not host or parts.username is not None:
            return None
        # A name in other letters than ASCII's is looked up under the one that it has there.
        ascii_host = host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError:
        return None
    known = Origin(ascii_host, port or _PORTS[scheme], scheme == "https", socket)
    return known if _HOST.fullmatch(ascii_host) else None


def _authority(origin: Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return host if origin.port == _PORTS["https" if origin.tls else "http"] else f"{host}:{origin.port}"


def _header_line(name: str, value: str) -> str:
    if not _NAME.fullmatch(name) or name.lower() in _SET_HERE:
        raise ValueError(f"the header {name[:80]!r} cannot be set")
    if _NOT_IN_VALUES.search(value):
        raise ValueError(f"the header {name} would hold a line end, or another character that no header can have")
    return f"{name}: {value}"
