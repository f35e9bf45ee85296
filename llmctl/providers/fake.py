"""Answers without a model, by a script: for demonstrations, tests and dry runs of a whole pipeline.

The options and faults are described in `fake_script`. Every answer is built as a provider's response and read by the
same parser as a real one, so that its record is equal in kind. Tokens are words between white space.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson

from llmctl.outcome import Outcome
from llmctl.providers.fake_script import Reply, Script
from llmctl.providers.openai_chat import malformed, read_response, request_json
from llmctl.providers.openai_stream import StreamReader
from llmctl.providers.records import ChatRequest
from llmctl.providers.wire import Answer, Asked, Retry, Tape

__all__ = ["FakeTransport"]


class FakeTransport:
    """Plays the scripts of all fake models."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._turns: Counter[str] = Counter()

    async def start(self) -> None:
        """Nothing to start."""

    async def send(self, asked: Asked, tape: Tape) -> Answer:
        """Answer by the script, after its latency."""
        tape.request_body = request_json(asked.route, asked.request, streamed=asked.streamed)
        script = Script.parse(asked.route.wire_model, asked.request.options)
        reply = self._reply(script, asked)
        if script.latency_ms:
            await asyncio.sleep(script.latency_ms / 1000)
        match reply.fault:
            case "timeout":
                await asyncio.Event().wait()
            case "reset":
                return Answer(
                    Outcome.PROVIDER_ERROR, error="The connection failed: reset by the script.", retry=Retry.AGAIN
                )
        return _play(reply, asked, tape)

    async def close(self) -> None:
        """Nothing to close."""

    def _reply(self, script: Script, asked: Asked) -> Reply:
        """What this request gets: its fault in turn, else a flake, else what the script says to the message."""
        turn = self._turns[asked.route.config.name]
        self._turns[asked.route.config.name] += 1
        said = script.reply(_last_user_message(asked.request))
        if turn < len(script.faults) and script.faults[turn] != "ok":
            return Reply("", said.answer if said else None, script.faults[turn])
        if script.flake_rate and _chance(asked.key) < script.flake_rate:
            return Reply("", script.flake_answer)
        return said or Reply("", "no answer of the script fits the last user message", "400")


def _chance(key: str) -> float:
    """A number from 0 to 1 that depends on nothing but the call key."""
    return int.from_bytes(hashlib.sha256(f"flake {key}".encode()).digest()[:8]) / 2**64


def _last_user_message(request: ChatRequest) -> str:
    texts = [_text(message) for message in request.messages if message.get("role") == "user"]
    return texts[-1] if texts else ""


def _text(message: Mapping[str, object]) -> str:
    """A message's text, without images and files."""
    content = message.get("content")
    if not isinstance(content, list):
        return str(content or "")
    return " ".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)


def _play(reply: Reply, asked: Asked, tape: Tape) -> Answer:
    tape.headers = {"content-type": "application/json"}
    if reply.fault.isdecimal() or reply.fault in _ERRORS:
        return _play_error(reply, tape)
    tape.status = 200
    payload = _payload(reply, asked.request, asked.route.wire_model)
    if asked.streamed:
        return _play_stream(payload, reply.fault, tape)
    tape.add(_damaged(orjson.dumps(payload), reply.fault))
    if reply.fault == "cut":
        return malformed("The connection broke off by the script")
    return read_response(200, tape.body)


_ERRORS: Mapping[str, tuple[int, str, str]] = {
    "context_exceeded": (400, "context_length_exceeded", "The prompt is longer than this model's context length."),
    "quota": (429, "insufficient_quota", "You exceeded your current quota."),
}


def _play_error(reply: Reply, tape: Tape) -> Answer:
    status, code, message = _ERRORS.get(reply.fault) or (int(reply.fault), "fault", reply.answer or "by the script")
    if reply.fault == "429":
        tape.headers = {**tape.headers, "retry-after": "0"}
    tape.status = status
    tape.add(orjson.dumps({"error": {"message": message, "type": "fake", "code": code}}))
    return read_response(status, tape.body)


def _payload(reply: Reply, request: ChatRequest, model: str) -> dict[str, Any]:
    text = "" if reply.fault in {"empty", "filtered", "refused"} else reply.answer or ""
    finish = {"truncated": "length", "filtered": "content_filter"}.get(reply.fault, "stop")
    message: dict[str, object] = {"role": "assistant", "content": text}
    if reply.fault == "refused":
        message = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
    words = sum(len(_text(item).split()) for item in request.messages)
    made = len(text.split())
    usage = {"prompt_tokens": words, "completion_tokens": made, "total_tokens": words + made}
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    payload: dict[str, Any] = {"id": "fake", "object": "chat.completion", "created": 0, "model": model}
    payload["choices"] = [] if reply.fault == "no_choices" else choices
    return payload if reply.fault == "no_usage" else {**payload, "usage": usage}


def _damaged(body: bytes, fault: str) -> bytes:
    if fault in {"malformed", "cut"}:
        return body[: len(body) // 2]
    return b"<html><body>Bad gateway</body></html>" if fault == "html" else body


def _play_stream(payload: dict[str, Any], fault: str, tape: Tape) -> Answer:
    """The same answer word by word."""
    tape.headers = {"content-type": "text/event-stream"}
    reader = StreamReader()
    events = _events(payload)
    for event in events[: len(events) // 2] if fault in {"cut", "malformed"} else events:
        chunk = b"<html>" if fault == "html" else b"data: " + event + b"\n\n"
        tape.add(chunk)
        for piece in reader.feed(chunk):
            tape.show(piece.text)
    return reader.answer()


def _events(payload: dict[str, Any]) -> list[bytes]:
    head = {"id": "fake", "object": "chat.completion.chunk", "created": 0, "model": payload["model"]}
    if not payload["choices"]:
        return [orjson.dumps({**head, "choices": []})]
    choice = payload["choices"][0]
    deltas: list[dict[str, object]] = [{"role": "assistant", "content": ""}]
    if choice["message"].get("refusal"):
        deltas.append({"refusal": choice["message"]["refusal"]})
    words = str(choice["message"].get("content") or "").split(" ")
    deltas += [{"content": word if at == 0 else f" {word}"} for at, word in enumerate(words)]
    events = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    events.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    events.append({**head, "choices": [], "usage": payload.get("usage")})
    return [*(orjson.dumps(event) for event in events), b"[DONE]"]
