"""A local model as the upstream of a recording."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmctl.traffic.recorder.upstream import Upstream

if TYPE_CHECKING:
    from llmctl.providers.local.server import LocalEndpoint

__all__ = ["local_model", "local_upstream"]


@asynccontextmanager
async def local_model(name: str) -> AsyncIterator[Upstream]:
    """The local model of this name, started; it ends with the block.

    Raises:
        ModelError: it is not known, its weights are not here, or it does not start.
    """
    from llmctl.providers.local import weights
    from llmctl.providers.local.server import LocalServer

    model = weights.find(name)
    server = LocalServer(model.path, model.name)
    try:
        yield local_upstream(model.name, await server.start())
    finally:
        await server.stop()


def local_upstream(name: str, endpoint: LocalEndpoint) -> Upstream:
    """The server of a local model that was started. Its own key is put in the place of the client's."""
    split = urlsplit(endpoint.base_url)
    key = f"Bearer {endpoint.api_key}".encode() if endpoint.api_key else b""
    return Upstream(
        f"local/{name}",
        split.hostname or "localhost",
        split.port or 80,
        split.path.rstrip("/"),
        socket=endpoint.socket_path,
        provider="local",
        headers=((b"authorization", key),) if key else (),
        # The library drops a kept-alive connection after a stream.
        close=True,
    )
