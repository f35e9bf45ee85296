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
    import aiohttp

    from llmctl.providers.local.server import LocalServer

__all__ = ["LocalTransport"]


class LocalTransport:
    """One local model; its server has one slot, so one call at a time."""

    slots = 1

    def __init__(self, weights: Path, alias: str) -> None:
        self._weights = weights
        self._alias = alias
        self._server: LocalServer | None = None
        self._session: aiohttp.ClientSession | None = None
        self._url = ""
        self._api_key: str | None = None
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
        if self._session is not None:
            if self._server is not None and self._server.alive and not self._abandoned:
                return
            await self.close()
        import aiohttp

        from llmctl.providers.local.server import LocalServer

        self._server = self._server or LocalServer(self._weights, self._alias)
        endpoint = await self._server.start()
        self._url = f"{endpoint.base_url}/chat/completions"
        self._api_key = endpoint.api_key
        socket = endpoint.socket_path
        connector = aiohttp.UnixConnector(path=str(socket), limit=1) if socket else aiohttp.TCPConnector(limit=1)
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))

    async def send(self, asked: Asked, tape: Tape) -> Answer:
        """POST the request; a child that has died is started again before the next one."""
        from llmctl.providers.http_exchange import exchange

        if self._abandoned:
            await self.start()
        if self._session is None:
            raise RuntimeError("the transport was not started")
        tape.request_body = request_json(asked.route, asked.request, streamed=asked.streamed)
        headers = request_headers(self._api_key)
        if asked.streamed:
            # The library drops a kept-alive connection after a stream.
            headers["Connection"] = "close"
        try:
            answer = await exchange(self._session, self._url, headers, tape, streamed=asked.streamed)
        except asyncio.CancelledError:
            self._abandoned = True
            raise
        if tape.status is None and answer.outcome is Outcome.PROVIDER_ERROR:
            await self.close()
        return answer

    async def close(self) -> None:
        """Disconnect and end the child process."""
        self._abandoned = False
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        if self._server is not None:
            await self._server.stop()
