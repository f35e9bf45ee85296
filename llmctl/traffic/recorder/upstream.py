"""Where recorded calls go on to: an address that the user gave, or the socket of a local model."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from llmctl.errors import UsageError
from llmctl.providers.endpoints import ENDPOINTS

__all__ = ["Upstream", "upstream_of"]

_PORTS = {"http": 80, "https": 443}
_HINT = "Give the provider's address, such as https://api.openai.com or http://127.0.0.1:9000/v1."
_OTHER_HOSTS = {"api.anthropic.com": "anthropic"}


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server that answers."""

    shown: str
    """For people, and for the journal: the address, or `local/NAME`."""
    host: str
    port: int
    path: str = ""
    """Before every request's path, without a `/` at its end."""
    tls: ssl.SSLContext | None = None
    socket: Path | None = None
    """The Unix socket to connect to instead."""
    provider: str | None = None
    """litellm's name of who answers, where the address says so."""
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    """Sent in place of the client's own of that name."""
    close: bool = False
    """Whether every request has a connection of its own."""

    host_header: bytes = field(init=False)
    """As a client would send it."""

    def __post_init__(self) -> None:
        name = f"[{self.host}]" if ":" in self.host else self.host
        standard = self.port == _PORTS["https" if self.tls else "http"]
        shown = name if standard or self.socket else f"{name}:{self.port}"
        object.__setattr__(self, "host_header", shown.encode())

    def target(self, asked: bytes) -> bytes:
        """The path to ask for; what the address and the request both say (`/v1`) is said once."""
        if asked.startswith(b"*"):
            return asked
        if not asked.startswith(b"/"):  # the whole address, as clients ask a proxy
            split = urlsplit(asked.decode("latin-1"))
            asked = f"{split.path or '/'}{'?' + split.query if split.query else ''}".encode("latin-1")
        last = self.path[self.path.rfind("/") :].encode()
        if len(last) > 1 and (asked == last or asked.startswith((last + b"/", last + b"?"))):
            asked = asked[len(last) :]
        return self.path.encode() + asked or b"/"

    async def connect(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Open a connection.

        Raises:
            OSError: it cannot be reached, or its certificate does not hold.
        """
        loop = asyncio.get_running_loop()
        if self.socket is not None:
            await loop.create_unix_connection(protocol, str(self.socket))
        elif self.tls is not None:
            await loop.create_connection(
                protocol, self.host, self.port, ssl=self.tls, server_hostname=self.host, happy_eyeballs_delay=0.25
            )
        else:
            await loop.create_connection(protocol, self.host, self.port, happy_eyeballs_delay=0.25)


def upstream_of(address: str) -> Upstream:
    """The server at an `http` or `https` address. Certificates are checked against what the system trusts.

    Raises:
        UsageError: it is no such address, or holds a password or a query.
    """
    try:
        split = urlsplit(address)
        port = split.port
    except ValueError:
        raise UsageError("The address given by --upstream cannot be read.", hint=_HINT) from None
    if split.scheme not in _PORTS or not split.hostname:
        raise UsageError(f'"{split.scheme or address}" is no address of an HTTP server.', hint=_HINT)
    if split.username is not None or split.password is not None or split.query or split.fragment:
        raise UsageError(
            "The address given by --upstream holds a user, a query or a fragment.",
            hint="Keys belong into the client's requests: they are passed on, and never written.",
        )
    path = split.path.rstrip("/")
    if not path.isascii() or any(letter <= " " for letter in path + split.hostname):
        raise UsageError("The address given by --upstream holds letters that no address may hold.", hint=_HINT)
    shown = f"{split.scheme}://{split.netloc}{path}"
    tls = ssl.create_default_context() if split.scheme == "https" else None
    return Upstream(shown, split.hostname, port or _PORTS[split.scheme], path, tls, provider=_provider(split))


def _provider(split: SplitResult) -> str | None:
    host = split.hostname or ""
    if host in ("127.0.0.1", "localhost", "::1"):
        return None
    known = {urlsplit(one.base_url).hostname: name for name, one in ENDPOINTS.items() if one.base_url}
    return _OTHER_HOSTS.get(host) or known.get(host)
