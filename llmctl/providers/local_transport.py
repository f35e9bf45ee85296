"""Calls the local model: the same HTTP as `direct`, over the socket of its child process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from llmctl.outcome import Outcome
from llmctl.providers.direct import request_headers
from llmctl.providers.openai_chat import request_json
from llmctl.providers.wire import Answer, Asked, Tape

if TYPE_CHECKING:
    from llmctl.providers.http.pool import HttpPool
    from llmctl.providers.http.request import RequestHead
    from llmctl.providers.local.server import LocalEndpoint, LocalServer

__all__ = ["LocalTransport"]


class LocalTransport:
    """One local model; its server has one slot, so one call at a time."""

    slots = 1

    def __init__(self, weights: Path, alias: str) -> None:
        self._weights = weights
        self._alias = alias
        self._server: LocalServer | None = None
        self._pool: HttpPool | None = None
        self._endpoint: LocalEndpoint | None = None
        self._abandoned = False
        """Whether a request was given up: its slot may go on answering it, and nothing else."""

    @property
    def pid(self) -> int | None:
        """The child's process id, None where none runs."""
        return self._server.pid if self._server is not None else None

    async def start(self) -> None:
        """Start the child process and connect to it.

        Raises:
            ModelError: it does not start.
        """
        if self._pool is not None:
            if self._server is not None and self._server.alive and not self._abandoned:
                return
            await self.close()
        from llmctl.providers.http.pool import HttpPool
        from llmctl.providers.local.server import LocalServer

        self._server = self._server or LocalServer(self._weights, self._alias)
        self._endpoint = await self._server.start()
        self._pool = HttpPool()

    async def send(self, asked: Asked, tape: Tape) -> Answer:
        """POST the request; a child that has died is started again before the next one."""
        from llmctl.providers.http.exchange import exchange

        if self._abandoned:
            await self.start()
        if self._pool is None or self._endpoint is None:
            raise RuntimeError("the transport was not started")
        tape.request_body = request_json(asked.route, asked.request, streamed=asked.streamed)
        head = _head(self._endpoint, streamed=asked.streamed)
        try:
            answer = await exchange(self._pool.server(head.origin), head, tape, streamed=asked.streamed)
        except asyncio.CancelledError:
            self._abandoned = True
            raise
        if tape.status is None and answer.outcome is Outcome.PROVIDER_ERROR:
            await self.close()
        return answer

    async def close(self) -> None:
        """Disconnect and end the child process."""
        self._abandoned = False
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()
        if self._server is not None:
            await self._server.stop()


def _head(endpoint: LocalEndpoint, *, streamed: bool) -> RequestHead:
    from llmctl.providers.http.request import request_head

    headers = request_headers(endpoint.api_key)
    if streamed:
        # The library drops a kept-alive connection after a stream.
        headers["Connection"] = "close"
    return request_head("POST", f"{endpoint.base_url}/chat/completions", headers, socket=endpoint.socket_path)
