"""Calls and answers for the tests of what happened in a replay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.replay.findings import FindingsRequest
from llmctl.traffic.replay.records import ChosenCall, LaneAnswer, Mode, ReplayedCall

__all__ = ["REQUEST", "SCHEMA_FORMAT", "answer", "call", "replayed", "tool_call"]

REQUEST = FindingsRequest(Mode.VERBATIM, "gpt")
SCHEMA_FORMAT: Mapping[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "order",
        "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def answer(output: str | None = "billing", outcome: Outcome | None = Outcome.ANSWERED, **rest: Any) -> LaneAnswer:
    """What one lane says."""
    return LaneAnswer(outcome, output, **rest)


def tool_call(name: str, arguments: str = "{}") -> dict[str, object]:
    """As logs hold it."""
    return {"id": "t", "type": "function", "function": {"name": name, "arguments": arguments}}


def call(**fields: Any) -> LoggedCall:
    """A logged call."""
    messages = ({"role": "system", "content": "You route."}, {"role": "user", "content": "My card?"})
    return LoggedCall("openai_chat", messages=messages, **fields)


def replayed(
    observed: LaneAnswer,
    candidate: LaneAnswer | None,
    baseline: LaneAnswer | None = None,
    *,
    number: int = 1,
    weight: int = 1,
    **fields: Any,
) -> ReplayedCall:
    """A call with its answers."""
    return ReplayedCall(ChosenCall(f"{number:016x}", call(**fields), weight), observed, baseline, candidate)
