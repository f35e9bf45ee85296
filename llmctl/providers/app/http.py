"""Calls the user's application over HTTP: one request a case, its secrets added when it goes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from llmctl.outcome import Outcome
from llmctl.project.app_target import HttpCall, SecretHeader
from llmctl.providers.app.answers import read_body, shown
from llmctl.providers.openai_chat import parse_json, read_error
from llmctl.providers.routes import App
from llmctl.providers.wire import Answer, Asked, SocketTimes, Tape

if TYPE_CHECKING:
    from llmctl.providers.http.pool import HttpPool

__all__ = ["HttpApp"]


class HttpApp:
    """One address of the user's; a `Transport`."""

    def __init__(self, app: App, slots: int, environ: Mapping[str, str]) -> None:
        self.slots = slots
        self._app = app
        self._environ = environ
        self._pool: HttpPool | None = None

    async def start(self) -> None:
        """Be ready; connections are opened when they are needed, and kept."""
        if self._pool is None:
            from llmctl.providers.http.pool import HttpPool

            self._pool = HttpPool()

    async def send(self, asked: Asked, tape: Tape) -> Answer:
        """Send the request; a redirect is not followed, it would carry the secrets to whoever is named in it."""
        if self._pool is None:
            raise RuntimeError("the transport was not started")
        payload: Mapping[str, Any] = asked.request.payload or {}
        secrets = self._secrets()
        if isinstance(secrets, Answer):
            return secrets
        data = _data(payload)
        headers = _with_defaults({**payload["headers"], **secrets}, payload.get("body"))
        tape.request_body = _recorded(self._app, payload, data)
        answer = await _exchange(self._pool, payload, headers, data, tape, self._app.target.output)
        return shown(answer, tape)

    async def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.close()

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
    pool: HttpPool,
    payload: Mapping[str, Any],
    headers: Mapping[str, str],
    data: bytes | None,
    tape: Tape,
    pointer: str | None,
) -> Answer:
    from llmctl.providers.http.request import request_head
    from llmctl.providers.http.response import Response

    try:
        head = request_head(payload["method"], payload["url"], headers)
    except ValueError as error:
        return Answer(Outcome.BAD_REQUEST, error=f"The request cannot be sent: {error}.", sent=False)
    response = Response(tape, SocketTimes(tape.clock))
    await pool.server(head.origin).fetch(head, data, response)
    return response.failure or _read(tape, pointer)


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
    defaults = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "llmctl"}
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
