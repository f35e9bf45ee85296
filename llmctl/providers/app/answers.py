"""What an application's answer says: its text, and beside it tool calls, tokens and cost where it names them. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from llmctl.canonical import WrittenFloat, plain, written
from llmctl.outcome import Outcome
from llmctl.project.json_pointer import follow, split_pointer
from llmctl.providers.openai_chat import malformed
from llmctl.providers.records import Usage
from llmctl.providers.wire import Answer, Retry, Tape
from llmctl.safe_text import replace_surrogates

__all__ = ["final", "parse_exactly", "read_body", "read_returned", "shown"]


def parse_exactly(body: bytes | bytearray) -> Any:
    """JSON in which large numbers keep their digits, and `1.50` its zero.

    Raises:
        ValueError: it is no JSON, or nested too deep.
    """
    try:
        return json.loads(body, parse_float=lambda text: WrittenFloat(float(text), text))
    except RecursionError:
        raise ValueError("nested too deep") from None


def read_body(body: bytes | bytearray, pointer: str | None) -> Answer:
    """The answer in a response body or on stdout.

    Args:
        body: all of it.
        pointer: where in it the answer lies; None: all of it is the answer, whatever it is.
    """
    if pointer is None:
        return _text(body.decode("utf-8", "replace"), {})
    try:
        value = parse_exactly(body)
    except ValueError:
        what = "empty" if not body.strip() else "not JSON"
        return malformed(f"The answer is {what}, and `output: {pointer}` asks for a part of JSON")
    return _at(value, pointer)


def read_returned(value: Any, pointer: str | None) -> Answer:
    """The answer in what a function returned, which has been through JSON.

    A mapping with `output` or `tool_calls` is an answer with its parts; any other value is the answer.
    """
    if pointer is not None:
        return _at(value, pointer)
    if isinstance(value, dict) and not value.keys().isdisjoint({"output", "tool_calls"}):
        return _text(value.get("output"), value)
    return _text(value, {})


def final(answer: Answer) -> Answer:
    """The answer of code of the project, which is not run again because of what it said."""
    return answer if answer.retry is Retry.NEVER else replace(answer, retry=Retry.NEVER)


def shown(answer: Answer, tape: Tape) -> Answer:
    """The answer, passed on in one piece to whoever watches."""
    if answer.output and tape.on_delta is not None:
        tape.show(answer.output, tape.ended_at)
    return answer


def _at(value: Any, pointer: str) -> Answer:
    try:
        found = follow(value, split_pointer(pointer))
    except LookupError:
        return malformed(f"The answer has nothing at {pointer}")
    return _text(found, value if isinstance(value, dict) else {})


def _text(value: Any, around: Mapping[str, Any]) -> Answer:
    calls = _tool_calls(around.get("tool_calls"))
    text = "" if value is None else replace_surrogates(value if isinstance(value, str) else _json_text(value))
    return Answer(
        Outcome.ANSWERED if text or calls else Outcome.EMPTY,
        output=None if calls and not text else text,
        tool_calls=calls,
        usage=_usage(around.get("usage")),
        cost_usd=_cost(around.get("cost_usd")),
    )


def _json_text(value: Any) -> str:
    if isinstance(value, list | dict):
        return orjson.dumps(_without_surrogates(plain(value))).decode()
    return written(value)


def _tool_calls(calls: Any) -> tuple[Mapping[str, object], ...]:
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        return ()
    return tuple(_without_surrogates(calls))


def _usage(usage: Any) -> Usage:
    """Tokens under llmctl's names or OpenAI's; what is no count is unknown."""
    if not isinstance(usage, dict):
        return Usage()
    return Usage(
        input_tokens=_count(usage.get("input_tokens", usage.get("prompt_tokens"))),
        output_tokens=_count(usage.get("output_tokens", usage.get("completion_tokens"))),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _cost(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return float(value)


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return replace_surrogates(value)
        case dict():
            return {replace_surrogates(key): _without_surrogates(item) for key, item in value.items()}
        case list():
            return [_without_surrogates(item) for item in value]
        case int() if not -(2**63) <= value < 2**64:
            return str(value)
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return value
