"""Calls an OpenAI-compatible endpoint over HTTP, without `litellm`: a fiftieth of its time per call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmctl.outcome import Outcome
from llmctl.providers.openai_chat import request_json
from llmctl.providers.wire import Answer, Asked, Tape

if TYPE_CHECKING:
    from llmctl.providers.http.pool import HttpPool, Server
    from llmctl.providers.http.request import RequestHead

__all__ = ["DirectTransport", "request_headers"]


@dataclass(frozen=True, slots=True)
class _Target:
    """All of a request that is alike for many calls."""

    server: Server
    head: RequestHead


class DirectTransport:
    """One pool of connections for all endpoints."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._pool: HttpPool | None = None
        self._targets: dict[tuple[str, str | None], _Target] = {}
        """By address and key."""

    async def start(self) -> None:
        """Be ready; connections are opened when they are needed, and kept."""
        if self._pool is None:
            from llmctl.providers.http.pool import HttpPool

            self._pool = HttpPool()

    async def send(self, asked: Asked, tape: Tape) -> Answer:
        """POST the request."""
        from llmctl.providers.http.exchange import exchange

        target = self._targets.get((asked.route.url, asked.api_key))
        if target is None:
            found = self._target(asked)
            if isinstance(found, Answer):
                return found
            target = self._targets[asked.route.url, asked.api_key] = found
        tape.request_body = request_json(asked.route, asked.request, streamed=asked.streamed)
        return await exchange(target.server, target.head, tape, streamed=asked.streamed)

    async def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            self._targets.clear()
            await pool.close()

    def _target(self, asked: Asked) -> _Target | Answer:
        """Where a request goes, or why it cannot be sent."""
        from llmctl.providers.http.request import request_head

        if self._pool is None:
            raise RuntimeError("the transport was not started")
        key, url = asked.api_key, asked.route.url
        if key is not None and not (key.isascii() and key.isprintable()):
            sentence = f"{asked.route.api_key_env} holds characters that no key has."
            return Answer(Outcome.PROVIDER_ERROR, error=sentence, sent=False)
        try:
            head = request_head("POST", url, request_headers(key))
        except ValueError as error:
            return Answer(Outcome.BAD_REQUEST, error=f"{error}.", sent=False)
        return _Target(self._pool.server(head.origin), head)


def request_headers(api_key: str | None) -> dict[str, str]:
    """The headers of a request; never recorded."""
    headers = {
        "Content-Type": "application/json",
        "Accept": "*/*",
        "Accept-Encoding": "identity",  # what is recorded is exactly what came
        "User-Agent": "llmctl",
    }
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    return headers
