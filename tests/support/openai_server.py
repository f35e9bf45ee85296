"""A loopback server that speaks OpenAI's chat completions, in a thread with its own loop.

Without a script it echoes the last user message. `server.script("some-model", Reply(...), Reply(...))` gives the
requests for that model these replies in turn, the last one for ever; for other protocols the name is the end of the
path (`/v1/messages`). `server.seen` holds every request.

    with OpenAIServer() as server:
        ModelConfig("m", "openai/some-model", api_base=server.url)
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.loopback import LoopbackServer

__all__ = ["OpenAIServer", "Reply", "Seen", "completion"]


@dataclass(frozen=True)
class Reply:
    """One scripted reply: a body as it is, or the fields of a normal one."""

    text: str | None = None
    """None: echo the last user message."""
    status: int = 200
    body: bytes | None = None
    """Sent as it is, in place of a completion."""
    payload: object = None
    """Sent as JSON, in place of a completion."""
    headers: Mapping[str, str] = field(default_factory=dict)
    finish_reason: str | None = "stop"
    message: Mapping[str, object] = field(default_factory=dict)
    """Fields over the normal message, for `refusal` and `tool_calls`."""
    usage: bool = True
    fault: str = ""
    """`hang`, `reset` (before any byte), `cut` (within the answer), `drip` (a byte now and then, for ever),
    `hold` (a stream that stands still before its end)."""


@dataclass(frozen=True)
class Seen:
    """One request as it came in."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def completion(body: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
    """The whole answer to a request."""
    text = _last_user_message(body) if reply.text is None else reply.text
    message = {"role": "assistant", "content": text, **reply.message}
    words = sum(len(str(item.get("content") or "").split()) for item in body.get("messages", []))
    payload: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": f"{body.get('model')}-served",
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
    }
    if reply.usage:
        made = len(str(message["content"] or "").split())
        payload["usage"] = {"prompt_tokens": words, "completion_tokens": made, "total_tokens": words + made}
    return payload


class OpenAIServer(LoopbackServer):
    """The server; a context manager. `url` is what goes into `api_base`."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Seen] = []
        self._replies: dict[str, list[Reply]] = {}
        self._turns: Counter[str] = Counter()
        self._runner: web.AppRunner | None = None

    def script(self, model: str, *replies: Reply) -> None:
        """Answer requests for this model (or path) with these replies in turn."""
        self._replies[model] = list(replies)
        self._turns[model] = 0

    def bodies(self, model: str) -> list[Any]:
        """The JSON of every request for this model."""
        return [seen.json for seen in self.seen if seen.json.get("model") == model]

    async def listen(self) -> int:
        """Begin to listen; the port."""
        app = web.Application(client_max_size=2**28)
        app.router.add_post("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close all connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _reply(self, path: str, model: str) -> Reply:
        name = model if model in self._replies else next((key for key in self._replies if path.endswith(key)), "")
        replies = self._replies.get(name)
        if not replies:
            return Reply()
        turn = self._turns[name]
        self._turns[name] += 1
        return replies[min(turn, len(replies) - 1)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw)
        self.seen.append(Seen(request.path, dict(request.headers), raw))
        reply = self._reply(request.path, str(body.get("model", "")))
        if reply.fault in {"hang", "reset"}:
            return await self._no_answer(request, reply)
        if reply.fault == "drip":
            return await self._drip(request)
        if body.get("stream") and reply.status == 200 and reply.body is None and reply.payload is None:
            return await self._stream(request, body, reply)
        content = reply.body
        if content is None:
            content = json.dumps(completion(body, reply) if reply.payload is None else reply.payload).encode()
        headers = {"Content-Type": "application/json", "x-request-id": "req-1", **reply.headers}
        if reply.fault == "cut":
            return await self._cut(request, content, headers)
        return web.Response(status=reply.status, body=content, headers=headers)

    async def _no_answer(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        if reply.fault == "hang" and self._stopping is not None:
            await self._stopping.wait()
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            while self._stopping is not None and not self._stopping.is_set():
                await response.write(b" ")
                await asyncio.sleep(0.01)
        except ConnectionResetError:
            pass  # the client's deadline came first, as it should
        return response

    async def _cut(self, request: web.Request, content: bytes, headers: Mapping[str, str]) -> web.StreamResponse:
        response = web.StreamResponse(headers={**headers, "Content-Length": str(len(content))})
        await response.prepare(request)
        await response.write(content[: len(content) // 2])
        if request.transport is not None:
            request.transport.close()
        return response

    async def _stream(self, request: web.Request, body: Mapping[str, Any], reply: Reply) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "x-request-id": "req-1"})
        await response.prepare(request)
        events = _events(completion(body, reply))
        if reply.fault == "cut":
            events = events[:-3]
        if reply.fault == "hold":
            events = events[:-3]
        for event in events:
            await response.write(b"data: " + event + b"\n\n")
        if reply.fault == "hold" and self._stopping is not None:
            await self._stopping.wait()
        return response


def _last_user_message(body: Mapping[str, Any]) -> str:
    texts = [item.get("content") for item in body.get("messages", []) if item.get("role") == "user"]
    return str(texts[-1]) if texts else ""


def _events(whole: Mapping[str, Any]) -> list[bytes]:
    """The answer word by word, then why it ended, then the usage, then the end."""
    head = {"id": whole["id"], "object": "chat.completion.chunk", "created": 1, "model": whole["model"]}
    message = whole["choices"][0]["message"]
    deltas: list[dict[str, object]] = [{"role": "assistant", "content": ""}]
    words = str(message["content"] or "").split(" ")
    deltas += [{"content": word if at == 0 else f" {word}"} for at, word in enumerate(words)]
    if message.get("refusal"):
        deltas.append({"refusal": message["refusal"]})
    for index, call in enumerate(message.get("tool_calls") or ()):
        half = len(call["function"]["arguments"]) // 2
        first = {**call["function"], "arguments": call["function"]["arguments"][:half]}
        deltas.append({"tool_calls": [{"index": index, **call, "function": first}]})
        rest = {"arguments": call["function"]["arguments"][half:]}
        deltas.append({"tool_calls": [{"index": index, "function": rest}]})
    chunks: list[dict[str, object]] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    finish = whole["choices"][0]["finish_reason"]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    chunks.append({**head, "choices": [], "usage": whole.get("usage")})
    return [*(json.dumps(chunk).encode() for chunk in chunks), b"[DONE]"]
