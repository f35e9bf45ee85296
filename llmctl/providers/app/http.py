"""Calls the user's application over HTTP: one request a case, its secrets added when it goes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from llmctl.outcome import Outcome
from llmctl.project.app_target import HttpCall, SecretHeader
from llmctl.providers.app.answers import read_body, shown
from llmctl.providers.openai_chat import parse_json, read_error
from llmctl.providers.routes import App
from llmctl.providers.wire import SOCKET_TIMES, Answer, Asked, SocketTimes, Tape

if TYPE_CHECKING:
    import aiohttp

__all__ = ["HttpApp"]

_URL_CHARACTERS = "%/:?#[]@!$&'()*+,;=~"
"""What stands in an address as it is; the rest is encoded here, since aiohttp would also resolve `..` on the way."""


class HttpApp:
    """One address of the user's; a `Transport`."""

    def __init__(self, app: App, slots: int, environ: Mapping[str, str], *, trust_env: bool = False) -> None:
        self.slots = slots
        self._app = app
        self._environ = environ
        self._trust_env = trust_env
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the session; connections are opened when they are needed, and kept."""
        if self._session is None:
            from llmctl.providers.http_session import open_session

            self._session = open_session(trust_env=self._trust_env)

    async def send(self, asked: Asked, tape: Tape) -> Answer:
        """Send the request; a redirect is not followed, it would carry the secrets to whoever is named in it."""
        if self._session is None:
            raise RuntimeError("the transport was not started")
        payload: Mapping[str, Any] = asked.request.payload or {}
        secrets = self._secrets()
        if isinstance(secrets, Answer):
            return secrets
        data = _data(payload)
        headers = _with_defaults({**payload["headers"], **secrets}, payload.get("body"))
        tape.request_body = _recorded(self._app, payload, data)
        times = SocketTimes(tape.clock)
        token = SOCKET_TIMES.set(times)
        try:
            answer = await _exchange(self._session, payload, headers, data, tape, self._app.target.output)
        finally:
            SOCKET_TIMES.reset(token)
            tape.sent_at = times.sent_at or tape.sent_at
        return shown(answer, tape)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _secrets(self) -> dict[str, str] | Answer:
        """The headers whose values the environment holds."""
        call = self._app.target.call
        headers: dict[str, str] = {}
        for name, value in call.headers.items() if isinstance(call, HttpCall) else ():
            if not isinstance(value, SecretHeader):
                continue
            secret = self._environ.get(value.env, "").strip()
            if not secret or not secret.isascii() or not secret.isprintable():
                problem = "is not set" if not secret else "holds characters that no header can have"
                return Answer(Outcome.PROVIDER_ERROR, error=f"{value.env} {problem}.", sent=False)
            headers[name] = f"{value.prefix}{secret}"
        return headers


async def _exchange(
    session: aiohttp.ClientSession,
    payload: Mapping[str, Any],
    headers: Mapping[str, str],
    data: bytes | None,
    tape: Tape,
    pointer: str | None,
) -> Answer:
    import aiohttp
    from aiohttp.http_exceptions import HttpProcessingError
    from yarl import URL

    from llmctl.providers.http_exchange import too_large

    try:
        url = URL(quote(payload["url"], safe=_URL_CHARACTERS), encoded=True)
        async with session.request(
            payload["method"], url, data=data, headers=headers, allow_redirects=False
        ) as response:
            tape.status, tape.headers = response.status, response.headers
            async for chunk in response.content.iter_any():
                if not tape.add(chunk):
                    return too_large()
    except ValueError as error:  # aiohttp's InvalidURL is one
        return Answer(Outcome.BAD_REQUEST, error=f"The request cannot be sent: {error}.", sent=False)
    except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
        return _failed(error, tape)
    times = SOCKET_TIMES.get()
    tape.ended_at = times.last_at if times else None
    return _read(tape, pointer)


def _failed(error: Exception, tape: Tape) -> Answer:
    from llmctl.providers.http_exchange import connection_failed, cut_off, dropped, no_http

    times = SOCKET_TIMES.get()
    if tape.status is not None:
        return cut_off(len(tape.body))
    if times is not None and times.unread:
        tape.add(times.unread)
        return no_http()
    if times is not None and times.dropped:
        return dropped()
    return connection_failed(error, sent=times is None or times.sent_at is not None)


def _read(tape: Tape, pointer: str | None) -> Answer:
    status = tape.status or 0
    if 200 <= status < 300:
        return read_body(tape.body, pointer)
    if 300 <= status < 400:
        return Answer(Outcome.BAD_REQUEST, error=f"HTTP {status}: the application redirects elsewhere; correct `url`.")
    try:
        return read_error(status, parse_json(tape.body))
    except ValueError:
        return read_error(status, {"message": tape.body[:500].decode("utf-8", "replace")} if tape.body else None)


def _data(payload: Mapping[str, Any]) -> bytes | None:
    if "body" not in payload:
        return None
    body = payload["body"]
    return body.encode() if isinstance(body, str) else orjson.dumps(body)


def _with_defaults(headers: Mapping[str, str], body: object) -> dict[str, str]:
    defaults = {"User-Agent": "llmctl"}
    if body is not None:
        defaults["Content-Type"] = "text/plain; charset=utf-8" if isinstance(body, str) else "application/json"
    given = {name.lower() for name in headers}
    return {**{name: value for name, value in defaults.items() if name.lower() not in given}, **headers}


def _recorded(app: App, payload: Mapping[str, Any], data: bytes | None) -> bytes:
    """The body as it is sent; before it the request line, where the address differs from case to case or is all."""
    call = app.target.call
    if data is not None and isinstance(call, HttpCall) and call.url == payload["url"]:
        return data
    return f"{payload['method']} {payload['url']}\n\n".encode() + (data or b"")
