"""A stream that was logged chunk by chunk, put together into the response that it amounts to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmctl.traffic.readers.values import decoded, mapping, objects

__all__ = ["CUT_STREAM", "joined_chunks", "joined_events", "sse_events"]

DONE = "[DONE]"
CUT_STREAM = "The stream was cut off."
_BEGUN = frozenset({"response.created", "response.queued", "response.in_progress"})
"""Events that hold a Response which is not finished."""


def sse_events(body: str) -> list[object]:
    """The events of a stream that was logged as its text: lines `data: {...}`."""
    found = (line[5:].strip() for line in body.splitlines() if line.startswith("data:"))
    return [decoded(data) for data in found if data]


def joined_chunks(chunks: Sequence[object]) -> dict[str, Any] | None:
    """The chat completion that OpenAI's chunks amount to; None: there is no chunk among them.

    A stream that never says that it ends, neither by a finish reason nor by `[DONE]`, was cut off: it is an `error`,
    beside what had come.
    """
    found = [chunk for one in chunks if isinstance(chunk := decoded(one), dict)]
    if not found:
        return None
    if len(found) == 1 and not _deltas(found):
        return dict(found[0])
    whole: dict[str, Any] = {}
    for chunk in found:
        whole.update({name: chunk[name] for name in ("id", "created", "model", "usage", "error") if chunk.get(name)})
    deltas = _deltas(found)
    if not deltas:
        return whole
    finish = [delta["finish_reason"] for delta in deltas if delta.get("finish_reason")]
    message = _message([delta["delta"] for delta in deltas if isinstance(delta.get("delta"), dict)])
    if not any(isinstance(delta.get("delta"), dict) for delta in deltas):
        message["content"] = _joined(deltas, "text")
    if not finish and DONE not in chunks and "error" not in whole:
        whole["error"] = {"message": CUT_STREAM, "type": "stream_cut_off"}
    return {**whole, "choices": [{"index": 0, "message": message, "finish_reason": finish[-1] if finish else None}]}


def _deltas(chunks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What each chunk says of the first choice."""
    choices = (one for chunk in chunks for one in objects(chunk.get("choices")))
    return [one for one in choices if not one.get("index") and not {"delta", "text"}.isdisjoint(one)]


def _message(deltas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": _joined(deltas, "content")}
    message["refusal"] = _joined(deltas, "refusal")
    calls = _calls(part for delta in deltas for part in objects(delta.get("tool_calls")))
    legacy = [{"function": one} for delta in deltas if isinstance(one := delta.get("function_call"), dict)]
    calls += _calls(legacy)
    if calls:
        message["tool_calls"] = calls
    return message


def _joined(pieces: Sequence[Mapping[str, Any]], name: str) -> str | None:
    found = [piece[name] for piece in pieces if isinstance(piece.get(name), str)]
    return "".join(found) if found else None


def _calls(parts: Iterator[Mapping[str, Any]] | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Tool calls whose arguments came in pieces, each with the index of its call."""
    calls: dict[int, dict[str, Any]] = {}
    for part in parts:
        index = part.get("index")
        place = index if isinstance(index, int) else 0
        call = calls.setdefault(place, {"type": "function", "function": {"name": "", "arguments": ""}})
        if part.get("id"):
            call["id"] = part["id"]
        function = part.get("function")
        for name in ("name", "arguments"):
            if isinstance(function, dict) and isinstance(function.get(name), str):
                call["function"][name] += function[name]
    return [calls[place] for place in sorted(calls)]


def joined_events(events: Sequence[object]) -> dict[str, Any] | None:
    """The response that the events of a stream amount to, Anthropic's or of OpenAI's Responses API; None: neither."""
    found = [event for one in events if isinstance(event := decoded(one), dict)]
    for event in reversed(found):
        # response.completed, response.incomplete, response.failed: it ends with the whole response
        if str(event.get("type", "")).startswith("response.") and isinstance(event.get("response"), dict):
            whole = dict(event["response"])
            return whole if event["type"] not in _BEGUN else _cut_response(whole, found)
    return _anthropic(found) if any(event.get("type") == "message_start" for event in found) else None


def _cut_response(whole: dict[str, Any], events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A Response whose end never came, with the text that had come."""
    said = _joined([event for event in events if event.get("type") == "response.output_text.delta"], "delta")
    part = {"type": "output_text", "text": said or ""}
    output = [{"type": "message", "role": "assistant", "content": [part]}] if said else []
    return {**whole, "output": output, "error": {"message": CUT_STREAM, "type": "stream_cut_off"}}


def _anthropic(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {"type": "message", "role": "assistant", "usage": {}}
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        kind, index = event.get("type"), event.get("index")
        delta = event["delta"] if isinstance(event.get("delta"), dict) else {}
        if kind == "message_start" and isinstance(event.get("message"), dict):
            whole.update(event["message"])
            whole["usage"] = dict(mapping(event["message"].get("usage")))
        elif kind == "content_block_start" and isinstance(event.get("content_block"), dict):
            blocks[index if isinstance(index, int) else len(blocks)] = dict(event["content_block"])
        elif kind == "content_block_delta" and isinstance(index, int):
            _add(blocks.setdefault(index, {"type": "text", "text": ""}), delta)
        elif kind == "message_delta":
            whole.update({name: value for name, value in delta.items() if value is not None})
            used = event.get("usage")
            whole["usage"].update(used if isinstance(used, dict) else {})
        elif kind == "error":
            whole["error"] = event.get("error")
    whole["content"] = [_block(blocks[index]) for index in sorted(blocks)]
    ended = whole.get("stop_reason") or any(event.get("type") == "message_stop" for event in events)
    if not ended and "error" not in whole:
        whole["error"] = {"message": CUT_STREAM, "type": "stream_cut_off"}
    return whole


def _add(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for name in ("text", "thinking", "partial_json"):
        if isinstance(delta.get(name), str):
            block[name] = str(block.get(name) or "") + delta[name]


def _block(block: dict[str, Any]) -> dict[str, Any]:
    if "partial_json" not in block:
        return block
    given = block.pop("partial_json")
    return {**block, "input": decoded(given) if given else {}}
