"""A streamed chat completion: server-sent events in, pieces of text out, one answer at the end. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from llmctl.providers.openai_chat import malformed, parse_json, read_payload, read_usage
from llmctl.providers.wire import Answer
from llmctl.safe_text import replace_surrogates

__all__ = ["Piece", "StreamReader"]


@dataclass(frozen=True, slots=True)
class Piece:
    """What one chunk brought; a piece without text is a tool call or a refusal that has begun."""

    text: str


@dataclass(slots=True)
class StreamReader:
    """Reads a stream chunk by chunk; `answer()` says what it amounts to."""

    buffer: bytearray = field(default_factory=bytearray)
    events: list[bytes] = field(default_factory=list)
    """Data lines of the event that is not finished."""
    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    finish_reason: str | None = None
    served_model: str | None = None
    usage: Any = None
    error: Any = None
    done: bool = False
    damage: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the provider said that this was all; what may still come then is the usage."""
        return self.done or self.finish_reason is not None

    def feed(self, chunk: bytes) -> list[Piece]:
        """Take bytes as they come from the network; the pieces that became whole."""
        self.buffer += chunk
        pieces: list[Piece] = []
        if b"\n" not in chunk:
            return pieces
        *lines, rest = bytes(self.buffer).split(b"\n")
        self.buffer = bytearray(rest)
        for line in lines:
            pieces += self._line(line.rstrip(b"\r"))
        return pieces

    def answer(self) -> Answer:
        """The answer, after the last chunk; a stream that just stops is malformed, never a normal end."""
        if self.buffer or self.events:
            self._line(bytes(self.buffer))
            self._line(b"")
        if self.error is not None:
            return read_payload({"error": self.error, "usage": self.usage})
        if self.damage is not None:
            return malformed(self.damage, read_usage(self.usage))
        if not self.ended:
            return malformed("The stream broke off before its end", read_usage(self.usage))
        message = {
            "content": "".join(self.text) if self.text else None,
            "refusal": "".join(self.refusal) or None,
            "tool_calls": [self.calls[index] for index in sorted(self.calls)],
        }
        choice = {"message": message, "finish_reason": self.finish_reason}
        return read_payload({"choices": [choice], "model": self.served_model, "usage": self.usage})

    def _line(self, line: bytes) -> list[Piece]:
        if line.startswith(b"data:"):
            self.events.append(line[5:].removeprefix(b" "))
            return []
        if line or not self.events:
            return []
        data, self.events = b"\n".join(self.events), []
        return self._event(data)

    def _event(self, data: bytes) -> list[Piece]:
        if data.strip() == b"[DONE]":
            self.done = True
            return []
        try:
            event = parse_json(data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self.damage = "The stream holds a piece that is not JSON"
            return []
        return self._chunk(event)

    def _chunk(self, event: dict[str, Any]) -> list[Piece]:
        if event.get("error"):
            self.error = event["error"]
            return []
        if isinstance(event.get("model"), str):
            self.served_model = self.served_model or event["model"]
        self.usage = event.get("usage") or self.usage
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict) or choice.get("index", 0) != 0:
            return []
        # Some servers send "" with every piece.
        if isinstance(choice.get("finish_reason"), str) and choice["finish_reason"]:
            self.finish_reason = choice["finish_reason"]
        delta = choice.get("delta")
        return self._delta(delta) if isinstance(delta, dict) else []

    def _delta(self, delta: dict[str, Any]) -> list[Piece]:
        pieces: list[Piece] = []
        if isinstance(delta.get("content"), str) and delta["content"]:
            self.text.append(delta["content"])
            pieces.append(Piece(replace_surrogates(delta["content"])))
        if isinstance(delta.get("refusal"), str) and delta["refusal"]:
            self.refusal.append(delta["refusal"])
            pieces.append(Piece(""))
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else []:
            if isinstance(call, dict):
                self._tool_call(call)
                pieces.append(Piece(""))
        return pieces

    def _tool_call(self, part: dict[str, Any]) -> None:
        index = part.get("index")
        whole = self.calls.setdefault(index if isinstance(index, int) else len(self.calls), {"type": "function"})
        for name in ("id", "type"):
            if isinstance(part.get(name), str):
                whole[name] = part[name]
        function = part.get("function")
        if not isinstance(function, dict):
            return
        target = whole.setdefault("function", {"name": "", "arguments": ""})
        for name in ("name", "arguments"):
            if isinstance(function.get(name), str):
                target[name] += function[name]
