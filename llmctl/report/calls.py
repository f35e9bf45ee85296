"""One call, outside of any run."""

from __future__ import annotations

import dataclasses
from typing import Any

from llmctl.providers.records import Call
from llmctl.report.numbers import latency, money
from llmctl.safe_text import one_line

__all__ = ["call_json", "call_line"]

_MAX_LINE = 1_000


def call_line(call: Call) -> str:
    """`answered; 210 ms; first token 30 ms; tokens 45 in, 8 out; cost $0.0021`, safe to print."""
    parts = [call.outcome.value, latency(call.latency_ms)]
    if call.ttft_ms is not None:
        parts.append(f"first token {latency(call.ttft_ms)}")
    usage = call.usage
    parts.append(f"tokens {_known(usage.input_tokens)} in, {_known(usage.output_tokens)} out")
    parts.append(f"cost {'unknown' if call.cost_usd is None else money(call.cost_usd)}")
    if len(call.attempts) > 1:
        parts.append(f"{len(call.attempts)} attempts")
    if call.finish_reason:
        parts.append(f"finish reason {call.finish_reason}")
    line = "; ".join(parts) + (f": {call.error}" if call.error else "")
    return one_line(line, _MAX_LINE)


def _known(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def call_json(call: Call) -> dict[str, Any]:
    """The whole call with every attempt, for `json_text`."""
    return {field.name: getattr(call, field.name) for field in dataclasses.fields(call)}
